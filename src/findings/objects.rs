//! Memory that Python objects have which something keeps: what has gathered, and where.

use super::{Facts, Finding, Kind};
use crate::diag::{human, thousands};
use crate::heap::{Accused, Suspect};
use crate::memory::What;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    facts.large(facts.resident(&[What::Objects]))?;
    let first = facts.suspects().first()?;
    let bytes = facts.large(first.gathered)?;
    Some(Finding {
        kind: Kind::Objects,
        bytes,
        words: format!(
            "Python objects: {} have gathered in {}",
            facts.amount(bytes),
            place(first)
        ),
        evidence: facts.suspects().iter().map(evidence).collect(),
        next: vec!["leaks".into()],
    })
}

/// What a suspect is, and the way there.
pub(super) fn place(suspect: &Suspect) -> String {
    let what = match &suspect.who {
        Accused::Container(container) => {
            let (form, address) = (container.form.words(), container.object.address);
            format!("the {form} at {address}")
        }
        Accused::Object { object } => format!("one {} at {}", object.class, object.address),
        Accused::Chain { object, .. } => {
            format!("a chain of {} from {}", object.class, object.address)
        }
        Accused::Class { name, .. } => format!("the instances of {name}"),
    };
    match &suspect.path {
        Some(path) => format!("{what}, {}", path.chain.text),
        None => what,
    }
}

fn evidence(suspect: &Suspect) -> String {
    let kinds = suspect.kinds.iter().map(|kind| {
        let count = thousands(kind.count);
        format!("{count} {}", kind.kind)
    });
    let kinds: Vec<String> = kinds.collect();
    format!(
        "{} in {}: {}",
        human(suspect.gathered),
        place(suspect),
        kinds.join(", ")
    )
}
