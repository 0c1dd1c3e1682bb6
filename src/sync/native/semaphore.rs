//! glibc's semaphores as they are since 2.21 on 64-bit machines (sysdeps/nptl/internaltypes.h,
//! nptl/sem_waitcommon.c): a value and a number of waiters, and nothing of who took it. CPython up to
//! 3.14 makes its locks of them, of which those that are no Python objects come out here.

use super::call::Family;
use super::command;
use crate::addr::Addr;
use crate::bytes;
use crate::native::futex::Futex;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// Waits for a semaphore.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    if futex.command != command::WAIT_BITSET
        || futex.value != 0
        || !is_semaphore(view, futex.addr, futex)?
        || waiter.call(view)?.family != Family::Semaphore
    {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the semaphore".into(),
        kind: Kind::NativeSemaphore,
        address: futex.addr,
        owner: Some(Owner::unknown(
            "a semaphore does not say who took it, nor who is going to post it",
        )),
        timed: waiter.timed(),
    })
}

/// struct new_sem { uint64_t data; int private; int pad; }: the value is the low half of the data,
/// the number of waiters the high half.
fn is_semaphore(view: &View<'_>, addr: Addr, futex: &Futex) -> Option<bool> {
    const SHARED: u32 = 128;
    let raw = view.process.target.memory.array::<12>(addr).ok()?;
    let waiters = bytes::u32_at(&raw, 4)?;
    let private = match bytes::u32_at(&raw, 8)? {
        0 => true,
        SHARED => false,
        _ => return None,
    };
    Some(addr.0.is_multiple_of(8) && waiters >= 1 && private == futex.private)
}
