//! `quit`: leaves pydbg.

use crate::cli::{Class, Needs, Plain, Report, Run, Session, ask};

/// Leave pydbg; a live process runs on.
///
/// The end of the input (Ctrl-D) does the same.
///
/// Examples:
///     quit
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Quit {}

impl Run for Quit {
    const NAME: &'static str = "quit";
    const ALIASES: &'static [&'static str] = &["exit", "q"];
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if !ask::may_leave(session) {
            anyhow::bail!("Not confirmed.");
        }
        session.quit = true;
        session.close_all();
        Ok(Box::new(Plain::silent()))
    }
}
