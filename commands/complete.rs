//! `complete`: what Tab would offer, one line each; for editors and scripts.

use crate::cli::{Class, Needs, Plain, Report, Run, Session, complete};
use serde_json::json;

/// List the completions for the rest of the line as a command.
///
/// Examples:
///     complete info th
///     complete thread apply all py-
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Complete {
    /// The beginning of a command.
    text: Option<String>,
}

impl Run for Complete {
    const NAME: &'static str = "complete";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;
    const EXACT: bool = true;
    const PIPES: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let line = self.text.unwrap_or_default();
        let found = complete::complete(session, &line);
        let before = line.get(..found.start).unwrap_or("");
        let lines: Vec<String> = (found.words.iter())
            .map(|word| format!("{before}{word}"))
            .collect();
        Ok(Box::new(Plain {
            text: lines.join("\n"),
            data: json!({ "completions": lines }),
        }))
    }

    fn nested(tail: &str) -> Option<&str> {
        Some(tail)
    }
}
