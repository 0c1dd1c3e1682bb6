//! Depth-first numbers of all nodes, first of those that the roots reach, then of the others.
//!
//! Number 0 is a node that refers to all roots and that no object is. Behind the last reachable
//! node comes a second such node, which refers to a part of the unreachable ones.

use super::watch::PAUSE;
use super::{Csr, NodeSet, Stopped, Watch};

/// All nodes in depth-first order: 12 bytes for each node, and 8 more of scratch that the
/// dominators use again. The path of the search itself is kept in these arrays, so that a chain
/// of any length takes nothing more.
pub(super) struct Order {
    /// The number of each node.
    pub(super) number: Vec<u32>,
    /// The node of each number.
    pub(super) node: Vec<u32>,
    /// The number from which each number was found.
    pub(super) parent: Vec<u32>,
    /// How many nodes the roots reach. The number behind is the second node that does not exist.
    pub(super) reachable: u32,
    /// The numbers at which a search started or might have: only the two nodes that do not exist
    /// dominate them.
    pub(super) tops: Vec<u32>,
    /// Room for eight bytes for each number.
    pub(super) scratch: Vec<u64>,
    /// The nodes that have a number: a bit each stays in the cache where the numbers do not.
    met: NodeSet,
    next: u32,
}

impl Order {
    /// Numbers all nodes.
    ///
    /// Of the nodes that no root reaches, one of each group that refers to each other and that
    /// nothing outside of it refers to is taken as a start: the fewest that reach all of them.
    pub(super) fn new(graph: &Csr, roots: &[u32], watch: &Watch<'_>) -> Result<Order, Stopped> {
        let nodes = graph.nodes() as usize;
        let mut order = Order {
            number: vec![0; nodes],
            node: vec![u32::MAX; nodes + 2],
            parent: vec![0; nodes + 2],
            reachable: 0,
            tops: Vec::new(),
            scratch: vec![0; nodes + 2],
            met: NodeSet::new(graph.nodes()),
            next: 1,
        };
        for &root in roots {
            order.walk(graph, root, 0, watch)?;
        }
        order.reachable = order.next - 1;
        let tops = roots
            .iter()
            .filter_map(|root| order.number.get(*root as usize));
        order.tops = tops.copied().collect();
        let above = order.next;
        order.next += 1;
        for start in order.unreachable_starts(graph, watch)? {
            let number = order.next;
            order.walk(graph, start, above, watch)?;
            if order.next > number {
                order.tops.push(number);
            }
        }
        Ok(order)
    }

    /// Numbers what `start` reaches and has no number yet, as found from number `above`.
    fn walk(
        &mut self,
        graph: &Csr,
        start: u32,
        above: u32,
        watch: &Watch<'_>,
    ) -> Result<(), Stopped> {
        if !self.met.insert(start) {
            return Ok(());
        }
        let starts = &graph.starts[..];
        let mut at = self.found(start, above);
        let mut edge = starts[start as usize] as usize;
        let mut end = starts[start as usize + 1] as usize;
        loop {
            let mut inner = None;
            while edge < end {
                let target = graph.targets[edge];
                edge += 1;
                if !self.met.insert(target) {
                    continue;
                }
                let number = self.found(target, at);
                if (number as usize).is_multiple_of(PAUSE) {
                    let total = self.number.len() as u64;
                    watch.step("numbering objects", u64::from(number), total)?;
                }
                let first = starts[target as usize] as usize;
                let last = starts[target as usize + 1] as usize;
                if first < last {
                    inner = Some((number, first, last));
                    break;
                }
            }
            if let Some((number, first, last)) = inner {
                // What is left to do at this number.
                self.scratch[at as usize] = (edge as u64) << 32 | end as u64;
                (at, edge, end) = (number, first, last);
                continue;
            }
            at = self.parent[at as usize];
            if at == above {
                return Ok(());
            }
            let left = self.scratch[at as usize];
            (edge, end) = ((left >> 32) as usize, (left & 0xffff_ffff) as usize);
        }
    }

    /// Gives a node the next number.
    #[inline]
    fn found(&mut self, node: u32, from: u32) -> u32 {
        let number = self.next;
        self.next += 1;
        self.number[node as usize] = number;
        self.node[number as usize] = node;
        self.parent[number as usize] = from;
        number
    }

    /// Nodes without a number, as few as reach all of them.
    ///
    /// Searches start at each node that no search before has met. A node that reaches such a
    /// start was not met before it, else the start would have been met too; so the last start
    /// belongs to a group that nothing else reaches, and so does each one before that no later
    /// one reaches. Walked in this order, the starts that are met on the way are passed over.
    fn unreachable_starts(&self, graph: &Csr, watch: &Watch<'_>) -> Result<Vec<u32>, Stopped> {
        let nodes = graph.nodes();
        if self.reachable == nodes {
            return Ok(Vec::new());
        }
        let mut met = self.met.clone();
        let mut starts = Vec::new();
        let mut open = Vec::new();
        let mut steps = 0;
        for start in 0..nodes {
            if !met.insert(start) {
                continue;
            }
            starts.push(start);
            open.push(start);
            while let Some(node) = open.pop() {
                steps += 1;
                if steps % PAUSE == 0 {
                    watch.go_on()?;
                }
                for &target in graph.targets_of(node) {
                    if met.insert(target) {
                        open.push(target);
                    }
                }
            }
        }
        starts.reverse();
        Ok(starts)
    }
}
