//! The nodes around one node, for a picture: as far and as many as is asked for.

use super::Csr;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// How much of the graph is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most steps from the node.
    pub depth: u32,
    /// The most edges that are followed from each node, the first ones of its row.
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
    /// How many of its edges are not among those of the picture.
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

/// Walks breadth-first from a node over the edges (from, to) that count for `follow`. Over the
/// reversed graph it shows the referrers, the edges then being the other way round. Looks at the
/// whole row of each node of the picture, to say how much of it is left out, and at no other row.
pub fn neighbourhood(
    graph: &Csr,
    node: u32,
    bounds: Bounds,
    follow: impl Fn(u32, u32) -> bool,
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
    let mut at = 0;
    while let Some(&Neighbour { node, depth, .. }) = nodes.get(at) {
        let mut own: Vec<u32> = Vec::new();
        let mut left_out = 0;
        for &target in graph.targets_of(node) {
            if !follow(node, target) {
                continue;
            }
            let known = places.get(&target).copied();
            if known.is_some_and(|place| own.contains(&place)) {
                continue;
            }
            let room = depth < bounds.depth && nodes.len() < bounds.nodes;
            let place = match known {
                _ if own.len() >= bounds.fan_out => None,
                Some(place) => Some(place),
                None if room => {
                    nodes.push(first(target, depth + 1));
                    places.insert(target, nodes.len() as u32 - 1);
                    Some(nodes.len() as u32 - 1)
                }
                None => None,
            };
            match place {
                Some(place) => own.push(place),
                None => left_out += 1,
            }
        }
        edges.extend(own.into_iter().map(|place| (at as u32, place)));
        nodes[at].left_out = left_out;
        at += 1;
    }
    Neighbourhood { nodes, edges }
}
