//! Python's own locks as they lie in memory (Modules/_threadmodule.c): which native lock each is
//! made of, whether it is locked, what it says of its owner, and which one a thread waits for.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View, processes};
use crate::addr::Addr;
use crate::python::PyFrame;
use crate::python::layout::Field;

/// How many local variables and values of a frame are looked at.
const MOST_VALUES: usize = 10_000;

/// The class of conditions; in 2.7 `threading.Condition` is a function.
pub(super) const CONDITION: &[&str] = &["threading.Condition", "threading._Condition"];

/// A Python lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct PyLock {
    /// The object.
    pub(super) addr: Addr,
    pub(super) kind: Kind,
    /// Where a thread that waits for it sleeps: the semaphore, or the byte of the `PyMutex`.
    pub(super) native: Addr,
    /// Whether that is a `PyMutex`.
    pub(super) is_mutex: bool,
    pub(super) locked: bool,
}

/// Waits for a `Lock` or an `RLock` itself.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let (lock, evidence) = waiter.lock(view)?;
    Some(Found {
        evidence: evidence.into(),
        kind: lock.kind,
        address: lock.addr,
        owner: view.rlock_owner(&lock),
        timed: waiter.timed(),
    })
}

/// The Python lock that a thread sleeps on, and what says so.
pub(super) fn find(view: &View<'_>, waiter: &Waiter<'_>) -> Option<(PyLock, &'static str)> {
    let native = waiter.native(view)?;
    let mut locks = waiter.near(view).filter_map(|value| view.py_lock(value));
    let lock = locks.find(|lock| lock.native == native.addr)?;
    let evidence = match native.parked {
        false => "it sleeps on the lock's semaphore",
        true => "its entry in the parking lot names the lock",
    };
    Some((lock, evidence))
}

impl Waiter<'_> {
    /// What it may have got the lock from that it waits for: what the innermost frames work with,
    /// of which one handed the lock to C code.
    pub(super) fn near(&self, view: &View<'_>) -> impl Iterator<Item = Addr> {
        /// How many Python frames are looked into.
        const FRAMES: usize = 2;
        let frames = || self.frames(view).iter().take(FRAMES);
        // A lock made in Python of another one is what its own method works on.
        let receivers = frames().filter_map(|frame| view.receiver(frame));
        receivers.chain(frames().flat_map(|frame| view.values(frame)))
    }
}

impl View<'_> {
    /// What a frame works with: local variables, values on its evaluation stack, and what bound
    /// methods among them are bound to. Stale ones are among them.
    pub(super) fn values(&self, frame: &PyFrame) -> Vec<Addr> {
        let variables = self.python.variables(frame);
        let mut values: Vec<Addr> = variables.all.iter().filter_map(|v| v.value).collect();
        values.extend(self.python.evaluation_slots(frame).unwrap_or_default());
        values.truncate(MOST_VALUES);
        let receiver = |value: &Addr| self.python.objects.bound_to(*value);
        let receivers: Vec<Addr> = values.iter().filter_map(receiver).collect();
        values.extend(receivers);
        values
    }

    /// The object at `addr` as a lock, if it is one.
    pub(super) fn py_lock(&self, addr: Addr) -> Option<PyLock> {
        let objects = &self.python.objects;
        let ty = objects.type_of(addr).ok()?;
        if ty.is_heap() && &*objects.full_name(&ty) == "threading._RLock" {
            return self.python_rlock(addr);
        }
        let fields = &self.python.layout.fields;
        let (kind, lock, mutex) = match ty.name.as_deref()? {
            "_thread.lock" | "thread.lock" => (Kind::Lock, fields.lock.lock, fields.lock.mutex),
            "_thread.RLock" => {
                let rlock = fields.rlock?;
                (Kind::RLock, rlock.lock, rlock.mutex)
            }
            _ => return None,
        };
        let memory = &objects.memory;
        let (native, locked) = match (lock, mutex) {
            // The low half of a semaphore is its value; 0 is locked.
            (Some(lock), _) => {
                let semaphore = memory.ptr(lock.of(addr)).ok()?;
                (semaphore, memory.u32(semaphore).ok()? == 0)
            }
            (None, Some(mutex)) => (mutex.of(addr), memory.u8(mutex.of(addr)).ok()? & 1 == 1),
            (None, None) => return None,
        };
        Some(PyLock {
            addr,
            kind,
            native,
            is_mutex: lock.is_none(),
            locked,
        })
    }

    /// An RLock written in Python, as 2.7 has it (Lib/threading.py).
    fn python_rlock(&self, addr: Addr) -> Option<PyLock> {
        let inner = self.private(addr, "block")?;
        let lock = self.py_lock(inner)?;
        Some(PyLock {
            addr,
            kind: Kind::RLock,
            ..lock
        })
    }

    /// An attribute of a `threading._RLock`, whose name is mangled in 2.7.
    fn private(&self, addr: Addr, name: &str) -> Option<Addr> {
        self.attribute(addr, &[&format!("_RLock__{name}"), &format!("_{name}")])
    }

    /// Who holds an RLock, which it says itself; `None` for other locks.
    pub(super) fn rlock_owner(&self, lock: &PyLock) -> Option<Owner> {
        if lock.kind != Kind::RLock || !lock.locked {
            return None;
        }
        let ident = self.rlock_ident(lock)?;
        let says = format!("the lock names ident {ident:#x} as its owner");
        Some(self.owner_named(ident, says))
    }

    /// The ident that a locked RLock names.
    fn rlock_ident(&self, lock: &PyLock) -> Option<u64> {
        let objects = &self.python.objects;
        if objects.type_of(lock.addr).ok()?.is_heap() && self.private(lock.addr, "block").is_some()
        {
            let owner = self.private(lock.addr, "owner")?;
            return u64::try_from(objects.int(owner).ok()?).ok();
        }
        let fields = self.python.layout.fields.rlock?;
        let word = |field: Field| self.python.objects.memory.u64(field.of(lock.addr)).ok();
        // Where there is no PyMutex, the owner counts only as long as the lock is taken.
        if fields.mutex.is_none() && word(fields.count)? == 0 {
            return None;
        }
        word(fields.owner)
    }

    /// The lock behind a context manager: itself, or the one that a Condition is made of.
    pub(super) fn lock_of(&self, manager: Addr) -> Option<PyLock> {
        let of_condition = || {
            if !self.is_instance(manager, CONDITION) {
                return None;
            }
            // Its name is mangled in 2.7.
            self.py_lock(self.attribute(manager, &["_lock", "_Condition__lock"])?)
        };
        let lock = self.py_lock(manager).or_else(of_condition);
        lock.or_else(|| processes::lock_of(self, manager))
    }
}
