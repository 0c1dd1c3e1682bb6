//! Memory into which a stopped process is copied before it is written to its file: to copy to memory
//! that is there already takes a third of the time that the file system takes to make room in its
//! cache. Only where there is plenty of memory; else what is copied goes to the file at once.

use crate::target::free_memory::free_memory;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of a slot.
pub(super) const SLOT: usize = 512 << 10;

/// So many times what is needed must be free: the file system's cache takes as much again, and the
/// process goes on.
const TIMES_FREE: u64 = 3;

/// A slot: its memory, and how much of it is filled.
#[derive(Default)]
pub(super) struct Slot {
    /// [`SLOT`] bytes.
    pub(super) bytes: Vec<u8>,
    /// How many of them were copied from the process and are not written yet.
    pub(super) filled: usize,
}

/// All slots.
#[derive(Default)]
pub(super) struct Stage(Vec<Mutex<Slot>>);

impl Stage {
    /// Room for so many bytes; none at all where memory is short.
    pub(super) fn new(bytes: u64) -> Stage {
        let plenty = free_memory().is_some_and(|free| bytes.saturating_mul(TIMES_FREE) < free);
        if !plenty {
            return Stage::default();
        }
        // Blocks are not always full.
        let wanted = (bytes + bytes / 16).div_ceil(SLOT as u64) + 16;
        // Memory is only there once something was written to it.
        let make = |count: u64| {
            let slot = || Slot {
                bytes: vec![1; SLOT],
                filled: 0,
            };
            (0..count).map(|_| Mutex::new(slot())).collect::<Vec<_>>()
        };
        let (some, others) = thread::scope(|scope| {
            let others = scope.spawn(|| make(wanted / 2));
            (make(wanted - wanted / 2), others.join().unwrap_or_default())
        });
        Stage(some.into_iter().chain(others).collect())
    }

    /// The slot of a block; `None` where there is no room.
    pub(super) fn slot(&self, number: usize) -> Option<MutexGuard<'_, Slot>> {
        let slot = self.0.get(number)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_or_none() {
        let stage = Stage::new(3 * SLOT as u64 + 1);
        assert_eq!(stage.slot(3).unwrap().bytes.len(), SLOT);
        assert!(stage.slot(1000).is_none());
        assert!(Stage::new(u64::MAX).slot(0).is_none());
    }
}
