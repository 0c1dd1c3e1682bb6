//! Memory that the data of Python objects has: of arrays and byte arrays.

use super::objects::place;
use super::{Facts, Finding, Kind};
use crate::diag::{human, thousands};
use crate::memory::What;

/// How many types are told.
const TYPES: usize = 3;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.large(facts.resident(&[What::Buffers]))?;
    let types = facts.memory.buffers.iter().take(TYPES);
    let mut evidence: Vec<String> = types
        .map(|row| {
            let count = thousands(row.count);
            format!("{count} buffers of {} have {}", row.class, human(row.bytes))
        })
        .collect();
    let suspects = facts.suspects().iter();
    evidence.extend(
        suspects
            .map(|suspect| format!("most are in {}", place(suspect)))
            .take(1),
    );
    let first = facts.memory.buffers.first();
    let next = first.map(|row| format!("retained {}", row.class));
    Some(Finding {
        kind: Kind::Buffers,
        bytes,
        words: format!(
            "large buffers: {} are data of Python objects",
            facts.amount(bytes)
        ),
        evidence,
        next: next.into_iter().collect(),
    })
}
