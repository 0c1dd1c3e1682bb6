//! The nodes around one node, for a picture: as far and as many as is asked for.

use super::Csr;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

/// How much of the graph is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most steps from the node.
    pub depth: u32,
    /// The most edges that are followed from each node.
    pub fan_out: usize,
    /// The most nodes in all, the first one among them.
    pub nodes: usize,
}

/// A node of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Neighbour {
    /// The node.
    pub node: u32,
    /// How many steps it is away.
    pub depth: u32,
    /// How many nodes that it has edges to are not in the picture, or not by these edges.
    pub left_out: u32,
}

/// A part of a graph around one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Neighbourhood {
    /// The nodes, nearest first; the one that was asked for is the first.
    pub nodes: Vec<Neighbour>,
    /// The edges between them as they lead in the graph that was given, each pair of nodes once:
    /// places in `nodes`.
    pub edges: Vec<(u32, u32)>,
}

/// Walks breadth-first from a node over the edges (from, to) that count for `follow`. Of a node with
/// too many of them those lead on whose ends have the highest `rank`. When there is no room for all,
/// the nodes of one distance share what is left, so that no node's edges are drawn at the cost of
/// all others'. Over the reversed graph it shows the referrers, the edges then being the other way
/// round. Looks at the whole row of each node of the picture, to say how much of it is left out,
/// and at no other row.
pub fn neighbourhood(
    graph: &Csr,
    node: u32,
    bounds: Bounds,
    follow: impl Fn(u32, u32) -> bool,
    rank: impl Fn(u32) -> u64,
) -> Neighbourhood {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    if node >= graph.nodes() || bounds.nodes == 0 {
        return Neighbourhood { nodes, edges };
    }
    let first = |node, depth| Neighbour {
        node,
        depth,
        left_out: 0,
    };
    nodes.push(first(node, 0));
    let mut places = FxHashMap::from_iter([(node, 0_u32)]);
    let (mut at, mut level) = (0, 0..1);
    while let Some(&Neighbour { node, depth, .. }) = nodes.get(at) {
        if at == level.end {
            level = at..nodes.len();
        }
        let follows = |target: &(u32, usize)| follow(node, target.0);
        let row = graph.targets_of(node).iter().copied().zip(0..);
        let mut ends: Vec<(u32, usize)> = row.filter(follows).collect();
        ends.sort_unstable();
        ends.dedup_by_key(|(target, _)| *target);
        let all = ends.len();
        // What is in the picture already takes no room.
        let by_rank = |(target, position): &(u32, usize)| {
            let is_new = !places.contains_key(target);
            (is_new, Reverse(rank(*target)), *position)
        };
        if all > bounds.fan_out {
            ends.select_nth_unstable_by_key(bounds.fan_out, by_rank);
            ends.truncate(bounds.fan_out);
        }
        let room = match depth < bounds.depth {
            true => bounds.nodes.saturating_sub(nodes.len()),
            false => 0,
        };
        let share = room.div_ceil((level.end - at).max(1));
        ends.sort_unstable_by_key(by_rank);
        let new = ends.partition_point(|(target, _)| places.contains_key(target));
        ends.truncate(new + share.min(room));
        ends.sort_unstable_by_key(|(_, position)| *position);
        for (target, _) in &ends {
            let place = *places.entry(*target).or_insert_with(|| {
                nodes.push(first(*target, depth + 1));
                nodes.len() as u32 - 1
            });
            edges.push((at as u32, place));
        }
        nodes[at].left_out = u32::try_from(all - ends.len()).unwrap_or(u32::MAX);
        at += 1;
    }
    Neighbourhood { nodes, edges }
}
