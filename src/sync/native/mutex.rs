//! glibc's mutexes (sysdeps/nptl/bits/struct_mutex.h, nptl/pthreadP.h, nptl/pthread_mutex_lock.c), of
//! which `std::mutex` and its like are made: the owner's LWP id lies in the mutex.

use super::call::Family;
use super::{command, in_shared_memory, named_owner};
use crate::addr::Addr;
use crate::bytes;
use crate::native::futex::Futex;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// The bits of `__kind`: above the type lie how it survives and what it does to priorities.
const KINDS: u32 = 0x3ff;
const TYPE: u32 = 3;
const RECURSIVE: u32 = 1;
const ROBUST: u32 = 0x10;
const INHERIT: u32 = 0x20;
const PROTECT: u32 = 0x40;
const SHARED: u32 = 0x80;

/// The lock word of robust mutexes and of those that lend priority: the owner's LWP id with flags, of
/// which the kernel keeps some.
const TID: u32 = 0x3fff_ffff;
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;

/// The part of the lock word of PRIO_PROTECT that is not the ceiling.
const BELOW_CEILING: u32 = (1 << 19) - 1;

/// Nobody counts more users of one mutex.
const MOST_USERS: u32 = 1 << 20;

/// Waits for a mutex.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    let mutex = Mutex::read(view, futex.addr)?;
    if !mutex.is_slept_on(futex) {
        return None;
    }
    // A thread that was woken by a condition variable takes its mutex again.
    let family = waiter.call(view).map(|call| call.family);
    let certain = matches!(family, Some(Family::Mutex | Family::Condition));
    // A thread that is blocked in something else sleeps on something else.
    if family.is_some() && !certain {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the mutex".into(),
        kind: Kind::Mutex,
        address: futex.addr,
        owner: Some(mutex.owner(view, futex.addr, certain)?),
        timed: waiter.timed(),
    })
}

/// Who holds what is known to be a mutex.
pub(super) fn owner(view: &View<'_>, addr: Addr) -> Option<Owner> {
    Mutex::read(view, addr)?.owner(view, addr, true)
}

/// The words of `struct __pthread_mutex_s`.
struct Mutex {
    lock: u32,
    count: u32,
    owner: u32,
    users: u32,
    kind: u32,
}

impl Mutex {
    fn read(view: &View<'_>, addr: Addr) -> Option<Mutex> {
        let raw = view.process.target.memory.array::<20>(addr).ok()?;
        let mutex = Mutex {
            lock: bytes::u32_at(&raw, 0)?,
            count: bytes::u32_at(&raw, 4)?,
            owner: bytes::u32_at(&raw, 8)?,
            users: bytes::u32_at(&raw, 12)?,
            kind: bytes::u32_at(&raw, 16)?,
        };
        (mutex.kind & !KINDS == 0 && mutex.users <= MOST_USERS).then_some(mutex)
    }

    fn has(&self, bit: u32) -> bool {
        self.kind & bit != 0
    }

    /// Whether the lock word is the owner's LWP id.
    fn names_owner_in_word(&self) -> bool {
        self.has(ROBUST | INHERIT)
    }

    /// Whether this is how glibc sleeps on such a mutex.
    fn is_slept_on(&self, futex: &Futex) -> bool {
        let value = futex.value;
        if futex.private == self.has(SHARED | ROBUST) {
            return false;
        }
        let waits = matches!(futex.command, command::WAIT | command::WAIT_BITSET);
        if self.has(INHERIT) {
            matches!(futex.command, command::LOCK_PI | command::LOCK_PI2)
        } else if self.has(ROBUST) {
            waits && value & WAITERS != 0 && self.lock & WAITERS != 0
        } else if self.has(PROTECT) {
            waits && value & BELOW_CEILING == 2 && self.lock & BELOW_CEILING <= 2
        } else {
            waits && value == 2 && self.lock <= 2
        }
    }

    /// Who holds it. `certain` is whether the thread is in a function of mutexes: locks inside glibc
    /// are bare words, and what follows those may be anything.
    fn owner(&self, view: &View<'_>, addr: Addr, certain: bool) -> Option<Owner> {
        let (locked, tid) = match self.names_owner_in_word() {
            true => (self.lock & TID != 0, self.lock & TID),
            false => (self.lock & BELOW_CEILING != 0, self.owner),
        };
        if !certain && !self.is_plausible() {
            return None;
        }
        if !locked && self.lock & OWNER_DIED != 0 {
            return certain.then(|| {
                Owner::unknown("its owner has ended, and the next waiter is about to get it")
            });
        }
        if !locked {
            return certain.then_some(Owner::Nobody);
        }
        if tid == 0 {
            return certain.then(|| Owner::unknown("its owner is not written down yet"));
        }
        let shared = self.has(SHARED) || in_shared_memory(view, addr);
        named_owner(view, "mutex", tid, certain, shared)
    }

    /// Whether all words agree with each other.
    fn is_plausible(&self) -> bool {
        // Some that are not recursive count, too.
        let counts = match self.kind & TYPE {
            RECURSIVE => self.count >= 1,
            _ => self.count <= 1,
        };
        let word = !self.names_owner_in_word() || self.lock & TID == self.owner;
        self.users >= 1 && counts && word && self.lock != 0
    }
}
