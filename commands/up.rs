//! `up`: selects the caller of the selected frame.

use crate::cli::render::number::steps;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, bail};

/// Select and print the frame that called this one.
///
/// COUNT says how many frames up to go (default 1); it stops at the outermost frame.
///
/// Examples:
///     up            the caller
///     up 3          three frames further out
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Up {
    /// How many frames
    #[arg(value_name = "COUNT")]
    count: Option<String>,
}

impl Run for Up {
    const NAME: &'static str = "up";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let count = steps(self.count.as_deref())?;
        let stack = Stack::selected(session)?;
        let last = stack.len().checked_sub(1).context("No stack.")?;
        if count > 0 && session.inferior.frame >= last {
            bail!("Initial frame selected; you cannot go up.");
        }
        let index = session.inferior.frame.saturating_add(count).min(last);
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
