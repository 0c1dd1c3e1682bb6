//! `ps`: the Python processes of the machine and what keeps each.

use crate::cli::render::processes::Processes;
use crate::cli::{Class, Needs, Report, Run, Session};

/// List the Python processes of this machine and what keeps each.
///
/// Children stand below their parents. Python is found by the executable or by a library that is
/// mapped, and each process is looked at for at most two seconds while it runs on: none is
/// stopped. The verdict says in a word or two what hangs a process ("deadlock", "orphaned lock",
/// "lost wakeup"), or else what its main thread does, or the thread that this one waits for:
/// "waits for child 123", "in read()", "idle", "running". A process that may not be read is
/// "unknown", and the reason stands below. With a PID, only that process and its descendants.
///
/// Examples:
///     ps          every Python process
///     ps 1234     one process and its descendants
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Ps {
    /// Only this process and its descendants
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
}

impl Run for Ps {
    const NAME: &'static str = "ps";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Nothing;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Processes::find(session, self.pid)?))
    }
}
