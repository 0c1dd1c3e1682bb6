//! Retained sizes: what would be freed with a node, which is what it dominates.

use super::dominators::{Dominators, Tree};
use super::{Stopped, Watch};
use rayon::prelude::*;

/// The bytes that each node retains, itself among them: `8n` bytes.
#[derive(Clone, Debug)]
pub struct Retained {
    bytes: Vec<u64>,
    reachable: u64,
    unreachable: u64,
}

impl Retained {
    /// Adds up the sizes from the last depth-first number to the first, each to its dominator's,
    /// and gives the tree back by nodes. Takes `32n` bytes, those of the tree among them. A sum
    /// that does not fit stays at the highest number.
    pub(super) fn new(
        mut tree: Tree,
        size: impl Fn(u32) -> u64 + Sync,
        watch: &Watch<'_>,
    ) -> Result<(Dominators, Retained), Stopped> {
        let reachable = tree.reachable as usize;
        let numbers = tree.node.len();
        let mut sums = std::mem::take(&mut tree.wide_scratch);
        sums.par_iter_mut()
            .zip(&tree.node)
            .with_min_len(1 << 12)
            .for_each(|(sum, node)| *sum = if *node == u32::MAX { 0 } else { size(*node) });
        watch.step("adding up sizes", 0, numbers as u64)?;
        for number in (1..numbers).rev() {
            if number == reachable + 1 {
                continue;
            }
            let sum = sums[number];
            let above = &mut sums[tree.above[number] as usize];
            *above = above.saturating_add(sum);
        }
        watch.step("adding up sizes", numbers as u64, numbers as u64)?;
        let of_roots = sums[0];
        let of_others = sums.get(reachable + 1).copied().unwrap_or(0);
        let (dominators, number) = tree.into_dominators();
        let bytes = number
            .into_par_iter()
            .with_min_len(1 << 12)
            .map(|number| sums[number as usize])
            .collect();
        let retained = Retained {
            bytes,
            reachable: of_roots,
            unreachable: of_others,
        };
        Ok((dominators, retained))
    }

    /// What a node retains; nothing for what is no node.
    #[inline]
    pub fn of(&self, node: u32) -> u64 {
        self.bytes.get(node as usize).copied().unwrap_or(0)
    }

    /// The same of all nodes.
    pub fn all(&self) -> &[u64] {
        &self.bytes
    }

    /// The size of everything that the roots reach.
    pub fn reachable(&self) -> u64 {
        self.reachable
    }

    /// The size of everything that they do not.
    pub fn unreachable(&self) -> u64 {
        self.unreachable
    }
}
