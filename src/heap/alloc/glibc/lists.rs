//! The lists of free chunks (malloc/malloc.c): the bins of an arena, doubly linked and closed, and
//! the lists of fast bins and thread caches, which end in null and whose links are mangled from 2.32
//! on (`PROTECT_PTR`).

use super::walk::{ALIGNMENT, FLAGS, SMALLEST};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::native::place::arena::{BINS, Layout};
use crate::sum::Sum;
use serde::Serialize;

/// Fast bins of an arena (NFASTBINS).
const FAST_BINS: u64 = 10;
/// The most chunks in one fast bin, which is as long as it gets.
const MOST: usize = 1 << 22;

/// A free chunk of a fast bin or of a thread's cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    pub(super) start: Addr,
    pub(super) size: u64,
}

/// Follows a list that ends in null. Its links lead to what is `ahead` bytes behind the start of a
/// chunk; the link itself is at the start of the user's bytes. `None` when it does not end, or has
/// more than `most`.
pub(super) fn chain<W: Words + ?Sized>(
    words: &W,
    head: u64,
    ahead: u64,
    most: usize,
    fits: impl Fn(u64) -> bool,
) -> Option<Vec<Kept>> {
    let follow = |mangled: bool| {
        let mut all = Vec::new();
        let mut at = head;
        while at != 0 {
            let start = Addr(at.checked_sub(ahead)?);
            if !start.0.is_multiple_of(ALIGNMENT) || all.len() >= most {
                return None;
            }
            let size = words.u64(start.add(8))? & !FLAGS;
            if !fits(size) {
                return None;
            }
            all.push(Kept { start, size });
            let link = start.add(16);
            let next = words.u64(link)?;
            at = if mangled { next ^ (link.0 >> 12) } else { next };
        }
        Some(all)
    };
    follow(true).or_else(|| follow(false))
}

/// The chunks in the fast bins of an arena, and whether all lists could be followed.
pub(super) fn fast<W: Words + ?Sized>(
    words: &W,
    arena: Addr,
    layout: &Layout,
) -> (Vec<Kept>, bool) {
    let (mut all, mut whole) = (Vec::new(), true);
    let bins = layout.fast.map(|fast| arena.add(fast));
    for (bins, index) in bins
        .into_iter()
        .flat_map(|bins| (0..FAST_BINS).map(move |i| (bins, i)))
    {
        let head = words.u64(bins.add(index * 8)).unwrap_or(0);
        let size = SMALLEST + index * ALIGNMENT;
        match chain(words, head, 0, MOST, |found| found == size) {
            Some(chunks) => all.extend(chunks),
            None => whole = false,
        }
    }
    (all, whole)
}

/// What is in the bins of an arena.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Bins {
    /// All of them together.
    pub all: Sum,
    /// The one of chunks that were freed and not looked at since.
    pub unsorted: Sum,
    /// Whether each could be followed round to its start.
    pub whole: bool,
}

/// Follows all bins of an arena, which has so many bytes from the system.
pub(super) fn bins<W: Words + ?Sized>(
    words: &W,
    arena: Addr,
    layout: &Layout,
    system: u64,
    found: &mut impl FnMut(Addr),
) -> Bins {
    let mut bins = Bins {
        whole: true,
        ..Bins::default()
    };
    let most = system / SMALLEST + 1;
    for bin in 0..BINS {
        let head = arena.add(layout.bins + bin * 16).sub(16);
        let mut sum = Sum::default();
        let mut at = words.u64(head.add(16)).map(Addr);
        loop {
            let Some(chunk) = at.filter(|_| bins.all.count + sum.count <= most) else {
                bins.whole = false;
                break;
            };
            if chunk == head {
                break;
            }
            let size = words.u64(chunk.add(8)).map(|word| word & !FLAGS);
            let Some(size) = size.filter(|_| chunk.0.is_multiple_of(ALIGNMENT)) else {
                bins.whole = false;
                break;
            };
            sum.add(size);
            found(chunk);
            at = words.u64(chunk.add(16)).map(Addr);
        }
        bins.all.merge(sum);
        if bin == 0 {
            bins.unsorted = sum;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    /// Chunks of 0x30 at 0x10000, 0x20000, … linked in this order.
    fn linked(count: u64, mangled: bool, last: u64) -> Synth {
        let mut memory = Synth::default();
        for index in 1..=count {
            let start = index << 16;
            let next = if index == count {
                last
            } else {
                (index + 1) << 16
            };
            let mangle = if mangled { (start + 16) >> 12 } else { 0 };
            let words = [0, 0x31, next ^ mangle, 0];
            memory.add(
                start,
                words
                    .iter()
                    .flat_map(|word: &u64| word.to_le_bytes())
                    .collect(),
            );
        }
        memory
    }

    #[test]
    fn links_are_mangled_or_not() {
        for (count, mangled) in [(1, true), (1, false), (5, true), (5, false)] {
            let memory = linked(count, mangled, 0);
            let found = chain(&memory, 0x1_0000, 0, MOST, |size| size == 0x30).expect("a list");
            assert_eq!(found.len() as u64, count);
        }
    }

    #[test]
    fn a_list_that_does_not_end_is_none() {
        for mangled in [true, false] {
            assert!(chain(&linked(3, mangled, 0x2_0000), 0x1_0000, 0, MOST, |_| true).is_none());
            assert!(chain(&linked(3, mangled, 0x7_0000), 0x1_0000, 0, MOST, |_| true).is_none());
        }
    }
}
