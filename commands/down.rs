//! `down`: selects the frame that the selected one called.

use crate::cli::render::number::steps;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;

/// Select and print the frame that this one called.
///
/// COUNT says how many frames down to go (default 1); it stops at the innermost frame.
///
/// Examples:
///     down          the frame called by this one
///     down 3        three frames further in
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Down {
    /// How many frames
    #[arg(value_name = "COUNT")]
    count: Option<String>,
}

impl Run for Down {
    const NAME: &'static str = "down";
    const ALIASES: &'static [&'static str] = &["dow", "do"];
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let count = steps(self.count.as_deref())?;
        let stack = Stack::selected(session)?;
        if stack.len() == 0 {
            bail!("No stack.");
        }
        if count > 0 && session.inferior.frame == 0 {
            bail!("Bottom (innermost) frame selected; you cannot go down.");
        }
        let index = session.inferior.frame.saturating_sub(count);
        Ok(Box::new(Selected::frame(session, &stack, index)))
    }
}
