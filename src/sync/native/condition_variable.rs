//! glibc's condition variables (sysdeps/nptl/bits/thread-shared-types.h, nptl/pthread_cond_wait.c), of
//! which `std::condition_variable` is made. There are two layouts; release branches from 2.38 on got
//! the second one too, so that no version tells which it is. Neither the mutex that belongs to it nor
//! who is going to signal it is written down.

use super::call::Family;
use super::command;
use crate::addr::Addr;
use crate::bytes;
use crate::sync::view::{Found, Futex, Waiter};
use crate::sync::{Kind, Owner, View};

/// The bytes of a condition variable.
const SIZE: usize = 48;

/// The lowest bit of a count of signals says that the group is closed; sizes lie above two bits of a
/// lock, numbers of waiters above three flags.
const ORIGINAL_SIZE: u32 = 2;
const WAITERS: u32 = 3;

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

/// Where the condition variable begins of which a thread sleeps on a word; `None` unless it fits
/// just one layout.
fn find(view: &View<'_>, futex: &Futex) -> Option<Addr> {
    let fits = |signals: u64, layout: fn(&[u8; SIZE], Sleep) -> Option<bool>| {
        // Waiters form two groups, each with a word that it sleeps on; the whole is aligned to 8.
        let group = (futex.addr.0 & 4) >> 2;
        let base = futex.addr.sub(signals).sub(4 * group);
        let raw = view.process.target.memory.array::<SIZE>(base).ok()?;
        let sleep = Sleep {
            group: group as usize,
            value: futex.value,
            private: futex.private,
        };
        layout(&raw, sleep)?.then_some(base)
    };
    match (fits(40, is_old), fits(32, is_new)) {
        (Some(base), None) | (None, Some(base)) => Some(base),
        _ => None,
    }
}

/// How a thread sleeps on one of the two words.
#[derive(Clone, Copy)]
struct Sleep {
    group: usize,
    value: u32,
    private: bool,
}

/// Up to 2.40: {u64 wseq, u64 g1_start, u32 g_refs[2], u32 g_size[2], u32 g1_orig_size, u32 wrefs,
/// u32 g_signals[2]}. A thread only sleeps when there is no signal, and is counted in its group.
fn is_old(raw: &[u8; SIZE], sleep: Sleep) -> Option<bool> {
    let refs = |group: usize| Some(bytes::u32_at(raw, 16 + 4 * group)? >> 1);
    let waiters = bytes::u32_at(raw, 36)? >> WAITERS;
    let groups = refs(0)?.checked_add(refs(1)?)?;
    let counted = refs(sleep.group)? >= 1 && groups <= waiters;
    Some(sleep.value == 0 && counted && is_sound(raw, 32, 36, sleep)?)
}

/// From 2.41: {u64 wseq, u64 g1_start, u32 g_size[2], u32 g1_orig_size, u32 wrefs, u32 g_signals[2],
/// u32 unused[2]}. The count of signals goes on from group to group, so that it is 0 only as long as
/// no group has been signalled before.
fn is_new(raw: &[u8; SIZE], sleep: Sleep) -> Option<bool> {
    let first = bytes::u64_at(raw, 8)? >> 1 == 0;
    Some((sleep.value != 0 || first) && is_sound(raw, 24, 28, sleep)?)
}

/// What holds for both: the waiters before the first group are some of all there ever were, and the
/// thread is one of those that wait.
fn is_sound(raw: &[u8; SIZE], original_size: usize, waiters: usize, sleep: Sleep) -> Option<bool> {
    let (ever, start) = (bytes::u64_at(raw, 0)?, bytes::u64_at(raw, 8)?);
    let size = bytes::u32_at(raw, original_size)? >> ORIGINAL_SIZE;
    let flags = bytes::u32_at(raw, waiters)?;
    let before = (start >> 1).checked_add(u64::from(size))?;
    let waiting = flags >> WAITERS;
    Some(
        waiting >= 1
            && before <= ever >> 1
            && u64::from(waiting) <= ever >> 1
            && sleep.private == (flags & 1 == 0),
    )
}
