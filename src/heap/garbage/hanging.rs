//! What is freed together with garbage: objects that the collector does not look at, once the last
//! reference to them is gone.

use crate::heap::counts::Counts;
use crate::heap::graph::{Csr, NodeSet};

/// Stands for: of no cycle.
pub(super) const NOBODY: u32 = u32::MAX;

/// Stands for: of several cycles.
pub(super) const SHARED: u32 = u32::MAX - 1;

/// The group that something belongs to which two groups refer to.
pub(super) fn merged(one: u32, other: u32) -> u32 {
    match (one, other) {
        (NOBODY, group) | (group, NOBODY) => group,
        (one, other) if one == other => one,
        _ => SHARED,
    }
}

/// Frees `garbage`, whose groups `groups` tells, and what only it holds: the objects that are freed
/// beside it. They are put into the groups of what held them.
pub(super) fn freed(
    references: &Csr,
    garbage: &NodeSet,
    groups: &mut [u32],
    counts: &Counts,
) -> Vec<u32> {
    // References that are gone, to objects that are no garbage.
    let mut gone = vec![0_u32; references.nodes() as usize];
    let mut freed = Vec::new();
    let mut release = |from: u32, groups: &mut [u32], found: &mut Vec<u32>| {
        let group = groups.get(from as usize).copied().unwrap_or(NOBODY);
        for to in references.targets_of(from) {
            if garbage.contains(*to) {
                continue;
            }
            if let Some(own) = groups.get_mut(*to as usize) {
                *own = merged(*own, group);
            }
            let Some(count) = gone.get_mut(*to as usize) else {
                continue;
            };
            *count = count.saturating_add(1);
            if counts.of(*to) == Some(*count) {
                found.push(*to);
            }
        }
    };
    let mut open = Vec::new();
    for id in garbage.iter() {
        release(id, groups, &mut open);
    }
    while let Some(id) = open.pop() {
        freed.push(id);
        release(id, groups, &mut open);
    }
    freed
}
