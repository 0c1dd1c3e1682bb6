//! Memory of pydbg's own for copies of the target's: taken from the kernel in large pieces,
//! handed out in small ones, given back when the last user is gone. A thousand stacks have a
//! thousand copies, and a system call for each would lengthen the stop of the target.

use memmap2::{Advice, MmapOptions, MmapRaw};
use std::sync::{Arc, Mutex, PoisonError};

/// What is taken from the kernel at once. It costs no memory until it is written to.
const CHUNK: usize = 1 << 30;

/// Zeroed memory in large pieces.
#[derive(Default)]
pub(super) struct Mirrors {
    /// The newest piece, and how much of it is handed out.
    chunk: Mutex<Option<(Arc<MmapRaw>, usize)>>,
}

/// A part of a piece that belongs to one user.
pub(super) struct Mirror {
    chunk: Arc<MmapRaw>,
    offset: usize,
}

impl Mirrors {
    /// Memory for `len` bytes, which is whole pages; `None` when the kernel has none to give.
    pub(super) fn take(&self, len: usize) -> Option<Mirror> {
        let mut newest = self.chunk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((chunk, used)) = newest.as_mut()
            && chunk.len() - *used >= len
        {
            let offset = *used;
            *used += len;
            let chunk = Arc::clone(chunk);
            return Some(Mirror { chunk, offset });
        }
        // A limit on the address space may allow the small piece where it forbids the large one.
        let chunk = Arc::new(anonymous(CHUNK.max(len)).or_else(|| anonymous(len))?);
        *newest = Some((Arc::clone(&chunk), len));
        Some(Mirror { chunk, offset: 0 })
    }
}

impl Mirror {
    /// Its first byte. It is valid for the length that was asked for, as long as `self` lives.
    pub(super) fn start(&self) -> *mut u8 {
        // The offset lies in the piece, so this cannot wrap.
        self.chunk.as_mut_ptr().wrapping_add(self.offset)
    }
}

fn anonymous(len: usize) -> Option<MmapRaw> {
    let map = MmapOptions::new().len(len).no_reserve_swap().map_anon();
    let map = MmapRaw::from(map.ok()?);
    // A huge page would cost 2 MiB for each stack of which a few KiB are read. A kernel without
    // huge pages refuses the advice, and needs none.
    let _ = map.advise(Advice::NoHugePage);
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap_and_outlive_the_rest() {
        let mirrors = Mirrors::default();
        let first = mirrors.take(8192).unwrap();
        let second = mirrors.take(4096).unwrap();
        assert_eq!(first.start().wrapping_add(8192), second.start());
        let large = mirrors.take(CHUNK - 4096).unwrap();
        assert_eq!(large.offset, 0, "it needed a piece of its own");
        drop(mirrors);
        drop(first);
        assert_eq!(Arc::strong_count(&second.chunk), 1);
    }
}
