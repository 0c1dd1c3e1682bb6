//! `core`: opens a core file.

use crate::cli::render::kept::KeptCores;
use crate::cli::{Class, Needs, Report, Run, Session, complete};
use std::path::PathBuf;

/// Open a core file.
///
/// The target that was open before is left: a live process runs on. If the core cannot be read,
/// the old target stays open. A packed core (zstd, lz4, gzip, xz) is unpacked into a temporary file
/// that has no name, so nothing stays behind. With --list, the cores that systemd-coredump keeps.
///
/// Examples:
///     core core.1234
///     core core.1234 --exe ./python3.11    the program, if it moved
///     core --list                          the cores that systemd keeps
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Core {
    /// The core file; with --list, the folder.
    #[arg(value_name = "FILE", required_unless_present = "list")]
    file: Option<PathBuf>,
    /// List the cores that systemd-coredump keeps.
    #[arg(long, conflicts_with = "exe")]
    list: bool,
    /// The program the core is of, if it is not where the core says.
    #[arg(long, value_name = "FILE")]
    exe: Option<PathBuf>,
}

impl Run for Core {
    const NAME: &'static str = "core";
    const ALIASES: &'static [&'static str] = &["core-file"];
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Nothing;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        match &self.file {
            Some(file) if !self.list => {
                session.open_core(file, self.exe.as_deref())?;
                Ok(Box::new(session.banner()?))
            }
            folder => Ok(Box::new(KeptCores::of(folder.as_deref())?)),
        }
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}
