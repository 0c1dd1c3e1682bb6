//! `generate-core-file`: writes the core of the live process.

use crate::cli::dump::{DumpOptions, report};
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;
use pydbg::target::Origin;
use std::path::PathBuf;

/// Save a core file of the live process.
///
/// The process goes on afterwards as it was: held, or running. The core has all memory that the
/// kernel would dump (see core(5), "coredump_filter"), all registers of all threads, and the files
/// that are mapped; gdb and other debuggers open it. Pages that were never written take no room. It is
/// there as a whole or not at all, and only you may read it. Without a name it is core.PID in the
/// current folder.
///
/// With --redact the contents of strings, byte strings and buffers, arguments, environment and freed
/// memory are overwritten before the file has a name; names in the program, lengths and numbers stay, and it
/// is said what may remain. With --filter python the insides of large buffers are left out.
///
/// "pydbg dump PID" does the same from the shell and stops the process only for the copy. With its
/// option --fork the process is made to fork, by a system call that one of its threads is made to
/// do, and stands still only for that; it must have room for the pages it then writes, and should
/// pydbg be killed within that millisecond, the process may die.
///
/// Examples:
///     generate-core-file
///     generate-core-file /var/tmp/hangs.core --force
///     gcore --compress zstd
///     gcore --filter 0x7f everything.core
///     gcore --filter python small.core
///     gcore --redact to-send.core
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct GenerateCoreFile {
    /// The file
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: DumpOptions,
}

impl Run for GenerateCoreFile {
    const NAME: &'static str = "generate-core-file";
    const ALIASES: &'static [&'static str] = &["gcore"];
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Memory;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let request = self.options.request(session, self.file.as_deref());
        let target = &session.process()?.target;
        if let Origin::Snapshot(taken) = target.origin {
            bail!(
                "a snapshot is not saved; \"pydbg dump {}\" writes the core of the process",
                taken.pid
            );
        }
        if !target.is_live() {
            bail!("the target is a core already; copy its file");
        }
        report(pydbg::dump::target(target, &request))
    }
}
