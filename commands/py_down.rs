//! `py-down`: selects the Python frame called by this one.

use crate::cli::render::number::steps;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::{Stack, walk};
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;

/// Select and print the Python frame that this one called.
///
/// Goes exactly one Python frame down, or COUNT of them, over any native frames between. When a
/// native frame is selected, the Python frame that led to it counts as the current one.
///
/// Examples:
///     py-down       the Python frame called by this one
///     py-down 3     three Python frames further in
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyDown {
    /// How many Python frames
    #[arg(value_name = "COUNT")]
    count: Option<String>,
}

impl Run for PyDown {
    const NAME: &'static str = "py-down";
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
        let newer = stack
            .python_indices()
            .rev()
            .filter(|index| *index < current);
        let index = walk(current, count, newer);
        let index = index.context("Unable to find a newer python frame")?;
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
