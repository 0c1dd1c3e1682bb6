//! `info gc`: the state of the garbage collector.

use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::diag::Note;
use pydbg::heap::{CollectorState, GenerationState};
use serde_json::{Value, json};
use std::io;

/// Show the garbage collector: thresholds, counts, what it has done and does now.
///
/// A generation is collected when its count exceeds the threshold: that of the youngest counts objects,
/// the others count collections of the one before. The number of objects is that of its list; what
/// gc.freeze() has put aside is in a list of its own, called permanent.
///
/// Examples:
///     info gc
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoGc {}

impl Run for InfoGc {
    const NAME: &'static str = "info gc";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Collectors(CollectorState::all(session.python()?))))
    }
}

/// The collectors of all interpreters.
struct Collectors(Vec<CollectorState>);

/// `-` for what is not known.
fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn generation(out: &mut Out<'_>, row: &GenerationState) -> io::Result<()> {
    let seen = |part: fn(pydbg::heap::Statistics) -> i64| or_dash(row.statistics.map(part));
    out.put(format_args!(
        "  {:<15} {:>9} {:>9} {:>10} {:>11} {:>11} {:>13}\n",
        row.name,
        or_dash(row.threshold),
        or_dash(row.count),
        or_dash(row.objects),
        seen(|seen| seen.collections),
        seen(|seen| seen.collected),
        seen(|seen| seen.uncollectable)
    ))
}

impl Report for Collectors {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for collector in &self.0 {
            let enabled = match collector.enabled {
                Some(true) => "enabled",
                Some(false) => "disabled",
                None => "not known whether enabled",
            };
            let debug = match collector.debug.as_deref() {
                None => ", flags not known".to_owned(),
                Some([]) => String::new(),
                Some(flags) => format!(", {}", flags.join(" | ")),
            };
            out.put(format_args!(
                "Collector of interpreter {}: {enabled}{debug}\n",
                collector.interpreter
            ))?;
            match (collector.collecting, collector.thread) {
                (Some(true), Some(thread)) => {
                    out.put(format_args!(
                        "  A collection is running in thread {thread}.\n"
                    ))?;
                }
                (Some(true), None) => out.put(format_args!("  A collection is running.\n"))?,
                _ => {}
            }
            out.put(format_args!(
                "  {:<15} {:>9} {:>9} {:>10} {:>11} {:>11} {:>13}\n",
                "", "Threshold", "Count", "Objects", "Collections", "Collected", "Uncollectable"
            ))?;
            for row in &collector.generations {
                generation(out, row)?;
            }
            if let (Some(total), Some(pending)) =
                (collector.long_lived_total, collector.long_lived_pending)
            {
                out.put(format_args!(
                    "  {total} objects were left by the last full collection, {pending} have become \
                     old since\n"
                ))?;
            }
            out.put(format_args!(
                "  gc.garbage: {}, gc.callbacks: {}\n",
                or_dash(collector.garbage),
                or_dash(collector.callbacks)
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "collectors": self.0 })
    }

    fn notes(&self) -> Vec<Note> {
        let lists = self.0.iter().flat_map(|collector| &collector.generations);
        let problems = lists.filter_map(|list| Some((&list.name, list.problem.as_ref()?)));
        let note = |(name, problem)| {
            Note::partial(format!(
                "the collector's list is damaged: {name}: {problem}"
            ))
        };
        problems.map(note).collect()
    }
}
