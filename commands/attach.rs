//! `attach`: stops a live process and looks at it.

use crate::cli::{Class, Needs, Report, Run, Session};

/// Attach to a live process.
///
/// The process is stopped until you detach, quit or open another target; nothing is ever written
/// to it. With --no-stop on pydbg's command line it runs on while it is read.
///
/// With --tree all its descendants that run Python are attached to as well, stopped as near
/// together as possible. Each becomes an inferior: "info inferiors" lists them, "inferior 2"
/// selects one, and "process apply all CMD" asks all. Descendants that run no Python are listed and
/// left alone.
///
/// Examples:
///     attach 1234
///     attach --tree 1234    a process and all that descend from it
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Attach {
    /// Attach to all its descendants that run Python as well
    #[arg(long)]
    tree: bool,
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
        session.open_attach(self.pid, None)?;
        Ok(Box::new(session.banner()?))
    }
}
