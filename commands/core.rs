//! `core`: opens a core file.

use crate::cli::{Class, Needs, Report, Run, Session, complete};
use std::path::PathBuf;

/// Open a core file.
///
/// The target that was open before is left: a live process runs on. If the core cannot be read,
/// the old target stays open.
///
/// Examples:
///     core core.1234
///     core core.1234 --exe ./python3.11    the program, if it moved
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Core {
    /// The core file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
        session.open_core(&self.file, self.exe.as_deref())?;
        Ok(Box::new(session.banner()?))
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}
