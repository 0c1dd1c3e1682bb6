//! Why garbage is still there: what keeps the collector from running, or from freeing it.

use super::GarbageSummary;
use crate::heap::{CollectorState, SAVE_ALL};

/// Generations that have thresholds.
const GENERATIONS: usize = 3;

/// A full collection waits until this part of the objects that the last one left is new.
const LONG_LIVED_PART: i64 = 4;

/// Why garbage is still there, in sentences without the full stop.
pub fn reasons(summary: &GarbageSummary, collectors: &[CollectorState]) -> Vec<String> {
    let mut all = Vec::new();
    for collector in collectors {
        let of = match collectors.len() {
            1 => String::new(),
            _ => format!(" in interpreter {}", collector.interpreter),
        };
        if collector.collecting == Some(true) {
            let by = match collector.thread {
                Some(thread) => format!(" by thread {thread}"),
                None => String::new(),
            };
            all.push(format!("a collection is running{by}{of}"));
        }
        if summary.objects > 0 {
            waiting(summary, collector, &of, &mut all);
        }
        if let Some(count @ 1..) = collector.garbage {
            let saves = collector.debug.as_ref();
            let why = match saves.is_some_and(|flags| flags.contains(&SAVE_ALL)) {
                true => ", where DEBUG_SAVEALL puts all that is found",
                false => "",
            };
            all.push(format!("gc.garbage{of} keeps {count} objects alive{why}"));
        }
    }
    if summary.uncollectable > 0 {
        all.push(format!(
            "{} objects have a __del__ or hang on one that has; no collection frees them, they go to \
             gc.garbage",
            summary.uncollectable
        ));
    }
    if summary.frozen > 0 {
        all.push(format!(
            "{} more objects are garbage, but frozen by gc.freeze() or held by what is frozen",
            summary.frozen
        ));
    }
    all
}

/// Why no collection has begun.
fn waiting(summary: &GarbageSummary, collector: &CollectorState, of: &str, all: &mut Vec<String>) {
    if collector.enabled == Some(false) {
        all.push(format!("the collector is disabled{of}: gc.disable()"));
        return;
    }
    let first = collector.generations.first();
    if first.and_then(|generation| generation.threshold) == Some(0) {
        all.push(format!(
            "no collection begins by itself{of}: the threshold is 0"
        ));
        return;
    }
    let lists = summary.lists.iter();
    for list in lists.filter(|list| list.interpreter == collector.interpreter) {
        let mut generations = collector.generations.iter().take(GENERATIONS);
        let at = generations
            .position(|generation| generation.name == list.name)
            .unwrap_or(0);
        let Some(generation) = collector.generations.get(at) else {
            continue;
        };
        let (Some(count), Some(threshold)) = (generation.count, generation.threshold) else {
            continue;
        };
        let mut text = format!(
            "{} objects in {}{of} wait for its count, now {count}, to exceed {threshold}",
            list.objects, list.name
        );
        let long_lived = collector.long_lived_pending.zip(collector.long_lived_total);
        if let Some((pending, total)) = long_lived.filter(|_| at + 1 == GENERATIONS) {
            text.push_str(&format!(
                ", and for a quarter of the {total} objects that the last full collection left to be \
                 new: {pending} of {} are",
                total / LONG_LIVED_PART
            ));
        }
        all.push(text);
    }
}
