//! `frame`: shows or selects a frame.

use crate::cli::render::number::number;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;

/// Select and print a stack frame.
///
/// Without a number, prints the selected frame. The numbers are those of "bt".
///
/// Examples:
///     frame         the selected frame
///     frame 7       select frame 7
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Frame {
    /// The number of a frame
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

impl Run for Frame {
    const NAME: &'static str = "frame";
    const ALIASES: &'static [&'static str] = &["f"];
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let stack = Stack::selected(session)?;
        let index = match &self.number {
            Some(text) => number(text)?,
            None => session.inferior.frame,
        };
        if stack.len() == 0 {
            bail!("No stack.");
        }
        if index >= stack.len() {
            bail!("No frame at level {index}.");
        }
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
