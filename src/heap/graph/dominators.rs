//! Immediate dominators by the semi-NCA algorithm of Georgiadis ("Linear-Time Algorithms for
//! Dominators and Related Problems", 2005): A dominates B when every way from the roots to B leads
//! through A, so that B dies with A.
//!
//! Everything is done in depth-first numbers, in which the arrays are read nearly in order. The
//! only reads all over the memory are those of the referrers' numbers; they are gathered in
//! blocks, by one thread ahead of the one that uses them.

use super::order::Order;
use super::{Csr, NodeSet, Stopped, Watch};
use rayon::prelude::*;
use std::ops::Range;

/// Stands in [`Dominators::raw`] for: only the roots together.
pub(super) const ROOT: u32 = u32::MAX;

/// Stands in [`Dominators::raw`] for: no root reaches it, and nothing alone keeps it.
pub(super) const UNREACHABLE: u32 = u32::MAX - 1;

/// How many numbers are gathered at a time.
const BLOCK: usize = 1 << 15;

/// How many referrers are brought into the cache at a time.
const AHEAD: usize = 256;

/// The nearest thing that every way to a node leads through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parent {
    /// This node: when it dies, the other one does.
    Node(u32),
    /// No node alone: a root, or reached over several ways that share nothing.
    Root,
    /// No root reaches it. It is one of the nodes from which all unreachable ones can be reached,
    /// or is reached from several of them over ways that share nothing.
    Unreachable,
}

/// The immediate dominator of each node, `4n` bytes and a bit for each node.
///
/// Nodes that no root reaches form trees of their own: from each group of them that nothing
/// outside refers to, one node is taken as if it were a root, and hangs under
/// [`Parent::Unreachable`]. References from unreachable nodes do not count for reachable ones.
#[derive(Clone, Debug)]
pub struct Dominators {
    above: Vec<u32>,
    reachable: NodeSet,
}

impl Dominators {
    /// The nearest thing that every way to a node leads through.
    #[inline]
    pub fn parent(&self, node: u32) -> Parent {
        match self.above.get(node as usize) {
            Some(&ROOT) => Parent::Root,
            None | Some(&UNREACHABLE) => Parent::Unreachable,
            Some(&above) => Parent::Node(above),
        }
    }

    /// The dominators of a node, the nearest first.
    pub fn chain(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let next = |node: u32| match self.parent(node) {
            Parent::Node(above) => Some(above),
            Parent::Root | Parent::Unreachable => None,
        };
        std::iter::successors(next(node), move |above| next(*above))
    }

    /// The nodes that the roots reach.
    pub fn reachable(&self) -> &NodeSet {
        &self.reachable
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        self.above.len() as u32
    }

    /// For each node the number of its dominator, `u32::MAX` for [`Parent::Root`], one less for
    /// [`Parent::Unreachable`].
    pub fn raw(&self) -> &[u32] {
        &self.above
    }

    /// The trees the other way round, for printing: `8n` bytes.
    pub fn children(&self) -> Children {
        let nodes = self.above.len();
        let row = |above: u32| match above {
            ROOT => nodes,
            UNREACHABLE => nodes + 1,
            above => above as usize,
        };
        let mut starts = vec![0_u32; nodes + 3];
        for &above in &self.above {
            starts[row(above)] += 1;
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        // Each end becomes the start of its row while the row is filled from the back.
        let mut members = vec![0; nodes];
        for (node, &above) in self.above.iter().enumerate().rev() {
            let end = &mut starts[row(above)];
            *end -= 1;
            members[*end as usize] = node as u32;
        }
        Children { starts, members }
    }
}

/// The nodes directly under each node of the dominator trees.
#[derive(Clone, Debug)]
pub struct Children {
    /// Where the row of each node starts, then those of the two that do not exist, then the end.
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Children {
    /// The nodes whose immediate dominator this is, in ascending order.
    pub fn of(&self, parent: Parent) -> &[u32] {
        let nodes = self.members.len();
        let row = match parent {
            Parent::Node(node) if node as usize >= nodes => return &[],
            Parent::Node(node) => node as usize,
            Parent::Root => nodes,
            Parent::Unreachable => nodes + 1,
        };
        &self.members[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

/// The dominators in depth-first numbers, with what the retained sizes need: `20n` bytes.
pub(super) struct Tree {
    pub(super) number: Vec<u32>,
    pub(super) node: Vec<u32>,
    /// The dominator's number for each number; always a lower one.
    pub(super) above: Vec<u32>,
    pub(super) reachable: u32,
    /// Room for four bytes for each number.
    scratch: Vec<u32>,
    /// Room for eight bytes for each number.
    pub(super) wide_scratch: Vec<u64>,
}

impl Tree {
    /// Finds all dominators. Takes `24n` bytes, those of the order among them, and `4e` for the
    /// edges of the node with the most referrers.
    pub(super) fn new(order: Order, reverse: &Csr, watch: &Watch<'_>) -> Result<Tree, Stopped> {
        let mut semi = vec![u32::MAX; order.parent.len()];
        for &top in &order.tops {
            semi[top as usize] = match top <= order.reachable {
                true => 0,
                false => order.reachable + 1,
            };
        }
        let mut links = Links {
            words: order.scratch,
            path: Vec::new(),
        };
        let gather = Gather {
            number: &order.number,
            node: &order.node,
            parent: &order.parent,
            reachable: order.reachable,
            reverse,
        };
        let last = order.parent.len();
        let mut block = last.saturating_sub(BLOCK).max(1)..last;
        let (mut now, mut next) = (Gathered::default(), Gathered::default());
        gather.block(block.clone(), &mut semi[block.clone()], &mut next);
        while !block.is_empty() {
            std::mem::swap(&mut now, &mut next);
            let ahead = block.start.saturating_sub(BLOCK).max(1)..block.start;
            let (lower, upper) = semi.split_at_mut(block.start);
            let own = &mut upper[..block.len()];
            rayon::join(
                || links.settle(block.clone(), own, &now, &order.parent, order.reachable),
                || gather.block(ahead.clone(), &mut lower[ahead.clone()], &mut next),
            );
            block = ahead;
            watch.step(
                "finding dominators",
                (last - block.start) as u64,
                last as u64,
            )?;
        }
        let mut above = order.parent;
        for number in 1..above.len() {
            let mut candidate = above[number];
            while candidate > semi[number] {
                candidate = above[candidate as usize];
            }
            above[number] = candidate;
        }
        Ok(Tree {
            number: order.number,
            node: order.node,
            above,
            reachable: order.reachable,
            scratch: semi,
            wide_scratch: links.words,
        })
    }

    /// The dominator of each node instead of each number, in the place of the scratch; and the
    /// number of each node.
    pub(super) fn into_dominators(self) -> (Dominators, Vec<u32>) {
        let reached = self.reachable;
        let is_reachable = |node: u32| self.number[node as usize] <= reached;
        let reachable = NodeSet::filled(self.number.len() as u32, is_reachable);
        let mut above = self.scratch;
        above.truncate(self.number.len());
        let of_number = |number: u32| match self.above[number as usize] {
            0 => ROOT,
            above if above == reached + 1 => UNREACHABLE,
            above => self.node[above as usize],
        };
        above
            .par_iter_mut()
            .zip(&self.number)
            .with_min_len(1 << 12)
            .for_each(|(above, number)| *above = of_number(*number));
        let dominators = Dominators { above, reachable };
        (dominators, self.number)
    }
}

/// What the referrers of a block of numbers say about their semidominators.
#[derive(Default)]
struct Gathered {
    /// For each number, where its row of referrers lies.
    rows: Vec<Range<u32>>,
    /// The numbers of the referrers, of which only those with a higher number than the node stay:
    /// their own semidominators count.
    later: Vec<u32>,
    /// For each number, how many of `later` there are up to its last one.
    ends: Vec<u32>,
}

struct Gather<'a> {
    number: &'a [u32],
    node: &'a [u32],
    parent: &'a [u32],
    reachable: u32,
    reverse: &'a Csr,
}

impl Gather<'_> {
    /// Looks at all referrers of a block of numbers. The lowest number goes to `semi`, the higher
    /// ones than that of the node to `gathered`.
    ///
    /// Each pass over the block reads one array in no order and decides nothing, so that the
    /// processor has many reads under way.
    fn block(&self, block: Range<usize>, semi: &mut [u32], gathered: &mut Gathered) {
        let Gathered { rows, later, ends } = gathered;
        rows.clear();
        later.clear();
        ends.clear();
        let starts = &self.reverse.starts;
        for (number, semi) in block.clone().zip(&*semi) {
            // A semidominator that is set already belongs to a root, and no lower one exists.
            let wanted = *semi == u32::MAX && number as u32 != self.reachable + 1;
            let node = if wanted {
                self.node[number] as usize
            } else {
                0
            };
            rows.push(starts[node]..starts[node + usize::from(wanted)]);
        }
        for row in &*rows {
            for &source in &self.reverse.targets[row.start as usize..row.end as usize] {
                later.push(source);
            }
        }
        for source in later.iter_mut() {
            *source = self.number[*source as usize];
        }
        let (mut read, mut kept) = (0, 0);
        for ((number, semi), row) in block.zip(semi).zip(rows) {
            let number = number as u32;
            let mut lowest = self.parent[number as usize].min(*semi);
            // Unreachable referrers do not count for what is reachable.
            let most = match number <= self.reachable {
                true => self.reachable,
                false => u32::MAX,
            };
            for _ in 0..row.len() {
                let source = later[read];
                read += 1;
                lowest = lowest.min(source);
                later[kept] = source;
                kept += usize::from(source > number && source <= most);
            }
            *semi = lowest;
            ends.push(kept as u32);
        }
        later.truncate(kept);
    }
}

/// The forest of the numbers that are done: for each the next one above it that matters in the
/// upper half of a word, and the lowest semidominator up to there in the lower half.
struct Links {
    words: Vec<u64>,
    /// The way up to what is not compressed yet.
    path: Vec<u32>,
}

impl Links {
    /// Finds the semidominators of a block of numbers, the highest first.
    fn settle(
        &mut self,
        block: Range<usize>,
        semi: &mut [u32],
        gathered: &Gathered,
        parent: &[u32],
        reachable: u32,
    ) {
        let mut touched = gathered.later.len();
        for index in (0..block.len()).rev() {
            let number = (block.start + index) as u32;
            let start = match index {
                0 => 0,
                _ => gathered.ends[index - 1] as usize,
            };
            let mut at = gathered.ends[index] as usize;
            let mut lowest = semi[index];
            // Nothing is lower than the node that is above all of its part.
            let least = if number <= reachable {
                0
            } else {
                reachable + 1
            };
            while at > start && lowest > least {
                if at <= touched {
                    touched = at.saturating_sub(AHEAD);
                    self.touch(&gathered.later[touched..at]);
                }
                at -= 1;
                lowest = lowest.min(self.lowest(gathered.later[at], number));
            }
            semi[index] = lowest;
            let above = parent[number as usize];
            self.words[number as usize] = u64::from(above) << 32 | u64::from(lowest);
        }
    }

    /// Reads the words of some numbers, many at a time, so that they are in the cache when they
    /// are wanted one after the other.
    fn touch(&self, some: &[u32]) {
        let words = some.iter().map(|at| self.words[*at as usize]);
        std::hint::black_box(words.fold(0, |sum, word| sum ^ word));
    }

    /// The lowest semidominator on the way from a number up to where the numbers above `done`,
    /// the one that is being settled, end. The way is made short for the next time.
    fn lowest(&mut self, from: u32, done: u32) -> u32 {
        let above = |word: u64| (word >> 32) as u32;
        let mut at = from;
        let mut word = self.words[at as usize];
        if above(word) <= done {
            return word as u32;
        }
        while above(word) > done {
            self.path.push(at);
            at = above(word);
            word = self.words[at as usize];
        }
        let top = word & !0xffff_ffff;
        let mut lowest = word as u32;
        while let Some(at) = self.path.pop() {
            lowest = lowest.min(self.words[at as usize] as u32);
            self.words[at as usize] = top | u64::from(lowest);
        }
        lowest
    }
}
