//! Who holds a lock that does not say so itself: a thread with a frame inside of `with lock:`.
//! The frame's evaluation stack keeps the lock's exit at a depth that code and frame prove (see
//! [`Python::open_withs`](crate::python::Python::open_withs)); a waiter has not come that far.

use super::{Known, Locks, Owner, Place, View, position};
use crate::addr::Addr;
use crate::python::PyFrame;
use rustc_hash::FxHashMap;

/// Adds the locks that `with` statements hold, and gives them their owners.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, known: &mut Known) {
    let mut claims: FxHashMap<usize, Vec<(usize, Place)>> = FxHashMap::default();
    for (thread, state) in &view.states {
        let stack = view.python.stack(state);
        for (depth, frame) in stack.frames.iter().enumerate() {
            let inner = stack.frames.get(..depth).unwrap_or_default();
            for with in view.python.open_withs(frame).unwrap_or_default() {
                let manager = with.manager;
                if given_back(view, inner, manager) {
                    continue;
                }
                let Some(lock) = view.lock_of(manager) else {
                    continue;
                };
                // Between the exit's release and the end of the block nobody holds it.
                if !lock.locked {
                    continue;
                }
                let at = position(locks, known, lock.kind, lock.addr, Some(true));
                if let (Some(owner), Some(lock)) = (view.rlock_owner(&lock), locks.all.get_mut(at))
                {
                    lock.owner = owner;
                }
                let place = Place {
                    line: with.line.or(frame.position.line),
                    ..Place::of(frame)
                };
                claims.entry(at).or_default().push((*thread, place));
            }
        }
    }
    for (at, claims) in claims {
        if let Some(lock) = locks.all.get_mut(at) {
            settle(&mut lock.owner, &claims);
        }
    }
}

/// Joins what a lock says of its owner with what `with` statements say.
fn settle(owner: &mut Owner, claims: &[(usize, Place)]) {
    let Some((thread, _)) = claims.first() else {
        return;
    };
    match owner {
        Owner::Known { thread, place, .. } => {
            // The outermost statement took it.
            let own = claims.iter().rev().find(|(claimed, _)| claimed == thread);
            *place = own.map(|(_, place)| place.clone());
        }
        Owner::Orphaned { .. } => {}
        _ if claims.iter().any(|(other, _)| other != thread) => {
            *owner = Owner::Unknown {
                why: "several threads are inside of a \"with\" statement of it".into(),
            };
        }
        _ => {
            *owner = Owner::Inferred {
                thread: *thread,
                evidence: "a frame of the thread is inside of a \"with\" statement of it".into(),
                place: claims.last().map(|(_, place)| place.clone()),
            };
        }
    }
}

/// Whether the thread is in the middle of `Condition.wait`, which gives the lock back until the
/// condition is notified.
fn given_back(view: &View<'_>, inner: &[PyFrame], manager: Addr) -> bool {
    inner.iter().any(|frame| {
        // Any file of that name counts: an owner too few is better than a false one.
        const FILES: [&str; 2] = ["/threading.py", "/multiprocessing/synchronize.py"];
        let in_library = FILES.iter().any(|file| frame.file.ends_with(file));
        let waits = &*frame.function == "wait" && in_library;
        waits
            && view.receiver(frame).is_some_and(|condition| {
                condition == manager
                    || view
                        .lock_of(condition)
                        .is_some_and(|lock| lock.addr == manager)
            })
    })
}
