//! What follows from who holds what and who waits for what.

use super::graph::Graph;
use super::main_thread::MainThread;
use super::{Kind, Lock, Locks, Owner, View};
use crate::native::Doing;
use rustc_hash::FxHashSet;
use serde::Serialize;

/// Threads that wait for each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Deadlock {
    /// Positions in [`Locks::waits`]; of a ring in its order, beginning with the lowest thread.
    pub waits: Vec<usize>,
    /// Whether each thread waits for the next one. Else one of them at least waits for something
    /// that several threads could do, all of which are among these.
    pub ring: bool,
    /// Whether one of the waits ends by itself after some time.
    pub timed: bool,
}

/// A wait for something that nobody is left to do.
#[derive(Clone, Debug, Serialize)]
pub struct LostWakeup {
    /// What is waited for: a position in [`Locks::all`].
    pub lock: usize,
    /// Why nobody is left.
    pub evidence: String,
}

/// A lock that is waited for, and whose owner does not wait for a lock.
#[derive(Clone, Debug, Serialize)]
pub struct BusyOwner {
    /// The lock: a position in [`Locks::all`].
    pub lock: usize,
    /// Who holds it (gdb number).
    pub owner: usize,
    /// What the owner does instead of releasing it.
    pub doing: Doing,
}

/// Comes to the verdicts.
pub(super) fn judge(view: &View<'_>, main: &MainThread<'_, '_>, locks: &mut Locks) {
    // It matters only to waits that do not depend on one known owner.
    let open = |lock: &Lock| matches!(lock.owner, Owner::AnyOf { .. } | Owner::Unknown { .. });
    let interruptible = locks.all.iter().any(open);
    let interruptible = interruptible.then(|| main.interruptible()).flatten();
    let graph = Graph::new(locks, interruptible);
    let deadlocks = graph.deadlocks();
    let (mut orphaned, mut lost) = (Vec::new(), Vec::new());
    let mut ends = vec![false; locks.all.len()];
    for wait in locks.waits.iter().filter(|wait| graph.wakes_up(wait)) {
        if let Some(ends) = ends.get_mut(wait.lock) {
            *ends = true;
        }
    }
    for (at, lock) in locks.all.iter().enumerate() {
        if lock.waiters.is_empty() {
            continue;
        }
        match &lock.owner {
            Owner::Orphaned { .. } => orphaned.push(at),
            // One that wakes up may do for the others what they wait for.
            Owner::AnyOf { .. } if ends.get(at) == Some(&true) => {}
            Owner::AnyOf { threads, evidence } if threads.is_empty() => {
                lost.push(LostWakeup {
                    lock: at,
                    evidence: evidence.clone(),
                });
            }
            _ => {}
        }
    }
    let explained = !(deadlocks.is_empty() && orphaned.is_empty() && lost.is_empty());
    if !explained && nobody_moves(view, locks, &graph) {
        for (at, lock) in locks.all.iter_mut().enumerate() {
            if matches!(lock.owner, Owner::Unknown { .. }) && !lock.waiters.is_empty() {
                lock.owner = Owner::Orphaned {
                    evidence: "every thread of the process waits, so nobody can release it".into(),
                };
                orphaned.push(at);
            }
        }
    }
    locks.deadlocks = deadlocks;
    locks.orphaned = orphaned;
    locks.lost = lost;
}

/// The owners of locks with waiters that do not wait themselves, and what each does instead.
pub(super) fn busy(view: &View<'_>, locks: &Locks) -> Vec<BusyOwner> {
    let waiting: FxHashSet<usize> = locks.waits.iter().map(|wait| wait.thread).collect();
    let awaited = |(_, lock): &(usize, &Lock)| !lock.waiters.is_empty();
    let locks = locks.all.iter().enumerate().filter(awaited);
    let owners = locks.filter_map(|(at, lock)| Some((at, lock.owner.thread()?)));
    let busy = owners.filter(|(_, owner)| !waiting.contains(owner));
    busy.map(|(lock, owner)| BusyOwner {
        lock,
        owner,
        doing: (view.python).doing(Some(owner), view.state(owner).map(|state| &**state)),
    })
    .collect()
}

/// Whether every thread of the process waits for another one, if a lock whose owner is not known
/// is held by any of them.
fn nobody_moves(view: &View<'_>, locks: &Locks, graph: &Graph<'_>) -> bool {
    let mut threads = view.process.threads().iter();
    let waits = |wait: &super::Wait| {
        let Some(lock) = locks.all.get(wait.lock) else {
            return false;
        };
        let depends = match &lock.owner {
            Owner::Unknown { .. } => is_of_threads(lock.kind),
            Owner::Nobody | Owner::Process { .. } => false,
            _ => true,
        };
        depends && !graph.wakes_up(wait)
    };
    threads.all(|thread| graph.waits(thread.id)) && locks.waits.iter().all(waits)
}

/// Whether only threads of the same process can end a wait for such a lock, and only by releasing
/// it.
fn is_of_threads(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Lock
            | Kind::RLock
            | Kind::ModuleLock
            | Kind::ImportLock
            | Kind::PyMutex
            | Kind::ObjectLock
            | Kind::BufferedFile
            | Kind::Once
            | Kind::StaticGuard
            | Kind::Stream
            | Kind::Loader
            | Kind::Arena
    )
}
