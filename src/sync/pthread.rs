//! glibc's mutexes (sysdeps/nptl/bits/struct_mutex.h): the owner's LWP id lies in the mutex.

use super::{Owner, View};
use crate::addr::Addr;
use crate::bytes;

/// A mutex that a thread waits for at `addr`, and who holds it; `None` when what lies there does
/// not look like one. Locks inside glibc are bare words without an owner.
pub(super) fn mutex(view: &View<'_>, addr: Addr) -> Option<Owner> {
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
    let mut threads = view.process.target.threads.iter();
    let is_owner = |thread: &&crate::target::TargetThread| thread.own_id() == owner;
    let found = threads.find(is_owner)?;
    let thread = view.process.id_of(found.tid)?;
    Some(Owner::Known {
        thread,
        evidence: format!("the mutex names LWP {owner} as its owner"),
        place: None,
    })
}
