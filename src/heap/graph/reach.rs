//! What can be reached, and what can be reached only through certain nodes.

use super::watch::PAUSE;
use super::{Csr, NodeSet, Stopped, Watch};

/// Everything that the starts reach, themselves among it. Takes a bit and four bytes for each
/// node at most.
pub fn reachable(
    graph: &Csr,
    starts: impl IntoIterator<Item = u32>,
    watch: &Watch<'_>,
) -> Result<NodeSet, Stopped> {
    reachable_without(graph, starts, &NodeSet::new(0), watch)
}

/// Everything that the starts reach over ways that no node of `without` lies on. What else they
/// reach is what these nodes retain together: more than the sum of what each retains alone, if
/// they share something.
pub fn reachable_without(
    graph: &Csr,
    starts: impl IntoIterator<Item = u32>,
    without: &NodeSet,
    watch: &Watch<'_>,
) -> Result<NodeSet, Stopped> {
    let nodes = graph.nodes();
    let mut met = NodeSet::new(nodes);
    let mut open = Vec::new();
    for start in starts {
        if !without.contains(start) && met.insert(start) {
            open.push(start);
        }
    }
    let mut steps = 0;
    while let Some(node) = open.pop() {
        steps += 1;
        if steps % PAUSE == 0 {
            watch.step("following references", steps as u64, u64::from(nodes))?;
        }
        for &target in graph.targets_of(node) {
            if !without.contains(target) && met.insert(target) {
                open.push(target);
            }
        }
    }
    Ok(met)
}
