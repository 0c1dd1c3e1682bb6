//! Edges in compressed sparse rows: the targets of all nodes one after the other, and where those
//! of each node start.

use super::{MOST_EDGES, MOST_NODES};
use rayon::prelude::*;

/// The edges of a graph, `4n + 4e` bytes. No start and no target is out of range, so that the
/// algorithms need not ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Csr {
    /// One more than there are nodes; each at least the one before.
    pub(super) starts: Vec<u32>,
    pub(super) targets: Vec<u32>,
}

/// What was given is no graph, or one too large for 32-bit numbers.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// More nodes than there are numbers for.
    #[error("{0} nodes are more than the {MOST_NODES} that a graph can have")]
    Nodes(u64),
    /// More edges than there are numbers for.
    #[error("{0} edges are more than the {MOST_EDGES} that a graph can have")]
    Edges(u64),
    /// A node in no chunk, or in two.
    #[error("the edges of node {0} were given twice or not at all")]
    Cover(u32),
    /// An edge that leads out of the graph.
    #[error("an edge leads to node {target} in a graph of {nodes}")]
    Target {
        /// Where it leads.
        target: u32,
        /// How many nodes there are.
        nodes: u32,
    },
}

/// The edges of neighbouring nodes, filled by one thread: `4n + 4e` bytes.
#[derive(Clone, Default, Debug)]
pub struct Chunk {
    first: u32,
    /// For each node, how many targets there are up to its last one.
    ends: Vec<u32>,
    targets: Vec<u32>,
}

impl Chunk {
    /// The edges of the nodes from `first` on; none yet.
    pub fn new(first: u32) -> Chunk {
        Chunk::with_capacity(first, 0, 0)
    }

    /// The same with room for so many nodes and edges.
    pub fn with_capacity(first: u32, nodes: usize, edges: usize) -> Chunk {
        let ends = Vec::with_capacity(nodes);
        let targets = Vec::with_capacity(edges);
        Chunk {
            first,
            ends,
            targets,
        }
    }

    /// Adds an edge from the node that is being filled.
    #[inline]
    pub fn edge(&mut self, target: u32) {
        self.targets.push(target);
    }

    /// Ends the edges of this node; what follows belongs to the next one.
    #[inline]
    pub fn close(&mut self) {
        // Where the count does not fit, there are too many edges and no graph is built.
        self.ends.push(self.targets.len() as u32);
    }

    /// The node that is being filled.
    pub fn node(&self) -> u64 {
        u64::from(self.first) + self.ends.len() as u64
    }

    /// How many edges it has so far.
    pub fn edges(&self) -> usize {
        self.targets.len()
    }
}

impl Csr {
    /// A graph of so many nodes from chunks in any order. Each chunk is given back to the system
    /// as soon as it is copied, on all processors: while it works it takes `4n + 4e` bytes beside
    /// the chunks at most.
    pub fn from_chunks(nodes: u64, mut chunks: Vec<Chunk>) -> Result<Csr, Malformed> {
        let count = u32::try_from(nodes)
            .ok()
            .filter(|count| *count <= MOST_NODES)
            .ok_or(Malformed::Nodes(nodes))?;
        // An edge behind the last `close` belongs to no node.
        for chunk in &mut chunks {
            let closed = chunk.ends.last().copied().unwrap_or(0);
            if chunk.targets.len() <= u32::MAX as usize {
                chunk.targets.truncate(closed as usize);
            }
        }
        let edges: u64 = chunks.iter().map(|c| c.targets.len() as u64).sum();
        if edges > u64::from(MOST_EDGES) {
            return Err(Malformed::Edges(edges));
        }
        chunks.retain(|chunk| !chunk.ends.is_empty());
        chunks.sort_unstable_by_key(|chunk| chunk.first);

        let mut starts = vec![0; count as usize + 1];
        let mut targets = vec![0; edges as usize];
        let (mut ends_left, mut targets_left) = (&mut starts[1..], &mut targets[..]);
        let (mut next, mut base) = (0, 0);
        let mut work = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            if chunk.first != next || chunk.ends.len() > ends_left.len() {
                return Err(Malformed::Cover(next.min(chunk.first)));
            }
            let (ends, rest) = ends_left.split_at_mut(chunk.ends.len());
            ends_left = rest;
            let (own, rest) = targets_left.split_at_mut(chunk.targets.len());
            targets_left = rest;
            next += ends.len() as u32;
            let at = base;
            base += own.len() as u32;
            work.push((chunk, ends, own, at));
        }
        if next != count {
            return Err(Malformed::Cover(next));
        }
        let largest = work
            .into_par_iter()
            .map(|(chunk, ends, own, base)| {
                for (end, local) in ends.iter_mut().zip(&chunk.ends) {
                    *end = base + local;
                }
                own.copy_from_slice(&chunk.targets);
                own.iter().max().copied()
            })
            .max()
            .flatten();
        match largest.filter(|target| *target >= count) {
            Some(target) => Err(Malformed::Target {
                target,
                nodes: count,
            }),
            None => Ok(Csr { starts, targets }),
        }
    }

    /// How many nodes there are.
    #[inline]
    pub fn nodes(&self) -> u32 {
        (self.starts.len() - 1) as u32
    }

    /// How many edges there are, an edge that is there twice counted twice.
    #[inline]
    pub fn edges(&self) -> u32 {
        self.targets.len() as u32
    }

    /// Where the edges of a node lead, in the order they were given; nowhere for what is no node.
    #[inline]
    pub fn targets_of(&self, node: u32) -> &[u32] {
        let at = node as usize;
        match self.starts.get(at..at.saturating_add(2)) {
            Some(&[start, end]) => &self.targets[start as usize..end as usize],
            _ => &[],
        }
    }

    /// The bytes that it takes.
    pub fn bytes(&self) -> u64 {
        4 * (self.starts.len() as u64 + self.targets.len() as u64)
    }
}
