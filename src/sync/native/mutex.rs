//! glibc's mutexes (sysdeps/nptl/bits/struct_mutex.h): the owner's LWP id lies in the mutex.

use crate::addr::Addr;
use crate::bytes;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// Waits for a mutex.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let address = waiter.futex.as_ref()?.addr;
    owner(view, address).map(|owner| Found {
        evidence: "it sleeps on the mutex".into(),
        kind: Kind::Mutex,
        address,
        owner: Some(owner),
        timed: waiter.timed(),
    })
}

/// Who holds the mutex at `addr`; `None` when what lies there does not look like one that is held.
/// Locks inside glibc are bare words without an owner.
pub(super) fn owner(view: &View<'_>, addr: Addr) -> Option<Owner> {
    // struct __pthread_mutex_s { int lock; unsigned count; int owner; unsigned nusers; int kind; }
    const KINDS: i32 = 0x1ff;
    const TID: u32 = 0x3fff_ffff;
    let raw = view.process.target.memory.array::<20>(addr).ok()?;
    let lock = bytes::u32_at(&raw, 0)?;
    let owner = bytes::i32_at(&raw, 8)?;
    let users = bytes::u32_at(&raw, 12)?;
    let kind = bytes::i32_at(&raw, 16)?;
    if kind & !KINDS != 0 || users > 1 << 20 || owner <= 0 {
        return None;
    }
    // A normal one is 2 when it is waited for; of others the lock word is the owner with flags.
    if lock != 2 && lock != 1 && (lock & TID) as i32 != owner {
        return None;
    }
    let thread = view.by_own_tid(owner)?;
    Some(Owner::known(
        thread,
        format!("the mutex names LWP {owner} as its owner"),
    ))
}
