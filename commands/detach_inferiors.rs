//! `detach inferiors`: leaves some of several processes.

use crate::cli::render::inferiors::{self, left};
use crate::cli::render::number::inferior_list;
use crate::cli::{Class, Needs, Report, Run, Session, ask};

/// Leave some of several processes, which run on.
///
/// The numbers are those of "info inferiors". Each is taken off that list; when the current one is
/// left, the first of those that remain becomes that.
///
/// Examples:
///     detach inferiors 2
///     detach inferiors 2-4 7
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct DetachInferiors {
    /// The numbers
    #[arg(value_name = "NUMBER", required = true)]
    numbers: Vec<String>,
}

impl Run for DetachInferiors {
    const NAME: &'static str = "detach inferiors";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let words: Vec<&str> = self.numbers.iter().map(String::as_str).collect();
        let numbers = inferior_list(session, &words)?;
        if !ask::may_leave(session) {
            anyhow::bail!("Not confirmed.");
        }
        Ok(Box::new(left(session, &numbers)))
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        inferiors::numbers(session)
    }
}
