//! CPython's parking lot (Python/parking_lot.c, Python/lock.c, 3.13 and later): a thread that waits
//! for a PyMutex or an event sleeps on its own stack, in an entry that names what it waits for.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View, mutexes, sections};
use crate::addr::Addr;
use crate::native::NativeThread;
use crate::native::futex::Futex;

/// Bits of the byte that is a PyMutex; of an event the first says that it is set.
const LOCKED: u8 = 1;
const HAS_PARKED: u8 = 2;

/// What a thread is parked on (3.13+).
pub(super) enum Parked {
    /// It sleeps on something that is not on its own stack.
    No,
    /// On this address, which its entry on its own stack names.
    On(Addr),
    /// Its entry is gone: gdb's gcore leaves zeros for stacks of glibc 2.42 and later.
    Lost,
}

/// The native part of a lock that a thread sleeps on.
pub(super) struct Native {
    /// A semaphore, or the byte of a PyMutex.
    pub(super) addr: Addr,
    /// Whether it is a PyMutex, which the thread's entry in the parking lot names.
    pub(super) parked: bool,
}

impl Waiter<'_> {
    /// The native part of the lock that it sleeps on, if that is a lock.
    pub(super) fn native(&self, view: &View<'_>) -> Option<Native> {
        let futex = self.futex.as_ref()?;
        let (addr, parked) = match parked_on(view, self.thread, futex) {
            Parked::No => (futex.addr, false),
            Parked::On(addr) => (addr, true),
            // Which of the locks near by it is would be a guess.
            Parked::Lost => return None,
        };
        Some(Native { addr, parked })
    }
}

/// What a thread that sleeps on `futex` is parked on: a mutex or an event, which says in a bit of
/// its own that a thread is parked.
pub(super) fn parked_on(view: &View<'_>, thread: &NativeThread, futex: &Futex) -> Parked {
    match entry(view, thread, futex) {
        Parked::On(addr) => match view.process.target.memory.u8(addr) {
            Ok(byte) if byte & HAS_PARKED != 0 || own_state(view, thread) == Some(addr) => {
                Parked::On(addr)
            }
            _ => Parked::No,
        },
        other => other,
    }
}

/// What the entry names of a thread that sleeps on `futex`, if that is in an entry at all: the
/// caller must know the address.
pub(super) fn entry(view: &View<'_>, thread: &NativeThread, futex: &Futex) -> Parked {
    // struct wait_entry { void *park_arg; uintptr_t addr; _PySemaphore sema;
    //                     struct llist_node { next; prev; } node; … }
    const SEMAPHORE: u64 = 16;
    const ADDRESS: u64 = 8;
    const NODE: u64 = 48;
    let target = &view.process.target;
    let memory = &target.memory;
    let native = target.threads.iter().find(|t| t.tid == thread.tid);
    let Some(sp) = native.and_then(|native| native.registers?.sp()) else {
        return Parked::No;
    };
    let own = target
        .mapping(sp)
        .is_some_and(|stack| futex.addr < stack.end);
    let entry = futex.addr.0.checked_sub(SEMAPHORE).map(Addr);
    let Some(entry) = entry.filter(|entry| own && *entry >= sp) else {
        return Parked::No;
    };
    // The neighbours in the bucket's list of entries refer back to it.
    let node = entry.add(NODE);
    let is_linked = || {
        let (next, previous) = (memory.ptr(node)?, memory.ptr(node.add(8))?);
        Ok::<_, crate::target::Fault>(
            memory.ptr(next.add(8))? == node && memory.ptr(previous)? == node,
        )
    };
    match memory.ptr(entry.add(ADDRESS)) {
        Ok(addr) if addr.is_null() => Parked::Lost,
        Ok(_) if is_linked() == Ok(false) => Parked::No,
        Ok(addr) => Parked::On(addr),
        Err(_) => Parked::Lost,
    }
}

/// Where a thread's own state says whether it may run, on which it parks while the world is
/// stopped.
pub(super) fn own_state(view: &View<'_>, thread: &NativeThread) -> Option<Addr> {
    let field = view.python.layout.fields.thread.state?;
    Some(field.of(view.state(thread.id)?.tstate))
}

/// Waits for a PyMutex that is none of Python's own locks, or for an event.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let Parked::On(addr) = parked_on(view, waiter.thread, waiter.futex.as_ref()?) else {
        return None;
    };
    let byte = view.process.target.memory.u8(addr).ok()?;
    let found = |kind, address, owner, evidence: &'static str| Found {
        kind,
        address,
        owner: Some(owner),
        timed: waiter.timed(),
        evidence: evidence.into(),
    };
    // An event has no other bits.
    if byte == HAS_PARKED {
        let owner = Owner::unknown("an event does not say who will set it");
        let evidence = "its entry in the parking lot names the event";
        return Some(found(Kind::PyEvent, addr, owner, evidence));
    }
    if byte & LOCKED == 0 {
        return None;
    }
    let (kind, address, why) = match object_of(view, addr) {
        Some(object) => (
            Kind::ObjectLock,
            object,
            "no thread has a critical section of the object that is active",
        ),
        None => (Kind::PyMutex, addr, "a PyMutex does not say who holds it"),
    };
    let owner = sections::owner(view, addr).or_else(|| mutexes::owner(view, addr));
    let owner = owner.unwrap_or_else(|| Owner::unknown(why));
    let evidence = "its entry in the parking lot names the mutex";
    Some(found(kind, address, owner, evidence))
}

/// The object whose `ob_mutex` is at `mutex`, in a free-threaded build.
fn object_of(view: &View<'_>, mutex: Addr) -> Option<Addr> {
    let objects = &view.python.objects;
    let offset = objects.layout.fields.object.mutex?.offset;
    let object = Addr(mutex.0.checked_sub(offset.into())?);
    let ty = objects.type_of(object).ok()?;
    objects.as_type(ty.addr).ok()?;
    Some(object)
}
