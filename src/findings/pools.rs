//! Memory that is free and still not the system's: between the blocks of Python's allocator.

use super::{Facts, Finding, Kind};
use crate::diag::human;
use crate::memory::What;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let parts = [What::PoolHoles, What::EmptyPools];
    let bytes = facts.large(facts.resident(&parts))?;
    let [holes, empty] = parts.map(|part| facts.resident(&[part]));
    Some(Finding {
        kind: Kind::PoolFragmentation,
        bytes,
        words: format!(
            "fragmentation of Python's allocator: {} are free between the blocks of Python objects",
            facts.amount(bytes)
        ),
        evidence: vec![
            format!(
                "{} are free blocks of pools with others in use",
                human(holes)
            ),
            format!(
                "{} are whole free pools, in arenas that have others in use",
                human(empty)
            ),
        ],
        next: vec!["info pymalloc --arenas".into()],
    })
}
