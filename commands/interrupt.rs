//! `interrupt`: holds a live target that runs on.

use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use anyhow::bail;

/// Stop the live process again, and look at it as it is then.
///
/// The process stays stopped until "continue", "detach" or "quit". What commands said before
/// was of an earlier moment, so numbered values are forgotten; the selected thread stays
/// selected if it is there still. In a batch the process is stopped only while it is copied.
///
/// Examples:
///     interrupt
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Interrupt {}

impl Run for Interrupt {
    const NAME: &'static str = "interrupt";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let pid = session.running_pid()?;
        if session.options.no_stop {
            bail!("pydbg was started with --no-stop");
        }
        let live = session.process()?.target.live();
        if live.is_some_and(|live| live.is_stopped()) {
            return Ok(Box::new(Plain::said(format!(
                "Process {pid} is stopped already."
            ))));
        }
        session.inferior.running = false;
        if let Err(error) = session.look_again() {
            session.inferior.running = true;
            return Err(error);
        }
        Ok(Box::new(session.banner()?))
    }
}
