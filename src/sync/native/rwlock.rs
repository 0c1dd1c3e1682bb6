//! glibc's read-write locks, of which `std::shared_mutex` is made, as they are since 2.25
//! (sysdeps/nptl/bits/struct_rwlock.h, nptl/pthread_rwlock_common.c). A writer's LWP id lies in the
//! lock; of readers only their number does.

use super::call::Family;
use super::{command, in_shared_memory, named_owner};
use crate::addr::Addr;
use crate::bytes;
use crate::native::futex::Futex;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// Bits of `__readers`, below the number of readers.
const WRITE_PHASE: u32 = 1;
const WRITE_LOCKED: u32 = 2;
const READERS_WAIT: u32 = 4;
const READER: u32 = 3;

/// Values of the two other words that are slept on: a flag says that somebody may sleep there.
const CLEAR_USED: u32 = 2;
const SET_USED: u32 = 3;

/// PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, the highest of the kinds.
const NONRECURSIVE: u32 = 2;

/// Where in the lock threads sleep: readers behind a waiting writer; readers that await the end of
/// writing, and the writer that awaits the end of reading; further writers.
const READERS: u64 = 0;
const PHASE: u64 = 8;
const WRITERS: u64 = 12;

/// Waits for a read-write lock.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    if futex.command != command::WAIT_BITSET {
        return None;
    }
    let mut places = [PHASE, WRITERS, READERS].into_iter();
    let (address, lock) = places.find_map(|place| {
        let address = futex.addr.sub(place);
        let lock = RwLock::read(view, address)?;
        (address.0.is_multiple_of(8) && lock.is_slept_on(futex, place)).then_some((address, lock))
    })?;
    let family = waiter.call(view).map(|call| call.family);
    let certain = family == Some(Family::RwLock);
    if family.is_some() && !certain {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the rwlock".into(),
        kind: Kind::RwLock,
        address,
        owner: Some(lock.owner(view, address, certain)?),
        timed: waiter.timed(),
    })
}

/// The words of `struct __pthread_rwlock_arch_t`.
struct RwLock {
    readers: u32,
    writer: u32,
    shared: bool,
    kind: u32,
}

impl RwLock {
    fn read(view: &View<'_>, addr: Addr) -> Option<RwLock> {
        let raw = view.process.target.memory.array::<56>(addr).ok()?;
        let word = |at| bytes::u32_at(&raw, at);
        let lock = RwLock {
            readers: word(0)?,
            writer: word(24)?,
            shared: word(28)? != 0,
            kind: word(48)?,
        };
        // Flags, padding, and what can only be one of few values.
        let unused = word(16)? == 0 && word(20)? == 0 && word(52)? == 0;
        let small = word(8)? <= 3 && word(12)? <= 3 && word(28)? <= 1 && lock.kind <= NONRECURSIVE;
        (unused && small).then_some(lock)
    }

    /// Whether this is how glibc sleeps at this place of such a lock.
    fn is_slept_on(&self, futex: &Futex, place: u64) -> bool {
        let waits = match place {
            // Readers let a waiting writer go first.
            READERS => {
                let flags = futex.value & (WRITE_PHASE | WRITE_LOCKED | READERS_WAIT);
                self.kind == NONRECURSIVE
                    && flags == WRITE_LOCKED | READERS_WAIT
                    && futex.value >> READER != 0
            }
            PHASE => matches!(futex.value, CLEAR_USED | SET_USED),
            _ => futex.value == SET_USED,
        };
        waits && futex.private != self.shared
    }

    /// Who holds it. `certain` is whether the thread is in a function of read-write locks.
    fn owner(&self, view: &View<'_>, addr: Addr, certain: bool) -> Option<Owner> {
        let written = WRITE_PHASE | WRITE_LOCKED;
        if self.readers & written == written && self.writer != 0 {
            let shared = self.shared || in_shared_memory(view, addr);
            return named_owner(view, "rwlock", self.writer, certain, shared);
        }
        if !certain {
            return None;
        }
        let readers = self.readers >> READER;
        Some(match readers {
            _ if self.readers & WRITE_PHASE != 0 => Owner::unknown("it is just changing hands"),
            0 => Owner::unknown("it is just changing hands"),
            1 => Owner::unknown("one reader holds it; a rwlock does not say which thread that is"),
            _ => Owner::unknown(format!(
                "{readers} readers hold it; a rwlock does not say which threads those are"
            )),
        })
    }
}
