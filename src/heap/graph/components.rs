//! Strongly connected components: groups of nodes that all reach each other, which reference
//! counting alone never frees. Tarjan's algorithm ("Depth-First Search and Linear Graph
//! Algorithms", 1972), without recursion.

use super::watch::PAUSE;
use super::{Csr, Stopped, Watch};

/// The component of each node, `4n` bytes.
#[derive(Clone, Debug)]
pub struct Components {
    component: Vec<u32>,
    count: u32,
}

impl Components {
    /// How many components there are, those of one node among them.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The number of a node's component. A component refers only to itself and to components with
    /// lower numbers.
    pub fn of(&self, node: u32) -> Option<u32> {
        self.component.get(node as usize).copied()
    }

    /// How many nodes each component has: `4n` bytes at most.
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.count as usize];
        for &component in &self.component {
            sizes[component as usize] += 1;
        }
        sizes
    }
}

/// What the search is doing at one node of its path.
struct Open {
    node: u32,
    /// The next edge to look at.
    edge: u32,
    /// The lowest number on the path that was met from here.
    lowest: u32,
    /// Its own number.
    number: u32,
}

/// Finds the components of the nodes that `among` says, over edges between them; the others are
/// components of their own. Takes `8n` bytes, and at most
/// 20 for each node on the path of the search.
pub fn components(
    graph: &Csr,
    among: impl Fn(u32) -> bool,
    watch: &Watch<'_>,
) -> Result<Components, Stopped> {
    const NONE: u32 = u32::MAX;
    let nodes = graph.nodes();
    let mut component = vec![NONE; nodes as usize];
    let mut numbers = vec![0_u32; nodes as usize];
    let (mut count, mut next, mut steps) = (0, 1, 0);
    let mut path: Vec<Open> = Vec::new();
    let mut members: Vec<u32> = Vec::new();
    for start in 0..nodes {
        if component[start as usize] != NONE || numbers[start as usize] != 0 {
            continue;
        }
        let mut found = Some(start);
        loop {
            if let Some(node) = found.take() {
                numbers[node as usize] = next;
                members.push(node);
                path.push(Open {
                    node,
                    edge: graph.starts[node as usize],
                    lowest: next,
                    number: next,
                });
                next += 1;
            }
            let Some(open) = path.last_mut() else {
                break;
            };
            steps += 1;
            if steps % PAUSE == 0 {
                watch.step("finding cycles", u64::from(next), u64::from(nodes))?;
            }
            let end = match among(open.node) {
                true => graph.starts[open.node as usize + 1],
                false => open.edge,
            };
            while open.edge < end {
                let target = graph.targets[open.edge as usize];
                open.edge += 1;
                if component[target as usize] != NONE {
                    continue;
                }
                match numbers[target as usize] {
                    0 if among(target) => {
                        found = Some(target);
                        break;
                    }
                    0 => {}
                    number => open.lowest = open.lowest.min(number),
                }
            }
            if found.is_some() {
                continue;
            }
            let (node, lowest, number) = (open.node, open.lowest, open.number);
            path.pop();
            if let Some(above) = path.last_mut() {
                above.lowest = above.lowest.min(lowest);
            }
            if lowest == number {
                while let Some(member) = members.pop() {
                    component[member as usize] = count;
                    if member == node {
                        break;
                    }
                }
                count += 1;
            }
        }
    }
    Ok(Components { component, count })
}
