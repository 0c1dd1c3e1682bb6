//! What follows from who holds what and who waits for what.

use super::{Locks, Owner, View, graph};
use crate::native::Doing;
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
pub(super) fn judge(view: &View<'_>, locks: &mut Locks) {
    locks.deadlocks = graph::cycles(locks);
    for (at, lock) in locks.all.iter().enumerate() {
        if lock.waiters.is_empty() {
            continue;
        }
        match &lock.owner {
            Owner::Orphaned { .. } => locks.orphaned.push(at),
            Owner::AnyOf { threads, evidence } if threads.is_empty() => {
                locks.lost.push(LostWakeup {
                    lock: at,
                    evidence: evidence.clone(),
                });
            }
            owner => {
                let waits = |thread| locks.waits.iter().any(|wait| wait.thread == thread);
                if let Some(owner) = owner.thread().filter(|owner| !waits(*owner)) {
                    let state = view.state(owner).map(|state| &**state);
                    locks.busy.push(BusyOwner {
                        lock: at,
                        owner,
                        doing: view.python.doing(Some(owner), state),
                    });
                }
            }
        }
    }
}
