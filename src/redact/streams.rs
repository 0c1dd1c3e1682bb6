//! The buffers of C's streams (libio/bits/types/struct_FILE.h of glibc, the same in every version):
//! 2.7 reads and writes all files by them.

use super::blanks::Fill;
use super::bounds::{Wanted, What};
use crate::native::Process;

/// Where a stream's buffers begin and end, and where the next stream is.
const BUFFERS: [(u64, u64); 2] = [(56, 64), (72, 88)];
const CHAIN: u64 = 104;

/// The most streams.
const MOST: usize = 100_000;

/// What all streams have.
pub(super) fn wanted(process: &Process) -> Vec<Wanted> {
    let memory = &process.target.memory;
    let list = process.images.exported("_IO_list_all");
    let mut next = list.and_then(|(_, list, _)| memory.ptr(list).ok());
    let mut found = Vec::new();
    for _ in 0..MOST {
        let Some(stream) = next.filter(|stream| !stream.is_null()) else {
            break;
        };
        for (start, end) in BUFFERS {
            let pointers = memory
                .ptr(stream.add(start))
                .ok()
                .zip(memory.ptr(stream.add(end)).ok());
            let buffer = pointers.and_then(|(start, end)| {
                let len = end.since(start).filter(|_| !start.is_null())?;
                Wanted::of(start.0, len, Fill::Pages, What::Text)
            });
            found.extend(buffer);
        }
        next = memory.ptr(stream.add(CHAIN)).ok();
    }
    found
}
