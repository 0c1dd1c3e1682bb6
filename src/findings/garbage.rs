//! Memory of objects that nothing leads to: the collector has not come to them, or some reference
//! was never given back.

use super::{Facts, Finding, Kind};
use crate::diag::thousands;
use crate::heap::{CollectorState, Garbage, GarbageSummary, reasons};
use crate::memory::{Audit, Verdict, What};

/// How many shapes of cycles, and how many types, are told.
const TOLD: usize = 3;

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(unreached) = facts.large(facts.resident(&[What::Unreached])) else {
        return Vec::new();
    };
    let Ok(garbage) = Garbage::of(facts.heap) else {
        return Vec::new();
    };
    let summary = garbage.summary(TOLD);
    let bytes = summary.bytes.saturating_add(summary.hanging_bytes);
    let collected = facts
        .large(bytes)
        .map(|bytes| collectable(facts, bytes, &summary));
    let rest = facts.large(unreached.saturating_sub(bytes));
    let lost = rest.and_then(|bytes| leaked(facts, bytes));
    collected.into_iter().chain(lost).collect()
}

fn collectable(facts: &Facts<'_>, bytes: u64, summary: &GarbageSummary) -> Finding {
    let cycles = summary.shapes.iter().map(|shape| {
        let types = shape
            .types
            .iter()
            .map(|(name, number)| format!("{number} {name}"));
        let types: Vec<String> = types.collect();
        format!("{} cycles of {}", thousands(shape.cycles), types.join(", "))
    });
    let collectors = CollectorState::all(&facts.heap.python);
    Finding {
        kind: Kind::Garbage,
        bytes,
        words: format!(
            "garbage: {} are {} Python objects that gc.collect() would find, and what hangs on them",
            facts.amount(bytes),
            thousands(summary.objects)
        ),
        evidence: reasons(summary, &collectors)
            .into_iter()
            .chain(cycles)
            .collect(),
        next: vec!["garbage".into(), "info gc".into()],
    }
}

fn leaked(facts: &Facts<'_>, bytes: u64) -> Option<Finding> {
    let audit = Audit::of(facts.heap).ok()?;
    let more = |verdict| matches!(verdict, Verdict::Leaked | Verdict::Unexplained);
    let types = audit.types.iter().filter(|ty| more(ty.verdict)).take(TOLD);
    let evidence = types.map(|ty| {
        let sure = match ty.verdict {
            Verdict::Leaked => "than there are in all of memory",
            _ => "than are known",
        };
        format!(
            "{} {} count more references {sure}",
            thousands(ty.objects),
            ty.name
        )
    });
    Some(Finding {
        kind: Kind::LeakedReferences,
        bytes,
        words: format!(
            "leaked references: {} are Python objects that nothing leads to and that the collector \
             would not find: objects whose count is too high, and what only they hold",
            facts.amount(bytes)
        ),
        evidence: evidence.collect(),
        next: vec!["refcount-audit".into()],
    })
}
