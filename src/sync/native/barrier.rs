//! glibc's barriers as they are since 2.25 (nptl/pthreadP.h, nptl/pthread_barrier_wait.c): how many
//! threads have come is counted, who they are and who is still to come is not.

use super::call::Family;
use super::command;
use crate::addr::Addr;
use crate::bytes;
use crate::native::futex::Futex;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// Waits for a barrier.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    // struct pthread_barrier { unsigned in, current_round, count; int shared; unsigned out; }
    const ROUND: u64 = 4;
    let futex = waiter.futex.as_ref()?;
    let address = futex.addr.sub(ROUND);
    let (come, count) = counts(view, address, futex)?;
    if futex.command != command::WAIT || waiter.call(view)?.family != Family::Barrier {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the barrier".into(),
        kind: Kind::NativeBarrier,
        address,
        owner: Some(Owner::unknown(format!(
            "{come} of {count} threads have come; a barrier does not say who the others are"
        ))),
        timed: waiter.timed(),
    })
}

/// How many threads have come to the barrier in this round, and of how many.
fn counts(view: &View<'_>, addr: Addr, futex: &Futex) -> Option<(u32, u32)> {
    const SHARED: u32 = 128;
    let raw = view.process.target.memory.array::<16>(addr).ok()?;
    let word = |at| bytes::u32_at(&raw, at);
    let (round, count) = (word(4)?, word(8)?);
    let come = word(0)?.wrapping_sub(round);
    let private = match word(12)? {
        0 => true,
        SHARED => false,
        _ => return None,
    };
    let sound = round == futex.value && (1..count).contains(&come) && private == futex.private;
    sound.then_some((come, count))
}
