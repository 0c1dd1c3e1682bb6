//! A set of nodes as one bit for each node of the graph.

use rayon::prelude::*;

/// A set of nodes: an eighth of a byte for each node of the graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSet {
    words: Vec<u64>,
    nodes: u32,
}

impl NodeSet {
    /// No node of a graph of so many nodes.
    pub fn new(nodes: u32) -> NodeSet {
        let words = vec![0; (nodes as usize).div_ceil(64)];
        NodeSet { words, nodes }
    }

    /// The nodes of a list; what is no node of the graph is left out.
    pub fn of(nodes: u32, members: impl IntoIterator<Item = u32>) -> NodeSet {
        let mut set = NodeSet::new(nodes);
        for member in members {
            set.insert(member);
        }
        set
    }

    /// The nodes that `belongs` says, asked on all processors.
    pub fn filled(nodes: u32, belongs: impl Fn(u32) -> bool + Sync) -> NodeSet {
        let word = |index: usize| {
            let first = (index * 64) as u32;
            let last = nodes.min(first.saturating_add(64));
            (first..last).fold(0, |word, node| {
                word | u64::from(belongs(node)) << (node - first)
            })
        };
        let count = (nodes as usize).div_ceil(64);
        let words = (0..count).into_par_iter().map(word).collect();
        NodeSet { words, nodes }
    }

    /// Whether a node is in the set.
    #[inline]
    pub fn contains(&self, node: u32) -> bool {
        let word = self.words.get(node as usize / 64).copied().unwrap_or(0);
        word >> (node % 64) & 1 == 1
    }

    /// Puts a node into the set; whether it is a node of the graph and was not in it before.
    #[inline]
    pub fn insert(&mut self, node: u32) -> bool {
        if node >= self.nodes {
            return false;
        }
        let word = &mut self.words[node as usize / 64];
        let bit = 1 << (node % 64);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    /// How many nodes are in the set.
    pub fn len(&self) -> u64 {
        let ones = |word: &u64| u64::from(word.count_ones());
        self.words.par_iter().with_min_len(1 << 12).map(ones).sum()
    }

    /// Whether no node is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The nodes of the graph: in the set or not.
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// The members, in their order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let first = (index * 64) as u32;
            let rest = |left: &u64| Some(left & left.wrapping_sub(1));
            std::iter::successors(Some(word), rest)
                .take_while(|left| *left != 0)
                .map(move |left| first + left.trailing_zeros())
        })
    }
}
