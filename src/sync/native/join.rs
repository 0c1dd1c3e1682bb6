//! `pthread_join` (nptl/pthread_join_common.c): the thread sleeps on a word in the `struct pthread` of
//! the one it awaits: that one's LWP id, which the kernel clears at the end, or from 2.43 on its state.

use super::call::Family;
use super::command;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// No version has a larger `struct pthread`.
const MOST: u64 = 4096;

/// Waits for a thread to end.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    // The kernel's wake-up at the end of a thread is never a private one.
    if futex.private || !matches!(futex.command, command::WAIT | command::WAIT_BITSET) {
        return None;
    }
    let threads = view.process.threads().iter();
    let (distance, thread) = threads
        .filter_map(|thread| Some((futex.addr.since(thread.pthread?)?, thread)))
        .min_by_key(|(distance, _)| *distance)?;
    let named = waiter.call(view).map(|call| call.family);
    let is_its_id = view.by_own_tid(i32::try_from(futex.value).ok()?) == Some(thread.id);
    let joins = named == Some(Family::Join) || (named.is_none() && is_its_id);
    if distance >= MOST || !joins {
        return None;
    }
    let address = thread.pthread?;
    Some(Found {
        evidence: "it is in pthread_join".into(),
        kind: Kind::NativeThread,
        address,
        owner: Some(Owner::known(
            thread.id,
            format!("it is the thread whose pthread_t is {address}"),
        )),
        timed: waiter.timed(),
    })
}
