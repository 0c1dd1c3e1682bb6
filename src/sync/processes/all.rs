//! Every lock that a process shares with others, taken or not, for those who look at several processes
//! at once: each counts only what its own threads did.

use super::object::SemLock;
use super::{copied_from, taking};
use crate::addr::Addr;
use crate::python::Python;
use crate::sync::{View, every};

/// The most locks that are listed.
const MOST_LOCKS: usize = 100_000;

/// A lock that processes share, as one of them knows it.
#[derive(Clone, Debug)]
pub struct SharedLock {
    /// The Python object.
    pub address: Addr,
    /// The `sem_t`, in shared memory.
    pub semaphore: Addr,
    /// Its value, where that can be read: 0 is locked.
    pub value: Option<u32>,
    /// How much more often this process took it than it released it.
    pub count: i32,
    /// The thread (gdb number) that took it last, if it is one of this process.
    pub taker: Option<usize>,
    /// The parent, where the count may be a copy of what the parent counted before a fork.
    pub copied_from: Option<i32>,
    /// A thread (gdb number) that may have taken it a moment ago and not counted it yet.
    pub taking: Option<usize>,
}

/// The locks of multiprocessing that a process has made, or that the process had made which forked it:
/// `multiprocessing.util` remembers them. A process that was started anew, and got its locks sent, does
/// not.
pub fn made_locks(python: &Python) -> Vec<SharedLock> {
    let view = View::new(python);
    let locks = view.wrappers().keys();
    let locks = locks.filter_map(|lock| SemLock::of(&view, *lock));
    locks.map(|lock| SharedLock::of(&view, &lock)).collect()
}

/// Every lock of multiprocessing that lives in a process, for which all of its memory is searched;
/// `None` when that could not be done.
pub fn shared_locks(python: &Python) -> Option<Vec<SharedLock>> {
    let view = View::new(python);
    let Some(module) = python.module("_multiprocessing") else {
        return Some(Vec::new());
    };
    let ty = python.objects.dict_get(module, "SemLock").ok()??;
    let mut found = Vec::new();
    let searched = every::instances(&view, &[ty], |object| {
        found.extend(SemLock::of(&view, object));
        found.len() < MOST_LOCKS
    });
    let found = found.iter().map(|lock| SharedLock::of(&view, lock));
    searched.then(|| found.collect())
}

impl SharedLock {
    fn of(view: &View<'_>, lock: &SemLock) -> SharedLock {
        SharedLock {
            address: lock.address(view),
            semaphore: lock.semaphore,
            value: lock.value(view),
            count: lock.count,
            taker: view.by_ident(lock.last_taker),
            copied_from: copied_from(view, lock),
            taking: taking(view, lock),
        }
    }
}
