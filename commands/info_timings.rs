//! `info timings`: how long opening the target took, by phase.

use crate::cli::{Class, Needs, Out, Report, Run, Session};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Print how long the phases of opening the target took.
///
/// Examples:
///     info timings
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoTimings {}

impl Run for InfoTimings {
    const NAME: &'static str = "info timings";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Nothing;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Timings(session.inferior.timings.clone())))
    }
}

/// Phases and their durations.
struct Timings(Vec<(String, Duration)>);

impl Report for Timings {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.0.is_empty() {
            return out.put(format_args!("Nothing was timed yet.\n"));
        }
        let column = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, duration) in &self.0 {
            out.put(format_args!(
                "{name:column$}  {:>10.3} ms\n",
                duration.as_secs_f64() * 1000.0
            ))?;
        }
        let total: Duration = self.0.iter().map(|(_, duration)| *duration).sum();
        out.put(format_args!(
            "{:column$}  {:>10.3} ms\n",
            "total",
            total.as_secs_f64() * 1000.0
        ))
    }

    fn json(&self) -> Value {
        let phases: Vec<Value> = self
            .0
            .iter()
            .map(|(name, duration)| json!({ "phase": name, "seconds": duration.as_secs_f64() }))
            .collect();
        json!({ "phases": phases })
    }
}
