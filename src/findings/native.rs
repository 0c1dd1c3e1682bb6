//! Memory that C code has: blocks of malloc that belong to no Python object.

use super::{Facts, Finding, Kind};
use crate::diag::{human, thousands};
use crate::memory::What;

/// How many sizes are told.
const SIZES: usize = 3;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.large(facts.resident(&[What::Native]))?;
    let malloc = facts.memory.malloc.as_ref();
    let mut classes: Vec<_> = malloc.iter().flat_map(|figures| &figures.classes).collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.used.bytes));
    let size = |from: u64, to: u64| match from == to {
        true => format!("{from} bytes"),
        false => format!("{from} to {to} bytes"),
    };
    let mut evidence: Vec<String> = classes
        .iter()
        .take(SIZES)
        .filter(|class| class.used.bytes >= bytes / 10)
        .map(|class| {
            format!(
                "{} chunks of {} have {}",
                thousands(class.used.count),
                size(class.from, class.to),
                human(class.used.bytes)
            )
        })
        .collect();
    let mapped = malloc.map_or(0, |figures| figures.mapped.bytes);
    if mapped >= bytes / 10 {
        evidence.push(format!(
            "{} are in blocks that malloc mapped one by one",
            human(mapped)
        ));
    }
    Some(Finding {
        kind: Kind::Native,
        bytes,
        words: format!(
            "native memory: {} are in use by blocks of malloc that no Python object has; C code \
             keeps them, or has lost them",
            facts.amount(bytes)
        ),
        evidence,
        next: vec!["info malloc --sizes".into()],
    })
}
