//! Python's own locks as they lie in memory (Modules/_threadmodule.c): which native lock each is
//! made of, whether it is locked, and what it says of its owner.

use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::python::layout::Field;

/// A Python lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct PyLock {
    /// The object.
    pub(super) addr: Addr,
    pub(super) kind: Kind,
    /// Where a thread that waits for it sleeps: the semaphore, or the byte of the `PyMutex`.
    pub(super) native: Addr,
    pub(super) locked: bool,
}

impl View<'_> {
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
        let objects = &self.python.objects;
        let mut names = [format!("_RLock__{name}"), format!("_{name}")].into_iter();
        names.find_map(|name| objects.attribute(addr, &name).ok()?)
    }

    /// Who holds an RLock, which it says itself; `None` for other locks.
    pub(super) fn rlock_owner(&self, lock: &PyLock) -> Option<Owner> {
        if lock.kind != Kind::RLock || !lock.locked {
            return None;
        }
        let ident = self.rlock_ident(lock)?;
        Some(match self.by_ident(ident) {
            Some(thread) => Owner::Known {
                thread,
                evidence: format!("the lock names ident {ident:#x} as its owner"),
                place: None,
            },
            None => Owner::Orphaned {
                evidence: format!(
                    "the lock names ident {ident:#x} as its owner, which no thread has"
                ),
            },
        })
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
        self.py_lock(manager).or_else(|| {
            let objects = &self.python.objects;
            let ty = objects.type_of(manager).ok()?;
            if !objects.is_a(&ty, "threading.Condition")
                && !objects.is_a(&ty, "threading._Condition")
            {
                return None;
            }
            self.py_lock(self.condition_lock(manager)?)
        })
    }

    /// The lock that a Condition is made of; its name is mangled in 2.7.
    fn condition_lock(&self, condition: Addr) -> Option<Addr> {
        let objects = &self.python.objects;
        let mut names = ["_lock", "_Condition__lock"].into_iter();
        names.find_map(|name| objects.attribute(condition, name).ok()?)
    }
}
