//! The pages inside of runs of memory.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::native::Process;
use crate::ranges::joined;
use crate::target::left_out;
use std::cmp::Reverse;
use std::ops::Range;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;

/// What is smaller stays: each range takes two headers, and a page in which little is missing is as
/// large as before.
pub(super) const LEAST: u64 = 64 << 10;

/// Collects them.
pub(super) struct Insides<'h> {
    heap: &'h Heap,
    /// What threads have addresses of in their registers, by address: locks that they wait for, and stacks.
    pointed: Vec<u64>,
    found: Vec<Range<u64>>,
}

impl Insides<'_> {
    pub(super) fn new(heap: &Heap) -> Insides<'_> {
        let process: &Process = &heap.python.process;
        let registers = process
            .target
            .threads
            .iter()
            .filter_map(|thread| thread.registers);
        let words = registers.flat_map(|registers| registers.general);
        let mut pointed: Vec<u64> = words.flatten().collect();
        pointed.sort_unstable();
        pointed.dedup();
        Insides {
            heap,
            pointed,
            found: Vec::new(),
        }
    }

    /// Adds the inside of a run, unless it is small or not what it seems: there are objects in it, or a
    /// thread works there.
    pub(super) fn add(&mut self, start: u64, len: u64) {
        let Some(last) = start.checked_add(len).and_then(|end| end.checked_sub(1)) else {
            return;
        };
        let inside = (start | (PAGE - 1)).saturating_add(1)..last - last % PAGE;
        if inside.end.saturating_sub(inside.start) < LEAST {
            return;
        }
        let Some(mapping) = self.heap.python.process.target.mapping(Addr(inside.start)) else {
            return;
        };
        let object = self.heap.next(Addr(inside.start - 1));
        let object = object.is_some_and(|id| self.heap.address(id).0 < inside.end);
        let first = self.pointed.partition_point(|at| *at < inside.start - PAGE);
        let pointed = self
            .pointed
            .get(first)
            .is_some_and(|at| *at < inside.end + PAGE);
        if inside.end <= mapping.end.0 && !object && !pointed {
            self.found.push(inside);
        }
    }

    /// All of them: the largest, if there are too many.
    pub(super) fn ranges(self) -> Vec<Range<u64>> {
        let mut apart = joined(self.found);
        apart.sort_unstable_by_key(|range| Reverse(range.end - range.start));
        apart.truncate(left_out::MOST);
        apart.sort_unstable_by_key(|range| range.start);
        apart
    }
}
