//! Cycles of waiting threads. A thread waits for one thing at a time, and a lock has one owner,
//! so whoever follows owners from a thread walks a path that ends or comes back.

use super::{Deadlock, Locks};
use rustc_hash::FxHashMap;

/// Every cycle once, beginning with its lowest thread.
pub(super) fn cycles(locks: &Locks) -> Vec<Deadlock> {
    let by_thread: FxHashMap<usize, usize> = (locks.waits.iter().enumerate())
        .map(|(at, wait)| (wait.thread, at))
        .collect();
    let next = |at: usize| {
        let wait = locks.waits.get(at)?;
        let owner = locks.all.get(wait.lock)?.owner.thread()?;
        by_thread.get(&owner).copied()
    };
    let mut state = vec![Mark::New; locks.waits.len()];
    let mut found = Vec::new();
    for start in 0..locks.waits.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|&here| state.get(here) == Some(&Mark::New)) {
            if let Some(mark) = state.get_mut(here) {
                *mark = Mark::OnPath;
            }
            path.push(here);
            at = next(here);
        }
        if let Some(again) = at.filter(|&here| state.get(here) == Some(&Mark::OnPath)) {
            let from = path.iter().position(|&here| here == again).unwrap_or(0);
            let mut cycle = path.get(from..).unwrap_or_default().to_vec();
            let thread = |at: &usize| locks.waits.get(*at).map_or(usize::MAX, |wait| wait.thread);
            let lowest = (0..cycle.len()).min_by_key(|at| cycle.get(*at).map(thread));
            cycle.rotate_left(lowest.unwrap_or(0));
            let timed = |at: &usize| locks.waits.get(*at).is_some_and(|wait| wait.timed);
            found.push(Deadlock {
                timed: cycle.iter().any(timed),
                ring: true,
                waits: cycle,
            });
        }
        for here in path {
            if let Some(mark) = state.get_mut(here) {
                *mark = Mark::Done;
            }
        }
    }
    found
}

/// How far a wait was followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Lock, Owner, Wait};
    use super::*;
    use crate::addr::Addr;
    use proptest::prelude::*;

    /// Thread i+1 waits for lock i, which `owners[i]` holds.
    fn world(owners: &[Option<usize>]) -> Locks {
        let mut locks = Locks::default();
        for (index, owner) in owners.iter().enumerate() {
            locks.all.push(Lock {
                address: Addr(index as u64 * 16),
                kind: Kind::Lock,
                name: None,
                locked: Some(true),
                owner: match owner {
                    Some(thread) => Owner::Inferred {
                        thread: *thread,
                        evidence: String::new(),
                        place: None,
                    },
                    None => Owner::Nobody,
                },
                waiters: vec![index + 1],
            });
            locks.waits.push(Wait {
                thread: index + 1,
                lock: index,
                timed: false,
                evidence: String::new(),
                place: None,
                native: None,
            });
        }
        locks
    }

    #[test]
    fn a_thread_may_wait_for_itself_and_rings_are_found_whole() {
        let threads = |owners: &[Option<usize>]| {
            let locks = world(owners);
            let thread = |at: &usize| locks.waits[*at].thread;
            let cycles = cycles(&locks).into_iter();
            cycles
                .map(|cycle| cycle.waits.iter().map(thread).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(threads(&[Some(1)]), [[1]]);
        assert_eq!(threads(&[Some(2), Some(1)]), [[1, 2]]);
        assert_eq!(threads(&[Some(2), Some(3), Some(1), Some(1)]), [[1, 2, 3]]);
        assert_eq!(threads(&[Some(2), None]), [[0; 0]; 0]);
        assert_eq!(threads(&[Some(9)]), [[0; 0]; 0], "its owner does not wait");
    }

    proptest! {
        /// A thread is in a cycle exactly when following the owners comes back to it.
        #[test]
        fn cycles_are_those_of_the_definition(
            owners in proptest::collection::vec(proptest::option::of(1usize..40), 1..40)
        ) {
            let locks = world(&owners);
            let found = cycles(&locks);
            for start in 1..=owners.len() {
                let mut at = start;
                let mut comes_back = false;
                for _ in 0..owners.len() {
                    match owners.get(at - 1).copied().flatten() {
                        Some(next) => at = next,
                        None => break,
                    }
                    if at == start {
                        comes_back = true;
                        break;
                    }
                }
                let cycles = found.iter().filter(|cycle| cycle.waits.contains(&(start - 1)));
                prop_assert_eq!(cycles.count(), usize::from(comes_back), "thread {}", start);
            }
        }
    }
}
