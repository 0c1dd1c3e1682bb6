//! Leaving out of a core what a look at its own content shows to be of no use: the core is written as
//! a whole while it has no name, looked at, and given holes. The process runs on by then.

use super::DumpError;
use super::layout::Layout;
use super::place::Unfinished;
use crate::diag::Notes;
use crate::target::Options;
use crate::target::left_out;
use crate::target::write::push_note;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::ops::Range;

/// Bytes that are overwritten at once where a file system cannot make holes.
const AT_ONCE: u64 = 1 << 20;

/// Tells which memory of a core is not needed, as addresses of whole pages; the options say where the
/// files of the process are. An error says why that is not known: then all stays.
#[derive(Clone, Copy, Debug)]
pub struct Survey(pub fn(&File, &Options) -> Unneeded);

/// Memory that is not needed, or why that is not known.
pub type Unneeded = Result<Vec<Range<u64>>, String>;

impl Survey {
    /// Makes holes of what is not needed; gives the note that says where, and how many bytes they have.
    pub(super) fn apply(
        self,
        out: &Unfinished<'_>,
        layout: &mut Layout,
        options: &Options,
        notes: &Notes,
    ) -> Result<(Vec<u8>, u64), DumpError> {
        let ranges = match (self.0)(&out.file, options) {
            Ok(ranges) => ranges,
            Err(why) => {
                notes.partial(format!(
                    "what analysis of Python needs is not known, so all that the mask asks for is in \
                     the core: {why}"
                ));
                Vec::new()
            }
        };
        let left = layout.leave_out(&ranges);
        let mut bytes = 0;
        for (offset, range) in &left {
            hole(out, *offset, range.end - range.start)?;
            bytes += range.end - range.start;
        }
        let ranges: Vec<Range<u64>> = left.into_iter().map(|(_, range)| range).collect();
        let mut note = Vec::new();
        if !ranges.is_empty() {
            let content = left_out::content(&ranges);
            push_note(
                &mut note,
                crate::target::proc_note::OWNER,
                left_out::TYPE,
                &content,
            );
        }
        Ok((note, bytes))
    }
}

/// Takes bytes out of the file.
fn hole(out: &Unfinished<'_>, offset: u64, len: u64) -> Result<(), DumpError> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let place = i64::try_from(offset).ok().zip(i64::try_from(len).ok());
    if place.is_some_and(|(offset, len)| fallocate(&out.file, flags, offset, len).is_ok()) {
        return Ok(());
    }
    let zeros = vec![0; AT_ONCE.min(len) as usize];
    for done in (0..len).step_by(AT_ONCE as usize) {
        let count = AT_ONCE.min(len - done) as usize;
        out.write(zeros.get(..count).unwrap_or(&zeros), offset + done)?;
    }
    Ok(())
}
