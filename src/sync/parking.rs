//! CPython's parking lot (Python/parking_lot.c, 3.13 and later): a thread that waits for a PyMutex or
//! an event sleeps on its own stack, in an entry that names what it waits for.

use super::View;
use super::view::Futex;
use crate::addr::Addr;
use crate::native::NativeThread;

/// What a thread is parked on (3.13+).
pub(super) enum Parked {
    /// It sleeps on something that is not on its own stack.
    No,
    /// On this address, which its entry on its own stack names.
    On(Addr),
    /// Its entry is gone: gdb's gcore leaves zeros for stacks of glibc 2.42 and later.
    Lost,
}

/// What a thread that sleeps on `futex` is parked on: a mutex or an event, which says in a bit of
/// its own that a thread is parked.
pub(super) fn parked_on(view: &View<'_>, thread: &NativeThread, futex: &Futex) -> Parked {
    const HAS_PARKED: u8 = 2;
    match entry(view, thread, futex) {
        Parked::On(addr) => match view.process.target.memory.u8(addr) {
            Ok(byte) if byte & HAS_PARKED != 0 => Parked::On(addr),
            _ => Parked::No,
        },
        other => other,
    }
}

/// What the entry names of a thread that sleeps on `futex`, if that is in an entry at all: the
/// caller must know the address.
pub(super) fn entry(view: &View<'_>, thread: &NativeThread, futex: &Futex) -> Parked {
    // struct wait_entry { void *park_arg; uintptr_t addr; _PySemaphore sema; … }
    const SEMAPHORE: u64 = 16;
    const ADDRESS: u64 = 8;
    let target = &view.process.target;
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
    match target.memory.ptr(entry.add(ADDRESS)) {
        Ok(addr) if addr.is_null() => Parked::Lost,
        Ok(addr) => Parked::On(addr),
        Err(_) => Parked::Lost,
    }
}
