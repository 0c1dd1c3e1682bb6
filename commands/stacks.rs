//! `stacks`: which stacks there are, over all threads of all processes.

use crate::cli::render::merged::Merged;
use crate::cli::{Class, Needs, Report, Run, Session};

/// Print each stack that some thread of some process has, once and with a count.
///
/// Of every process that is open ("info inferiors") all threads are looked at; those with the same
/// stack (functions, files and lines) are shown together, the most frequent stack first. Where
/// there are several processes, thread 3 of process 2 is called 2.3. Python stacks are shown, as
/// "py-bt" has them, most recent call first; with -n native and Python frames together, as "bt"
/// has them.
///
/// Examples:
///     stacks          the Python stacks
///     stacks 3        by their three innermost frames
///     stacks -n       native and Python frames
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Stacks {
    /// Show native frames too
    #[arg(short, long)]
    native: bool,
    /// How many innermost frames count
    #[arg(value_name = "COUNT")]
    count: Option<usize>,
}

impl Run for Stacks {
    const NAME: &'static str = "stacks";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let command = if self.native { "bt" } else { "py-bt" };
        let line = match self.count {
            Some(count) => format!("{command} {count}"),
            None => command.to_owned(),
        };
        Ok(Box::new(Merged::of(session, &line)?))
    }
}
