//! Memory that the stacks of threads have.

use super::{Facts, Finding, Kind};
use crate::memory::What;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.large(facts.resident(&[What::ThreadStacks]))?;
    let threads = facts.heap.python.process.threads().len();
    Some(Finding {
        kind: Kind::ThreadStacks,
        bytes,
        words: format!(
            "thread stacks: {} are the stacks of {threads} threads",
            facts.amount(bytes)
        ),
        evidence: Vec::new(),
        next: vec!["info threads".into()],
    })
}
