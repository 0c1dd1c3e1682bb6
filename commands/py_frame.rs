//! `py-frame`: shows or selects a Python frame by its place among the Python frames.

use crate::cli::render::number::number;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;

/// Select and print a Python frame by its place in py-bt.
///
/// The innermost Python frame has number 0. Without a number, selects the Python frame that is
/// selected or led to the selected native frame.
///
/// Examples:
///     py-frame      the current Python frame
///     py-frame 0    the innermost Python frame
///     py-frame 2    the third frame of py-bt
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyFrame {
    /// The number of a Python frame, from 0
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

impl Run for PyFrame {
    const NAME: &'static str = "py-frame";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// The Python frames are numbered in the merged stack.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::NativeStacks
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        session.python()?;
        let stack = Stack::selected(session)?;
        let index = match &self.number {
            None => stack.current_python(session.inferior.frame)?,
            Some(text) => {
                let wanted = number(text)?;
                let mut indices = stack.python_indices();
                indices.nth(wanted).with_context(|| {
                    let count = stack.python_indices().count();
                    format!("No Python frame at level {wanted}; this thread has {count}.")
                })?
            }
        };
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
