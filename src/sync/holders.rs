//! Who holds a lock that does not say so itself: a thread with a frame inside of `with lock:`.
//! The frame's evaluation stack keeps the lock's exit at a depth that code and frame prove (see
//! [`Python::open_withs`](crate::python::Python::open_withs)); a waiter has not come that far.

use super::managers::held_in;
use super::{Known, Locks, Owner, Place, View, position, suspended};
use crate::addr::Addr;
use crate::python::PyFrame;
use rustc_hash::FxHashMap;

/// A thread that a `with` statement shows to hold a lock.
pub(super) struct Claim {
    pub(super) thread: usize,
    /// Where the statement is.
    pub(super) place: Place,
    /// What says so.
    pub(super) evidence: String,
}

/// Adds the locks that `with` statements hold, and gives them their owners.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, known: &mut Known) {
    let mut claims: FxHashMap<usize, Vec<Claim>> = FxHashMap::default();
    for (thread, state) in &view.states {
        let stack = view.python.stack(state);
        for (depth, frame) in stack.frames.iter().enumerate() {
            let inner = stack.frames.get(..depth).unwrap_or_default();
            for held in held_in(view, frame) {
                let lock = held.lock;
                if given_back(view, inner, lock.addr) {
                    continue;
                }
                let at = position(locks, known, lock.kind, lock.addr, Some(true));
                if let (Some(owner), Some(lock)) = (view.rlock_owner(&lock), locks.all.get_mut(at))
                {
                    lock.owner = owner;
                }
                claims.entry(at).or_default().push(Claim {
                    thread: *thread,
                    place: Place {
                        line: held.line.or(frame.position.line),
                        ..Place::of(frame)
                    },
                    evidence: format!(
                        "a frame of the thread is inside of a \"with\" statement of {}",
                        held.of
                    ),
                });
            }
        }
    }
    settle_all(locks, &claims);
    suspended::find(view, locks, &|at| claims.contains_key(&at));
}

/// Gives locks (positions in [`Locks::all`]) the owners that are claimed.
pub(super) fn settle_all(locks: &mut Locks, claims: &FxHashMap<usize, Vec<Claim>>) {
    for (at, claims) in claims {
        if let Some(lock) = locks.all.get_mut(*at) {
            settle(&mut lock.owner, claims);
        }
    }
}

/// Joins what a lock says of its owner with what `with` statements say.
fn settle(owner: &mut Owner, claims: &[Claim]) {
    let Some(first) = claims.first() else {
        return;
    };
    match owner {
        Owner::Known { thread, place, .. } => {
            // The outermost statement took it.
            let own = claims.iter().rev().find(|claim| claim.thread == *thread);
            *place = own.map(|claim| claim.place.clone());
        }
        Owner::Orphaned { .. } => {}
        _ if claims.iter().any(|other| other.thread != first.thread) => {
            *owner = Owner::Unknown {
                why: "several threads are inside of a \"with\" statement of it".into(),
            };
        }
        _ => {
            *owner = Owner::Inferred {
                thread: first.thread,
                evidence: claims.last().unwrap_or(first).evidence.clone(),
                place: claims.last().map(|claim| claim.place.clone()),
            };
        }
    }
}

/// Whether the thread is in the middle of `Condition.wait`, which gives the lock back until the
/// condition is notified.
fn given_back(view: &View<'_>, inner: &[PyFrame], lock: Addr) -> bool {
    inner.iter().any(|frame| {
        // Any file of that name counts: an owner too few is better than a false one.
        const FILES: [&str; 2] = ["/threading.py", "/multiprocessing/synchronize.py"];
        let in_library = FILES.iter().any(|file| frame.file.ends_with(file));
        let waits = &*frame.function == "wait" && in_library;
        let condition = || view.lock_of(view.receiver(frame)?);
        waits && condition().is_some_and(|own| own.addr == lock)
    })
}
