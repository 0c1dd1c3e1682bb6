//! Who can still move, and the knots of those who cannot. A thread waits for one thing at a time:
//! for a lock, which has one owner, or for something that any one of several threads may do. Both
//! are edges from the waiting thread; a knot is a set of threads that cannot move and whose edges
//! all lead to each other. What waits for a thread of a knot from outside is stuck too, but is not
//! a part of it.

use super::knots::{stuck, terminal_components};
use super::{Deadlock, Locks, Owner, Wait};
use rustc_hash::FxHashMap;

/// The waits of a process as a graph; nodes are positions in [`Locks::waits`].
pub(super) struct Graph<'l> {
    locks: &'l Locks,
    by_thread: FxHashMap<usize, usize>,
    interruptible: Option<usize>,
}

/// What a waiting thread waits for.
enum Edges {
    /// Somebody who is not known or does not wait: it may go on at any time.
    Free,
    /// All of these waits; when one of them ends, so may this one. Of nothing it never ends.
    To(Vec<usize>),
}

impl<'l> Graph<'l> {
    /// The graph of these waits. A thread that is `interruptible` runs signal handlers, which may
    /// do what others wait for.
    pub(super) fn new(locks: &'l Locks, interruptible: Option<usize>) -> Graph<'l> {
        let waits = locks.waits.iter().enumerate();
        Graph {
            locks,
            by_thread: waits.map(|(at, wait)| (wait.thread, at)).collect(),
            interruptible,
        }
    }

    /// Whether a thread waits at all.
    pub(super) fn waits(&self, thread: usize) -> bool {
        self.by_thread.contains_key(&thread)
    }

    /// Whether a waiting thread comes back without anybody's help, for a moment at least. A lock
    /// that it holds stays held then, but it may set an event.
    pub(super) fn wakes_up(&self, wait: &Wait) -> bool {
        wait.timed || self.interruptible == Some(wait.thread)
    }

    fn edges(&self, wait: &Wait) -> Edges {
        let lock = self.locks.all.get(wait.lock);
        match lock.map(|lock| &lock.owner) {
            Some(Owner::Known { thread, .. } | Owner::Inferred { thread, .. }) => {
                match self.by_thread.get(thread) {
                    Some(at) => Edges::To(vec![*at]),
                    None => Edges::Free,
                }
            }
            Some(Owner::AnyOf { threads, .. }) if !self.wakes_up(wait) => {
                let others = threads.iter().filter(|thread| **thread != wait.thread);
                let mut edges = Vec::new();
                for other in others {
                    let at = self.by_thread.get(other).copied();
                    let asleep = |at: &usize| {
                        let other = self.locks.waits.get(*at);
                        other.is_some_and(|other| !self.wakes_up(other))
                    };
                    match at.filter(asleep) {
                        Some(at) => edges.push(at),
                        None => return Edges::Free,
                    }
                }
                edges.sort_unstable();
                edges.dedup();
                Edges::To(edges)
            }
            Some(Owner::Orphaned { .. }) => Edges::To(Vec::new()),
            _ => Edges::Free,
        }
    }

    /// The edges of the waits that cannot end; those of others are empty, and `false`.
    fn stuck(&self) -> (Vec<Vec<usize>>, Vec<bool>) {
        let waits = self.locks.waits.iter();
        let edges = waits.map(|wait| match self.edges(wait) {
            Edges::Free => None,
            Edges::To(all) => Some(all),
        });
        let edges: Vec<Option<Vec<usize>>> = edges.collect();
        let stuck = stuck(&edges);
        (
            edges.into_iter().map(Option::unwrap_or_default).collect(),
            stuck,
        )
    }

    /// Every knot once, in the order of their lowest threads.
    pub(super) fn deadlocks(&self) -> Vec<Deadlock> {
        let (edges, stuck) = self.stuck();
        let mut found: Vec<Deadlock> = terminal_components(&edges, &stuck)
            .into_iter()
            .map(|knot| self.deadlock(knot, &edges))
            .collect();
        found.sort_by_key(|deadlock| deadlock.waits.first().map(|at| self.thread(*at)));
        found
    }

    fn thread(&self, at: usize) -> usize {
        let wait = self.locks.waits.get(at);
        wait.map_or(usize::MAX, |wait| wait.thread)
    }

    fn deadlock(&self, mut knot: Vec<usize>, edges: &[Vec<usize>]) -> Deadlock {
        knot.sort_by_key(|at| self.thread(*at));
        let next = |at: &usize| match edges.get(*at).map(Vec::as_slice) {
            Some([next]) => Some(*next),
            _ => None,
        };
        let ring = knot.iter().all(|at| next(at).is_some());
        if let (true, Some(lowest)) = (ring, knot.first().copied()) {
            let steps = std::iter::successors(Some(lowest), |at| next(at));
            knot = steps.take(knot.len()).collect();
        }
        let timed = |at: &usize| self.locks.waits.get(*at).is_some_and(|wait| wait.timed);
        Deadlock {
            timed: knot.iter().any(timed),
            ring,
            waits: knot,
        }
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
