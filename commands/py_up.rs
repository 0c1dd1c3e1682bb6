//! `py-up`: selects the Python caller.

use crate::cli::render::number::steps;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::{Stack, walk};
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;

/// Select and print the Python frame that called this one.
///
/// Goes exactly one Python frame up, or COUNT of them, over any native frames between. When a
/// native frame is selected, the Python frame that led to it counts as the current one.
///
/// Examples:
///     py-up         the Python caller
///     py-up 3       three Python frames further out
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyUp {
    /// How many Python frames
    #[arg(value_name = "COUNT")]
    count: Option<String>,
}

impl Run for PyUp {
    const NAME: &'static str = "py-up";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// The Python frames are numbered in the merged stack.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::NativeStacks
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let count = steps(self.count.as_deref())?;
        session.python()?;
        let stack = Stack::selected(session)?;
        let current = stack.current_python(session.inferior.frame)?;
        let older = stack.python_indices().filter(|index| *index > current);
        let index = walk(current, count, older);
        let index = index.context("Unable to find an older python frame")?;
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
