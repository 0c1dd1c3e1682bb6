//! Who can still move, and the knots of those who cannot. A thread waits for one thing at a time:
//! for a lock, which has one owner, or for something that any one of several threads may do. Both
//! are edges from the waiting thread; a knot is a set of threads that cannot move and whose edges
//! all lead to each other. What waits for a thread of a knot from outside is stuck too, but is not
//! a part of it.

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
        let waits = &self.locks.waits;
        let mut stuck = vec![true; waits.len()];
        let mut edges = vec![Vec::new(); waits.len()];
        let mut waiting_for = vec![Vec::new(); waits.len()];
        let mut free = Vec::new();
        for (at, wait) in waits.iter().enumerate() {
            match self.edges(wait) {
                Edges::Free => free.push(at),
                Edges::To(all) => {
                    for to in &all {
                        if let Some(others) = waiting_for.get_mut(*to) {
                            others.push(at);
                        }
                    }
                    if let Some(edges) = edges.get_mut(at) {
                        *edges = all;
                    }
                }
            }
        }
        while let Some(at) = free.pop() {
            if let Some(is_stuck) = stuck.get_mut(at).filter(|is_stuck| **is_stuck) {
                *is_stuck = false;
                free.extend(waiting_for.get(at).into_iter().flatten());
            }
        }
        (edges, stuck)
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

/// The strongly connected components of the nodes that are `stuck` which no edge leaves and in
/// which there is an edge at all. (R. Tarjan, Depth-first search and linear graph algorithms,
/// 1972; with a stack of its own, as chains of threads may be long.)
fn terminal_components(edges: &[Vec<usize>], stuck: &[bool]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        seen: vec![0; edges.len()],
        low: vec![0; edges.len()],
        leaves: vec![false; edges.len()],
        open: Vec::new(),
        count: 0,
        found: Vec::new(),
    };
    for (node, is_stuck) in stuck.iter().enumerate() {
        if *is_stuck && search.seen.get(node) == Some(&0) {
            search.from(node);
        }
    }
    search.found
}

struct Search<'e> {
    edges: &'e [Vec<usize>],
    /// When a node was seen, from 1 on; 0 is never.
    seen: Vec<usize>,
    /// The earliest open node that it leads back to; [`DONE`] when its component is complete.
    low: Vec<usize>,
    /// Whether it leads to a component that was complete before.
    leaves: Vec<bool>,
    /// The nodes whose components are not complete.
    open: Vec<usize>,
    count: usize,
    found: Vec<Vec<usize>>,
}

const DONE: usize = usize::MAX;

impl Search<'_> {
    fn from(&mut self, start: usize) {
        let mut path = vec![(start, 0)];
        self.enter(start);
        while let Some((node, edge)) = path.last_mut() {
            let node = *node;
            let next = self.edges.get(node).and_then(|edges| edges.get(*edge));
            *edge += 1;
            match next {
                Some(&to) if self.seen.get(to) == Some(&0) => {
                    self.enter(to);
                    path.push((to, 0));
                }
                Some(&to) => self.back(node, to),
                None => {
                    path.pop();
                    self.close(node);
                    if let Some((before, _)) = path.last() {
                        self.back(*before, node);
                    }
                }
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.count += 1;
        if let (Some(seen), Some(low)) = (self.seen.get_mut(node), self.low.get_mut(node)) {
            (*seen, *low) = (self.count, self.count);
        }
        self.open.push(node);
    }

    /// `node` has an edge to `to`, which was seen before.
    fn back(&mut self, node: usize, to: usize) {
        let reached = self.low.get(to).copied().unwrap_or(DONE);
        match reached {
            DONE => {
                if let Some(leaves) = self.leaves.get_mut(node) {
                    *leaves = true;
                }
            }
            earlier => {
                if let Some(low) = self.low.get_mut(node) {
                    *low = earlier.min(*low);
                }
            }
        }
    }

    /// Everything behind `node` was seen: it may complete a component.
    fn close(&mut self, node: usize) {
        if self.low.get(node) != self.seen.get(node) {
            return;
        }
        let start = self.open.iter().rposition(|open| *open == node);
        let component = self.open.split_off(start.unwrap_or(self.open.len()));
        let leaves = |node: &usize| self.leaves.get(*node) == Some(&true);
        let has_edge = |node: &usize| self.edges.get(*node).is_some_and(|edges| !edges.is_empty());
        let is_knot = component.iter().all(has_edge) && !component.iter().any(leaves);
        for node in &component {
            if let Some(low) = self.low.get_mut(*node) {
                *low = DONE;
            }
        }
        if is_knot {
            self.found.push(component);
        }
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
