//! What each thread waits for. Each kind of wait has a file that recognises it; the first one that
//! does, from what is special to what is general, has the answer.

use super::view::{Found, Waiter};
use super::{Known, Locks, Place, View, Wait, position};
use super::{
    buffered, files, gil, import_lock, imports, native, parking, processes, python_lock, queues,
    threading, threads, world,
};
use rustc_hash::FxHashSet;

/// Recognises one kind of wait.
type Recogniser = fn(&View<'_>, &Waiter<'_>) -> Option<Found>;

/// Things made of locks come before the locks they are made of.
#[rustfmt::skip]
const RECOGNISERS: &[Recogniser] = &[
    gil::wait,
    world::wait,
    threads::wait,
    threading::wait,
    queues::wait,
    imports::wait,
    import_lock::wait,
    processes::wait,
    python_lock::wait,
    import_lock::wait_in_function,
    buffered::wait,
    parking::wait,
    native::loader::wait,
    native::malloc::wait,
    native::stdio::wait,
    native::mutex::wait,
    native::rwlock::wait,
    native::condition_variable::wait,
    native::semaphore::wait,
    native::barrier::wait,
    native::join::wait,
    native::once::wait,
    native::guard::wait,
    files::wait,
];

/// Finds what every thread waits for. Returns the positions of those of which the wait itself tells
/// nothing of who could end it.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, known: &mut Known) -> FxHashSet<usize> {
    let (mut open, mut told) = (FxHashSet::default(), FxHashSet::default());
    for thread in view.process.threads() {
        let waiter = Waiter::new(view, thread);
        let found = RECOGNISERS.iter().find_map(|wait| wait(view, &waiter));
        let Some(found) = found else {
            if let Some(futex) = &waiter.futex {
                locks.unknown.push((thread.id, futex.addr));
            }
            continue;
        };
        let at = position(locks, known, found.kind, found.address, Some(true));
        if let Some(lock) = locks.all.get_mut(at) {
            lock.waiters.push(thread.id);
            match found.owner {
                Some(owner) => {
                    lock.owner = owner;
                    told.insert(at);
                }
                None => {
                    open.insert(at);
                }
            }
        }
        locks.waits.push(Wait {
            thread: thread.id,
            lock: at,
            timed: found.timed,
            evidence: found.evidence.into_owned(),
            place: waiter.state.and_then(|state| Place::of_wait(view, state)),
            native: None,
        });
    }
    open.retain(|at| !told.contains(at));
    open
}
