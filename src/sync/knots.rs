//! Who cannot move in a graph of waits, and the knots of those who wait only for each other. A node is
//! a wait; its edges lead to waits any one of which may end it by ending itself.

/// Which waits can never end. `edges` has for each wait those that may end it, or `None` where
/// something else may.
pub(crate) fn stuck(edges: &[Option<Vec<usize>>]) -> Vec<bool> {
    let mut stuck = vec![true; edges.len()];
    let mut waiting_for = vec![Vec::new(); edges.len()];
    let mut free = Vec::new();
    for (at, edges) in edges.iter().enumerate() {
        match edges {
            None => free.push(at),
            Some(all) => {
                for to in all {
                    if let Some(others) = waiting_for.get_mut(*to) {
                        others.push(at);
                    }
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
    stuck
}

/// The strongly connected components of the nodes that are `stuck` which no edge leaves and in
/// which there is an edge at all. (R. Tarjan, Depth-first search and linear graph algorithms,
/// 1972; with a stack of its own, as chains of threads may be long.)
pub(crate) fn terminal_components(edges: &[Vec<usize>], stuck: &[bool]) -> Vec<Vec<usize>> {
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
