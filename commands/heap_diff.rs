//! `heap diff`: what has grown between two dumps of a program.

use crate::cli::render::heap::diff::Diff;
use crate::cli::render::heap::named::most;
use crate::cli::render::heap::one::of_both;
use crate::cli::{Class, Needs, Report, Run, Session, complete};
use pydbg::heap::Growth;
use std::path::PathBuf;

/// Compare the heap with that of another core of the same program.
///
/// First by kind: how many more objects there are, and how many more bytes, and how many there are
/// now. Then by owner: what objects retain, by the path that leads to them, such as app.cache.entries.
/// "→" is a step that has no expression, "⇒" one over several objects of which none alone is needed.
/// Of an owner whose growth is that of one below it, only the lower one is shown. "-" stands for an
/// owner that was not there, or retained little.
///
/// A live process is newer than any core; of two cores the file that was written later is the newer
/// one. --reverse turns that round.
///
/// Examples:
///     heap diff core.yesterday
///     heap diff core.yesterday -n 50
///     heap diff core.copied --reverse
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct HeapDiff {
    /// The other core
    #[arg(value_name = "CORE")]
    core: PathBuf,
    /// Show so many kinds and owners; 0: all
    #[arg(short, value_name = "N", default_value_t = 15)]
    n: usize,
    /// Take the dump that seems older for the newer one
    #[arg(long)]
    reverse: bool,
}

impl Run for HeapDiff {
    const NAME: &'static str = "heap diff";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let pair = session.pair(&self.core, self.reverse)?;
        let growth = Growth::between(&pair.old, &pair.new, most(self.n));
        let names = pair.names;
        Ok(of_both(&pair.old, &pair.new, Diff { growth, names }))
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}
