//! Locks that are just being handed over. A process may be stopped between the moment in which one
//! thread lets a lock go and that in which the next one has written down that it has it; the lock
//! then names a thread that cannot be its owner, because it waits for what an owner need not or
//! cannot wait for.

use super::{Kind, Locks, Owner};
use rustc_hash::FxHashMap;

/// Takes back owners that their own waits contradict.
pub(super) fn settle(locks: &mut Locks) {
    let waits: FxHashMap<usize, usize> = (locks.waits.iter())
        .map(|wait| (wait.thread, wait.lock))
        .collect();
    let kinds: Vec<Kind> = locks.all.iter().map(|lock| lock.kind).collect();
    for (at, lock) in locks.all.iter_mut().enumerate() {
        let Some(owner) = lock.owner.thread() else {
            continue;
        };
        let Some(waits_for) = waits.get(&owner) else {
            continue;
        };
        // Whoever holds such a lock gets it again at once, or is refused.
        let itself = *waits_for == at && takes_again(lock.kind);
        // A thread gives the GIL away before it waits for a Python object.
        let without =
            lock.kind == Kind::Gil && kinds.get(*waits_for).is_some_and(|kind| kind.is_object());
        if itself || without {
            lock.owner = Owner::unknown(format!(
                "it is being handed over: it names thread {owner}, which waits as only a thread \
                 does that does not hold it"
            ));
        }
    }
}

/// Whether a thread that holds it never waits for it.
fn takes_again(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Gil
            | Kind::RLock
            | Kind::Thread
            | Kind::ModuleLock
            | Kind::ImportLock
            | Kind::BufferedFile
            | Kind::World
            | Kind::Stream
            | Kind::Loader
            | Kind::NativeThread
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Lock, Wait};
    use super::*;
    use crate::addr::Addr;

    /// Locks of these kinds and owners; thread 1 waits for the one at this position.
    fn owners(all: &[(Kind, usize)], waits_for: usize) -> Vec<Option<usize>> {
        let lock = |(kind, owner): &(Kind, usize)| Lock {
            address: Addr(0x1000),
            kind: *kind,
            name: None,
            locked: Some(true),
            owner: Owner::known(*owner, ""),
            waiters: Vec::new(),
        };
        let mut locks = Locks {
            all: all.iter().map(lock).collect(),
            waits: vec![Wait {
                thread: 1,
                lock: waits_for,
                timed: false,
                evidence: String::new(),
                place: None,
                native: None,
            }],
            ..Locks::default()
        };
        settle(&mut locks);
        locks.all.iter().map(|lock| lock.owner.thread()).collect()
    }

    #[test]
    fn a_thread_does_not_wait_for_what_it_could_take_again() {
        assert_eq!(owners(&[(Kind::RLock, 1)], 0), [None]);
        assert_eq!(owners(&[(Kind::RLock, 2)], 0), [Some(2)]);
        assert_eq!(owners(&[(Kind::Lock, 1)], 0), [Some(1)], "it deadlocks");
        assert_eq!(owners(&[(Kind::Mutex, 1)], 0), [Some(1)], "it deadlocks");
    }

    #[test]
    fn nobody_waits_for_a_python_object_with_the_gil() {
        assert_eq!(
            owners(&[(Kind::Gil, 1), (Kind::Lock, 2)], 1),
            [None, Some(2)]
        );
        let native = [(Kind::Gil, 1), (Kind::Mutex, 2)];
        assert_eq!(owners(&native, 1), [Some(1), Some(2)]);
    }
}
