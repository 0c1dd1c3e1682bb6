//! `leaks`: where a great share of the heap has gathered.

use crate::cli::render::heap::leaks::Leaks;
use crate::cli::render::heap::named::most;
use crate::cli::render::heap::one::{of_both, of_sizes};
use crate::cli::{Class, Needs, Report, Run, Session, complete};
use pydbg::heap::{FLOOR, SHARE, SuspectBounds};
use std::path::PathBuf;

/// Show suspects of a leak: where a great share of the heap has gathered.
///
/// A suspect is a container (a list, dict, set, deque, an instance, a closure, a frame) in which as
/// much has gathered as --share and --floor say, not counting what is in a suspect that it owns. What
/// has gathered, the way to the container as a Python expression, and the largest object in it are
/// shown. Where no container has all of it, it is the instances of a class; where each object keeps
/// the next one alive, it is a chain.
///
/// Modules, their namespaces and classes are no suspects: a healthy program has its code there. What
/// no root reaches is garbage, and is not looked at.
///
/// With --since, what each suspect had in an older core of the same process is shown as well, and
/// those that grew most come first.
///
/// Examples:
///     leaks
///     leaks --share 5
///     leaks --since core.yesterday
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct LeaksCommand {
    /// The least share of the heap, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = SHARE)]
    share: u64,
    /// The least bytes
    #[arg(long, value_name = "BYTES", default_value_t = FLOOR)]
    floor: u64,
    /// An older core of the same process
    #[arg(long, value_name = "CORE")]
    since: Option<PathBuf>,
    /// Show so many suspects; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for LeaksCommand {
    const NAME: &'static str = "leaks";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let bounds = SuspectBounds {
            share: self.share,
            floor: self.floor,
            most: most(self.n),
        };
        let heap = session.heap()?;
        let mut found = heap.suspects(bounds)?;
        let Some(core) = self.since else {
            return Ok(of_sizes(&heap, Leaks { found, since: None }));
        };
        let core = crate::cli::line::path(&core);
        let old = session.other_heap(&core)?;
        found.since(&heap, &old);
        let since = Some(core.display().to_string());
        Ok(of_both(&old, &heap, Leaks { found, since }))
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}
