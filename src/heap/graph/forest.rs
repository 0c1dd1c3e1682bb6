//! Shortest ways from the roots to many nodes at once: one breadth-first search from the roots.

use super::watch::PAUSE;
use super::{Csr, NodeSet, Stopped, Watch};

/// Stands for a node that was not met.
const UNMET: u32 = u32::MAX;

/// For each node that was met, the one before it on a shortest way from a root: `4n` bytes.
#[derive(Clone, Debug)]
pub struct Forest {
    /// The node itself for a root.
    before: Vec<u32>,
}

impl Forest {
    /// Searches from the roots until all of `wanted` that can be reached are met. `follow` says of
    /// an edge, from its source to its target, whether it counts.
    pub fn grow(
        graph: &Csr,
        roots: &NodeSet,
        wanted: &NodeSet,
        follow: impl Fn(u32, u32) -> bool,
        watch: &Watch<'_>,
    ) -> Result<Forest, Stopped> {
        let mut before = vec![UNMET; graph.nodes() as usize];
        let mut missing = wanted.len();
        let mut open: Vec<u32> = Vec::new();
        for root in roots.iter() {
            if let Some(place) = before.get_mut(root as usize) {
                *place = root;
                missing -= u64::from(wanted.contains(root));
                open.push(root);
            }
        }
        let mut steps = 0;
        while missing > 0 && !open.is_empty() {
            let mut next = Vec::new();
            for &source in &open {
                steps += 1;
                if steps % PAUSE == 0 {
                    watch.step("searching paths", steps as u64, u64::from(graph.nodes()))?;
                }
                for &target in graph.targets_of(source) {
                    match before.get_mut(target as usize) {
                        Some(place) if *place == UNMET && follow(source, target) => *place = source,
                        _ => continue,
                    }
                    missing -= u64::from(wanted.contains(target));
                    next.push(target);
                }
            }
            open = next;
        }
        Ok(Forest { before })
    }

    /// The nodes on the way from a root to a node, both among them; `None` where there is none.
    pub fn way(&self, node: u32) -> Option<Vec<u32>> {
        let mut nodes = vec![node];
        let mut at = node;
        loop {
            let before = *self.before.get(at as usize)?;
            if before == UNMET {
                return None;
            }
            if before == at {
                nodes.reverse();
                return Some(nodes);
            }
            nodes.push(before);
            at = before;
        }
    }

    /// The node before one on its way; `None` for a root and for what was not met.
    pub fn before(&self, node: u32) -> Option<u32> {
        let before = *self.before.get(node as usize)?;
        (before != UNMET && before != node).then_some(before)
    }

    /// Whether a way to the node was found.
    pub fn reaches(&self, node: u32) -> bool {
        let before = self.before.get(node as usize);
        before.is_some_and(|before| *before != UNMET)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chunk;
    use super::*;
    use crate::diag::Cancel;

    #[test]
    fn ways_are_shortest_and_only_over_edges_that_count() {
        // 0 → 1 → 2 → 3, 0 → 3 (does not count), 4 → 4, 5 alone.
        let rows: [&[u32]; 6] = [&[1, 3], &[2], &[3], &[], &[4], &[]];
        let mut chunk = Chunk::new(0);
        for row in rows {
            row.iter().for_each(|target| chunk.edge(*target));
            chunk.close();
        }
        let graph = Csr::from_chunks(6, vec![chunk]).unwrap();
        let roots = NodeSet::of(6, [0]);
        let wanted = NodeSet::of(6, [3, 4]);
        let cancel = Cancel::default();
        let watch = Watch::quiet(&cancel);
        let grown = |follow: &dyn Fn(u32, u32) -> bool| {
            Forest::grow(&graph, &roots, &wanted, follow, &watch).unwrap()
        };
        let forest = grown(&|_, _| true);
        assert_eq!(forest.way(3), Some(vec![0, 3]));
        let forest = grown(&|from, to| (from, to) != (0, 3));
        assert_eq!(forest.way(3), Some(vec![0, 1, 2, 3]));
        assert_eq!(forest.way(0), Some(vec![0]));
        assert_eq!(
            (forest.way(4), forest.way(5), forest.way(9)),
            (None, None, None)
        );
        assert_eq!((forest.before(0), forest.before(1)), (None, Some(0)));
        assert!(forest.reaches(0) && !forest.reaches(4));
        cancel.cancel();
        assert!(Forest::grow(&graph, &roots, &wanted, |_, _| true, &watch).is_ok());
    }
}
