//! `signal`: why the process crashed, from its signal to the instruction and what that means.

use crate::cli::render::crash::CrashReport;
use crate::cli::{Class, Needs, Report, Run, Session};

/// Explain the signal the process died of, down to the faulting instruction.
///
/// Names the signal, why the kernel sent it or who did, the instruction the thread stood at with
/// the address of its operand in memory and the registers in it, what lies at that address, and
/// what all that means, each with its evidence. A live process has no signal; neither has a core
/// that was written while the process was running.
///
/// Examples:
///     signal            in AT&T syntax, as gdb has it
///     signal --intel
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Signal {
    /// Disassemble in Intel syntax
    #[arg(long)]
    intel: bool,
}

impl Run for Signal {
    const NAME: &'static str = "signal";
    const ALIASES: &'static [&'static str] = &["info signal"];
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(CrashReport::of(session, self.intel)?))
    }
}
