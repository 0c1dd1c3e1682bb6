//! `attach`: stops a live process and looks at it.

use crate::cli::{Class, Needs, Report, Run, Session};

/// Attach to a live process.
///
/// The process is stopped until you detach, quit or open another target; nothing is ever written
/// to it. With --no-stop on pydbg's command line it runs on while it is read.
///
/// With --snapshot it is stopped only while its memory is copied, and commands look at the copy,
/// which takes as much memory as the process has: there is no hurry, and the process may even end.
/// --fork makes the stop shorter still; see "help generate-core-file" for its risks.
///
/// With --tree all its descendants that run Python are attached to as well, stopped as near
/// together as possible. Each becomes an inferior: "info inferiors" lists them, "inferior 2"
/// selects one, and "process apply all CMD" asks all. Descendants that run no Python are listed and
/// left alone.
///
/// Examples:
///     attach 1234
///     attach --snapshot 1234    what it is at this moment, while it runs on
///     attach --tree 1234        a process and all that descend from it
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Attach {
    /// Attach to all its descendants that run Python as well
    #[arg(long)]
    tree: bool,
    /// Copy it, let it run on, and look at the copy
    #[arg(long, conflicts_with = "tree")]
    snapshot: bool,
    /// With --snapshot: have it fork, and copy the copy
    #[arg(long, requires = "snapshot")]
    fork: bool,
    /// The process id.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: i32,
}

impl Run for Attach {
    const NAME: &'static str = "attach";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Nothing;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if self.tree {
            return Ok(Box::new(session.open_tree(self.pid, None)?));
        }
        match self.snapshot {
            true => session.open_snapshot(self.pid, None, self.fork)?,
            false => session.open_attach(self.pid, None)?,
        }
        Ok(Box::new(session.banner()?))
    }
}
