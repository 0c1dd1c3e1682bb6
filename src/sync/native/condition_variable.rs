//! glibc's condition variables (sysdeps/nptl/bits/thread-shared-types.h, nptl/pthread_cond_wait.c), of
//! which `std::condition_variable` is made. There are two layouts; release branches from 2.38 on got
//! the second one too, so that no version tells which it is. Neither the mutex that belongs to it nor
//! who is going to signal it is written down.

use super::call::Family;
use super::command;
use crate::addr::Addr;
use crate::bytes;
use crate::native::futex::Futex;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// The bytes of a condition variable.
const SIZE: usize = 48;

/// A layout: where its words lie. It begins with two numbers of 64 bits: how many threads have ever
/// waited, with the number of the younger group as the lowest bit, and how many had before the older
/// group began.
struct Layout {
    /// How many references to each of the two groups there are; `None` where nobody counts.
    references: Option<usize>,
    /// By group, how many are still to be signalled; of the younger one how many gave up, as a
    /// negative number.
    sizes: usize,
    /// How many the older group began with, above two bits of a lock.
    original: usize,
    /// How many threads wait, above three flags, of which the lowest is for several processes.
    waiters: usize,
    /// By group, the word that its threads sleep on.
    signals: usize,
    /// By how many bits the second number is shifted.
    start: u32,
}

/// Up to 2.40.
const OLD: Layout = Layout {
    references: Some(16),
    sizes: 24,
    original: 32,
    waiters: 36,
    signals: 40,
    start: 1,
};

/// From 2.41.
const NEW: Layout = Layout {
    references: None,
    sizes: 16,
    original: 24,
    waiters: 28,
    signals: 32,
    start: 0,
};

/// Waits for a condition variable.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    if futex.command != command::WAIT_BITSET || waiter.call(view)?.family != Family::Condition {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the condition variable".into(),
        kind: Kind::ConditionVariable,
        address: find(view, futex)?,
        owner: Some(Owner::unknown(
            "a condition variable does not say who is going to signal it",
        )),
        timed: waiter.timed(),
    })
}

/// Where the condition variable begins of which a thread sleeps on a word. The old layout has more
/// that must agree, so that it hardly fits by accident.
fn find(view: &View<'_>, futex: &Futex) -> Option<Addr> {
    // The whole is aligned to 8, and the words of the two groups are neighbours.
    let group = (futex.addr.0 & 4) as usize / 4;
    [OLD, NEW].iter().find_map(|layout| {
        let base = futex.addr.sub(layout.signals as u64 + 4 * group as u64);
        let raw = view.process.target.memory.array::<SIZE>(base).ok()?;
        let sleep = Sleep {
            group,
            value: futex.value,
            private: futex.private,
        };
        layout.fits(&raw, sleep)?.then_some(base)
    })
}

/// How a thread sleeps on one of the two words.
#[derive(Clone, Copy)]
struct Sleep {
    group: usize,
    value: u32,
    private: bool,
}

impl Layout {
    /// Whether the bytes are a condition variable of this layout that a thread sleeps on like this.
    fn fits(&self, raw: &[u8; SIZE], sleep: Sleep) -> Option<bool> {
        let (ever, start) = (bytes::u64_at(raw, 0)?, bytes::u64_at(raw, 8)?);
        let younger = (ever & 1) as usize;
        let original = bytes::u32_at(raw, self.original)? >> 2;
        let flags = bytes::u32_at(raw, self.waiters)?;
        let waiting = i64::from(flags >> 3);
        // Nobody in the younger group is signalled: all who came are there, but for those who gave up.
        let before = (start >> self.start).checked_add(u64::from(original))?;
        let came = i64::try_from((ever >> 1).checked_sub(before)?).ok()?;
        let gave_up = bytes::i32_at(raw, self.sizes + 4 * younger)?;
        let there = came.checked_add(i64::from(gave_up))?;
        let counted = (0..=waiting).contains(&there)
            && (sleep.group != younger || there >= 1)
            && (sleep.group == younger || there < waiting)
            && sleep.private == (flags & 1 == 0);
        let Some(references) = self.references else {
            return Some(counted);
        };
        let reference = |group: usize| {
            let references = bytes::u32_at(raw, references + 4 * group)?;
            Some(i64::from(references >> 1))
        };
        // Where references are counted, a thread only sleeps as long as there is no signal.
        Some(
            counted
                && sleep.value == 0
                && reference(sleep.group)? >= 1
                && reference(younger)? == there
                && reference(1 - younger)? <= waiting - there,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of condition variables as they were found, with what lay before and behind, and the word
    /// that a thread slept on.
    fn layouts_that_fit(words: &[u32], slept_on: usize, value: u32) -> Vec<usize> {
        let raw: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let group = slept_on % 2;
        let fits = |layout: &Layout| {
            let base = (slept_on - group) * 4 - layout.signals;
            let raw = bytes::array_at::<SIZE>(&raw, base)?;
            let private = true;
            let sleep = Sleep {
                group,
                value,
                private,
            };
            layout.fits(&raw, sleep)?.then_some(base / 4)
        };
        [OLD, NEW].iter().filter_map(fits).collect()
    }

    #[test]
    fn each_layout_is_told_from_the_other() {
        // glibc 2.36: the first two waiters; two that came after two others.
        let first = [0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 16, 0, 0, 0, 0];
        assert_eq!(layouts_that_fit(&first, 12, 0), [2]);
        let later = [0, 0, 8, 0, 2, 0, 4, 0, 0, 0, 4, 16, 0, 0, 0, 0];
        assert_eq!(layouts_that_fit(&later, 12, 0), [2]);
        // glibc 2.43: one waiter is left in the older group, three are in the younger one.
        let mixed = [0, 1, 16, 0, 2, 0, 0, 1, 12, 32, 0, 2, 0, 0, 0, 0];
        assert_eq!(layouts_that_fit(&mixed, 10, 0), [2]);
        assert_eq!(layouts_that_fit(&mixed, 11, 0), [2]);
    }

    #[test]
    fn what_is_no_condition_variable_does_not_fit() {
        assert_eq!(layouts_that_fit(&[0; 16], 12, 0), [0; 0]);
        assert_eq!(layouts_that_fit(&[u32::MAX; 16], 12, 0), [0; 0]);
    }
}
