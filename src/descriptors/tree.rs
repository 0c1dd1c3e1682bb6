//! Which nodes of a tree have many of some marked nodes below them, and where these spread: pure
//! numbers, no knowledge of Python.

use rustc_hash::FxHashMap;

/// The most nodes of the tree that are looked at: chains may be as long as the heap.
const MOST_NODES: usize = 4_000_000;

/// So many nodes of one class that follow each other, each with marked nodes of its own, are a
/// chain that is one thing: a list of nodes, a traceback.
const CHAIN: usize = 4;

/// Stands for no node.
const NONE: u32 = u32::MAX;

/// A node with what is marked below it.
#[derive(Clone, Copy, Debug)]
struct Node {
    id: u32,
    /// Position of the node above, or [`NONE`].
    above: u32,
    depth: u32,
    /// Marked nodes at it and below.
    count: u32,
    /// Of these, those at nodes below that are groups of their own.
    heavy: u32,
}

/// A node that marked nodes spread from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spread {
    /// The node.
    pub(super) id: u32,
    /// Positions of the marked nodes below it that belong to no smaller group.
    pub(super) marked: Vec<usize>,
    /// The nodes above it, the nearest first, that have little else below them.
    pub(super) above: Vec<u32>,
}

/// The nodes that at least `least` of the marked nodes spread from, the one with most first. `above`
/// gives the node above one, `class` says which nodes are alike. A marked node alone is no group.
pub(super) fn spreads(
    marked: &[u32],
    least: usize,
    above: impl Fn(u32) -> Option<u32>,
    class: impl Fn(u32) -> u32,
) -> Vec<Spread> {
    let least = u32::try_from(least.max(2)).unwrap_or(u32::MAX);
    let (mut nodes, places) = grow(marked, above);
    let order = count(&mut nodes);
    // Where each node that has enough below it passes that on.
    let is_heavy = |node: &Node| node.count >= least;
    for at in 0..nodes.len() {
        let (node, up) = (nodes[at], nodes[at].above as usize);
        if is_heavy(&node)
            && let Some(up) = nodes.get_mut(up)
        {
            up.heavy += node.count;
        }
    }
    let is_group = |node: &Node| is_heavy(node) && node.count - node.heavy >= least;
    let heads = chains(&nodes, least, class);
    // The group that each node belongs to; those above come first.
    let mut belongs = vec![NONE; nodes.len()];
    for at in order.into_iter().rev() {
        let node = nodes[at as usize];
        belongs[at as usize] = match heads.get(&at) {
            Some(head) => *head,
            None if is_group(&node) => at,
            None => belongs.get(node.above as usize).copied().unwrap_or(NONE),
        };
    }
    let mut groups: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
    for (position, place) in places.iter().enumerate() {
        // A marked node may hold others, but not itself.
        let above = nodes.get(*place as usize).map_or(NONE, |node| node.above);
        if let Some(&group) = belongs.get(above as usize).filter(|group| **group != NONE) {
            groups.entry(group).or_default().push(position);
        }
    }
    let mut found: Vec<Spread> = groups
        .into_iter()
        .filter(|(_, marked)| marked.len() >= least as usize)
        .filter_map(|(at, marked)| {
            Some(Spread {
                id: nodes.get(at as usize)?.id,
                above: lonely(&nodes, at),
                marked,
            })
        })
        .collect();
    found.sort_by_key(|spread| (std::cmp::Reverse(spread.marked.len()), spread.id));
    found
}

/// The part of the tree above the marked nodes, and where each of them is in it.
fn grow(marked: &[u32], above: impl Fn(u32) -> Option<u32>) -> (Vec<Node>, Vec<u32>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut known: FxHashMap<u32, u32> = FxHashMap::default();
    let mut places = Vec::with_capacity(marked.len());
    for &mark in marked {
        let first = nodes.len();
        let mut next = Some(mark);
        let mut join = NONE;
        while let Some(id) = next.filter(|_| nodes.len() < MOST_NODES) {
            if let Some(&place) = known.get(&id) {
                // A way that meets itself ends.
                join = if place < first as u32 { place } else { NONE };
                break;
            }
            known.insert(id, nodes.len() as u32);
            nodes.push(Node {
                id,
                above: nodes.len() as u32 + 1,
                depth: 0,
                count: 0,
                heavy: 0,
            });
            next = above(id);
        }
        let depth = nodes.get(join as usize).map_or(0, |node| node.depth + 1);
        for (height, node) in (0..).zip(nodes[first..].iter_mut().rev()) {
            node.depth = depth + height;
        }
        if let Some(last) = nodes[first..].last_mut() {
            last.above = join;
        }
        let place = known.get(&mark).copied().unwrap_or(NONE);
        if let Some(node) = nodes.get_mut(place as usize) {
            node.count += 1;
        }
        places.push(place);
    }
    (nodes, places)
}

/// Adds what is marked below each node to those above; the positions, those deepest below first.
fn count(nodes: &mut [Node]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order.sort_unstable_by_key(|at| std::cmp::Reverse(nodes[*at as usize].depth));
    for &at in &order {
        let node = nodes[at as usize];
        if let Some(up) = nodes.get_mut(node.above as usize) {
            up.count += node.count;
        }
    }
    order
}

/// For each node of a chain its first one. In a chain each node has a node of the same class below
/// it, or below the one below, and marked nodes beside that.
fn chains(nodes: &[Node], least: u32, class: impl Fn(u32) -> u32) -> FxHashMap<u32, u32> {
    // The node of the same class right above, or above that one.
    let before = |at: u32| {
        let node = nodes.get(at as usize)?;
        let own = class(node.id);
        let mut up = node.above;
        for _ in 0..2 {
            let other = nodes.get(up as usize)?;
            if class(other.id) == own && other.count > node.count {
                return Some(up);
            }
            up = other.above;
        }
        None
    };
    let mut heads: FxHashMap<u32, u32> = FxHashMap::default();
    for (at, node) in (0..).zip(nodes) {
        if node.count < least || heads.contains_key(&at) {
            continue;
        }
        let mut links = vec![at];
        let mut head = at;
        while let Some(up) = before(head) {
            if let Some(known) = heads.get(&up) {
                head = *known;
                break;
            }
            links.push(up);
            head = up;
        }
        if links.len() >= CHAIN || heads.contains_key(&head) {
            links.into_iter().for_each(|link| {
                heads.insert(link, head);
            });
        }
    }
    heads
}

/// The nodes above one that have hardly more below them.
fn lonely(nodes: &[Node], at: u32) -> Vec<u32> {
    const MOST: usize = 64;
    let Some(own) = nodes.get(at as usize) else {
        return Vec::new();
    };
    let most = own.count.saturating_add(own.count / 10);
    let mut found = Vec::new();
    let mut up = own.above;
    while let Some(node) = nodes.get(up as usize).filter(|node| node.count <= most)
        && found.len() < MOST
    {
        found.push(node.id);
        up = node.above;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree by the node above each.
    fn found(above: &[(u32, u32)], marked: &[u32], least: usize) -> Vec<(u32, usize)> {
        let above: FxHashMap<u32, u32> = above.iter().copied().collect();
        // Nodes from 100 on are alike.
        let class = |id: u32| if id >= 100 { 100 } else { id };
        let all = spreads(marked, least, |id| above.get(&id).copied(), class);
        all.into_iter().map(|s| (s.id, s.marked.len())).collect()
    }

    #[test]
    fn many_below_one_node_are_one_group() {
        // 1 has 2; 2 has 10 to 19; 1 has 20 besides.
        let mut above: Vec<(u32, u32)> = (10..20).map(|id| (id, 2)).collect();
        above.extend([(2, 1), (20, 1)]);
        let marked: Vec<u32> = (10..=20).collect();
        assert_eq!(found(&above, &marked, 4), [(2, 10)]);
        assert_eq!(found(&above, &marked, 11), [(1, 11)]);
        assert_eq!(found(&above, &marked, 12), []);
        assert_eq!(found(&[], &marked, 2), []);
    }

    #[test]
    fn two_groups_side_by_side() {
        let mut above: Vec<(u32, u32)> = (10..15).map(|id| (id, 2)).collect();
        above.extend((20..27).map(|id| (id, 3)));
        above.extend([(2, 1), (3, 1)]);
        let marked: Vec<u32> = (10..15).chain(20..27).collect();
        assert_eq!(found(&above, &marked, 4), [(3, 7), (2, 5)]);
    }

    #[test]
    fn a_chain_is_one_group() {
        // 100 → 101 → … → 119, each with one marked node.
        let mut above: Vec<(u32, u32)> = (101..120).map(|id| (id, id - 1)).collect();
        above.extend((0..20).map(|mark| (10 + mark, 100 + mark)));
        above.push((100, 1));
        let marked: Vec<u32> = (10..30).collect();
        assert_eq!(found(&above, &marked, 5), [(100, 20)]);
    }

    #[test]
    fn circles_end() {
        let above = [(1, 2), (2, 1), (3, 2)];
        assert_eq!(found(&above, &[1, 3], 2), [(2, 2)]);
    }
}
