//! Locks that processes share (Modules/_multiprocessing/semaphore.c, Lib/multiprocessing/
//! synchronize.py): a semaphore in shared memory, and in each process an object that counts how
//! often that process took it, and which of its threads did so last.

mod all;
mod object;

pub use all::{SharedLock, made_locks, shared_locks};

use super::python_lock::PyLock;
use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::native::NativeThread;
use crate::native::futex::Futex;
use crate::python::doing::library;
use crate::python::{PyFrame, PyThread};
use crate::target::sharing::Sharing;
pub(super) use object::wrappers;
use object::{KIND_RECURSIVE, SemLock};

const CONDITION: &[&str] = &["multiprocessing.synchronize.Condition"];
const EVENT: &[&str] = &["multiprocessing.synchronize.Event"];

/// How many process ids are written down.
const MOST_LISTED: usize = 10;

/// Waits for a lock that processes share, or for what is made of it.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref().filter(|futex| !futex.private)?;
    let mut locks = (waiter.near(view)).filter_map(|value| SemLock::of(view, value));
    let lock = locks.find(|lock| lock.semaphore == futex.addr)?;
    let whole = notified(view, waiter.frames(view), &lock);
    let kind = match whole {
        Some(_) => Kind::ProcessSemaphore,
        None => lock.kind(),
    };
    Some(Found {
        evidence: match whole {
            Some(_) => "it sleeps on the semaphore of a condition of multiprocessing".into(),
            None => "it sleeps on the semaphore that processes share".into(),
        },
        kind,
        address: whole.unwrap_or_else(|| lock.address(view)),
        owner: Some(known_owner(view, &lock)),
        timed: waiter.timed(),
    })
}

/// The lock behind a context manager of multiprocessing, if only one thread can hold it: the lock
/// itself, or the one that a condition is made of. It is locked when this process holds it.
pub(super) fn lock_of(view: &View<'_>, manager: Addr) -> Option<PyLock> {
    let lock = SemLock::of(view, manager).or_else(|| {
        let is_condition = view.is_instance(manager, CONDITION);
        SemLock::of(
            view,
            is_condition.then(|| view.attribute(manager, &["_lock"]))??,
        )
    })?;
    (lock.kind() == Kind::ProcessLock).then(|| PyLock {
        addr: lock.address(view),
        kind: Kind::ProcessLock,
        native: lock.semaphore,
        is_mutex: false,
        locked: lock.count > 0 && lock.value(view).is_none_or(|value| value == 0),
    })
}

/// The condition or event whose notification is awaited by means of a semaphore of its own.
fn notified(view: &View<'_>, frames: &[PyFrame], lock: &SemLock) -> Option<Addr> {
    let receiver = |at: usize, classes| {
        let frame = frames.get(at)?;
        let waits = &*frame.function == "wait" && library(&frame.file) == Some("multiprocessing");
        let receiver = waits.then(|| view.receiver(frame))??;
        view.is_instance(receiver, classes).then_some(receiver)
    };
    let condition = receiver(0, CONDITION)?;
    let semaphore = view.attribute(condition, &["_wait_semaphore"])?;
    if SemLock::of(view, semaphore)?.addr != lock.addr {
        return None;
    }
    Some(receiver(1, EVENT).unwrap_or(condition))
}

/// Who holds a lock, or could release it; many threads may wait for one.
fn known_owner(view: &View<'_>, lock: &SemLock) -> Owner {
    if let Some(known) = view.process_owners.borrow().get(&lock.addr) {
        return known.clone();
    }
    let owner = match lock.kind() {
        Kind::ProcessLock => owner(view, lock),
        _ => releaser(view, lock),
    };
    let mut known = view.process_owners.borrow_mut();
    known.insert(lock.addr, owner.clone());
    owner
}

/// Who holds a lock that only one can hold.
fn owner(view: &View<'_>, lock: &SemLock) -> Owner {
    if lock.value(view).is_some_and(|value| value > 0) {
        return Owner::Nobody;
    }
    if lock.count <= 0 {
        return elsewhere(view, lock);
    }
    let taken = format!("ident {:#x} of this process took it", lock.last_taker);
    if let Some(parent) = copied_from(view, lock) {
        return Owner::unknown(format!(
            "{taken}, or before a fork one of process {parent}, which shares it"
        ));
    }
    let recursive = lock.recursive == KIND_RECURSIVE;
    match view.by_ident(lock.last_taker) {
        Some(thread) if recursive => {
            Owner::known(thread, format!("{taken}, and no other may release it"))
        }
        _ if recursive => match sharers(view, lock) {
            Sharers::Nobody { .. } => Owner::Orphaned {
                evidence: format!("{taken}, which no thread has, and no other may release it"),
            },
            _ => Owner::unknown(format!("{taken}, which no thread has")),
        },
        Some(thread) if lock.count == 1 => Owner::Inferred {
            thread,
            evidence: format!("{taken}, and this process has not released it"),
            place: None,
        },
        None if lock.count == 1 => Owner::unknown(format!("{taken}, which no thread has")),
        _ => Owner::unknown("this process took it more often than it released it"),
    }
}

/// The parent, if what this process counts may be a copy of what the parent counted: after a bare
/// fork; the children that multiprocessing makes begin to count anew.
fn copied_from(view: &View<'_>, lock: &SemLock) -> Option<i32> {
    let objects = &view.python.objects;
    let parent = view.process.target.proc_files()?.parent()?;
    let shares = view.sharing()?.others(lock.semaphore)?.contains(&parent);
    let module = view.python.module("multiprocessing.process")?;
    let current = objects.dict_get(module, "_current_process").ok()??;
    let is_main = view.is_instance(current, &["multiprocessing.process._MainProcess"]);
    (shares && is_main).then_some(parent)
}

/// Who holds a lock that this process does not hold.
fn elsewhere(view: &View<'_>, lock: &SemLock) -> Owner {
    const NOT_HERE: &str = "no thread of this process holds it";
    if let Some(thread) = taking(view, lock) {
        return Owner::unknown(format!("thread {thread} may be about to have it"));
    }
    match sharers(view, lock) {
        Sharers::NotTold(why) => Owner::unknown(format!("{NOT_HERE}, and {why}")),
        Sharers::Others(others) => Owner::unknown(format!(
            "{NOT_HERE}; {others} may hold it, or one that has ended"
        )),
        Sharers::Nobody { unseen: 0 } => Owner::Orphaned {
            evidence: format!("no other living process maps it, and {NOT_HERE}"),
        },
        Sharers::Nobody { unseen } => Owner::Orphaned {
            evidence: format!(
                "no other living process maps it ({unseen} of other sessions may not be looked \
                 at), and {NOT_HERE}"
            ),
        },
    }
}

/// Who could end a wait for a semaphore that anybody may release.
fn releaser(view: &View<'_>, lock: &SemLock) -> Owner {
    if lock.value(view).is_some_and(|value| value > 0) {
        return Owner::Nobody;
    }
    Owner::unknown(match sharers(view, lock) {
        Sharers::NotTold(why) => format!("other processes may release it, and {why}"),
        Sharers::Others(others) => format!("this process or {others} may release it"),
        Sharers::Nobody { .. } => "only this process may release it".into(),
    })
}

/// A thread that works with the lock and does not sleep: it may have the semaphore already and not
/// have counted it yet, because it runs or waits for the GIL.
fn taking(view: &View<'_>, lock: &SemLock) -> Option<usize> {
    let mut states = view.states.iter();
    let takes = states.find(|(thread, state)| {
        let stack = (!sleeps(view, *thread, state)).then(|| view.python.stack(state));
        let frame = stack.as_ref().and_then(|stack| stack.frames.first());
        let is_it = |value| SemLock::of(view, value).is_some_and(|near| near.addr == lock.addr);
        frame.is_some_and(|frame| view.values(frame).into_iter().any(is_it))
    });
    takes.map(|(thread, _)| *thread)
}

/// Whether a thread sleeps in the kernel, and not to be let into the interpreter again: that is a
/// futex which no other process knows.
fn sleeps(view: &View<'_>, thread: usize, state: &PyThread) -> bool {
    let native = view.process.threads().get(thread.wrapping_sub(1));
    let is_private = |native: &NativeThread| Futex::of(native).is_some_and(|futex| futex.private);
    let asleep = native.filter(|native| native.syscall.is_some());
    asleep
        .is_some_and(|native| !is_private(native) || view.python.waits_for_gil(state) != Some(true))
}

/// Which other processes share a lock.
enum Sharers {
    /// None of those that can be expected to.
    Nobody {
        /// How many processes of other sessions may not be looked at.
        unseen: usize,
    },
    /// In words.
    Others(String),
    /// Why that is not known.
    NotTold(String),
}

fn sharers(view: &View<'_>, lock: &SemLock) -> Sharers {
    if view.process.target.proc_files().is_none() {
        return Sharers::NotTold("a core does not tell which other processes share it".into());
    }
    let sharing = view.sharing();
    let Some((sharing, others)) =
        sharing.and_then(|sharing| Some((sharing, sharing.others(lock.semaphore)?)))
    else {
        return Sharers::NotTold("nothing tells which other processes share it".into());
    };
    match (others, sharing.unreadable_kin) {
        ([], 0) => Sharers::Nobody {
            unseen: sharing.unreadable,
        },
        ([], kin) => Sharers::NotTold(format!(
            "{kin} processes that could share it may not be looked at"
        )),
        ([one], _) => Sharers::Others(format!("process {one}")),
        (several, _) => {
            let listed = several.iter().take(MOST_LISTED);
            let mut listed: Vec<String> = listed.map(i32::to_string).collect();
            if several.len() > MOST_LISTED {
                listed.push("others".into());
            }
            Sharers::Others(format!("one of the processes {}", listed.join(", ")))
        }
    }
}

/// What the process shares with others, as it is now or was when pydbg wrote the core; `None` for
/// another core.
pub(super) fn sharing(view: &View<'_>) -> Option<Sharing> {
    Sharing::of(&view.process.target.proc_files()?)
}
