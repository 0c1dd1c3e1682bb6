//! Shortest paths from the roots to a node, found from the node backwards.

use super::{Csr, NodeSet, Stopped, Watch};
use serde::Serialize;

/// How much a search for paths may look at.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The most paths.
    pub paths: usize,
    /// The most edges looked at for each of them.
    pub edges: u64,
}

/// What a path has in common with those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Apart {
    /// Nothing but the node it leads to: another root, other steps.
    Everywhere,
    /// Some steps; but what refers to the node at the end is another.
    LastStep,
}

/// A way from a root to a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Path {
    /// The nodes from the root to the one that was asked for, both among them.
    pub nodes: Vec<u32>,
    /// How it differs from the paths before it.
    pub apart: Apart,
}

/// The paths that were found, and why there are no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Found {
    /// The paths, shortest first among those with nothing in common, then among the others.
    pub paths: Vec<Path>,
    /// Whether all edges that count were looked at, so that there is no other path of this kind:
    /// without any path no root reaches the node.
    pub complete: bool,
}

/// How one search ended.
enum End {
    /// With the nodes from the root on.
    Found(Vec<u32>),
    /// Nothing is left to look at.
    Nothing,
    /// The budget is used up.
    Budget,
}

/// Finds several shortest paths from the roots to a node, each a breadth-first search back from
/// the node over `reverse` that ends at the first root. `follow` says of an edge, from its source
/// to its target, whether it counts; weak references do not.
///
/// First come paths without a common node, each the shortest one that is left when the nodes of
/// those before are taken away: there may be more of them than are found so, as a short one may
/// stand in the way of two longer ones. Then come shortest paths over other referrers. A root
/// that is asked for is a path of one node, and then the paths from other roots follow.
///
/// Takes a bit for each node and eight bytes for each that is met.
pub fn paths(
    reverse: &Csr,
    node: u32,
    roots: &NodeSet,
    follow: impl Fn(u32, u32) -> bool,
    budget: Budget,
    watch: &Watch<'_>,
) -> Result<Found, Stopped> {
    let mut paths: Vec<Path> = Vec::new();
    let mut complete = true;
    if node >= reverse.nodes() {
        return Ok(Found { paths, complete });
    }
    if roots.contains(node) && budget.paths > 0 {
        paths.push(Path {
            nodes: vec![node],
            apart: Apart::Everywhere,
        });
    }
    for apart in [Apart::Everywhere, Apart::LastStep] {
        while paths.len() < budget.paths {
            let mut closed = NodeSet::new(reverse.nodes());
            closed.insert(node);
            for path in &paths {
                let others = path.nodes.iter().rev().skip(1);
                let taken = match apart {
                    Apart::Everywhere => usize::MAX,
                    Apart::LastStep => 1,
                };
                for &other in others.take(taken) {
                    closed.insert(other);
                }
            }
            match backwards(reverse, node, roots, &follow, closed, budget.edges, watch)? {
                End::Found(nodes) => paths.push(Path { nodes, apart }),
                End::Nothing => break,
                End::Budget => {
                    complete = false;
                    break;
                }
            }
        }
    }
    complete &= paths.len() < budget.paths;
    Ok(Found { paths, complete })
}

/// The shortest path from a root to a node that is no other root and through no node of `closed`.
fn backwards(
    reverse: &Csr,
    node: u32,
    roots: &NodeSet,
    follow: &impl Fn(u32, u32) -> bool,
    mut closed: NodeSet,
    budget: u64,
    watch: &Watch<'_>,
) -> Result<End, Stopped> {
    /// How many edges are looked at before the user may stop it.
    const PAUSE: u64 = 1 << 14;
    // Each node that was met, and where in this list the one is that it refers to.
    let mut met = vec![(node, 0_u32)];
    let mut next = 0;
    let mut edges = 0;
    while let Some(&(target, _)) = met.get(next) {
        for &source in reverse.targets_of(target) {
            edges += 1;
            if edges % PAUSE == 0 {
                watch.step("searching paths", edges, budget)?;
            }
            if edges > budget {
                return Ok(End::Budget);
            }
            if closed.contains(source) || !follow(source, target) {
                continue;
            }
            closed.insert(source);
            met.push((source, next as u32));
            if roots.contains(source) {
                return Ok(End::Found(way(&met)));
            }
        }
        next += 1;
    }
    Ok(End::Nothing)
}

/// The nodes from the last one that was met to the first.
fn way(met: &[(u32, u32)]) -> Vec<u32> {
    let mut nodes = Vec::new();
    let mut at = met.len() - 1;
    while let Some(&(node, next)) = met.get(at) {
        nodes.push(node);
        if at == 0 {
            break;
        }
        at = next as usize;
    }
    nodes
}
