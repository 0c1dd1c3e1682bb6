//! `fds`: open files and sockets, and which Python objects keep them open.

use crate::cli::render::descriptors::{All, Grouped, One};
use crate::cli::render::families::files::Shared;
use crate::cli::render::families::pids;
use crate::cli::render::heap::named::most;
use crate::cli::render::heap::one::of_references;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;
use clap::ValueEnum;
use pydbg::descriptors::Descriptors;
use pydbg::families::SharedFiles;
use std::sync::Arc;

/// Show open files and sockets, and which Python objects keep them open.
///
/// Of a live process every file descriptor is listed with what it leads to, the Python objects that
/// own it, and why these are alive, as "path" tells it. A descriptor that no object owns is held by
/// C code, or was opened by os.open, os.pipe or os.dup: a mere number has no owner. A core has no
/// table of descriptors, and only those are known that an object owns.
///
/// When one list, dictionary or other object keeps most of many descriptors open, a sentence says
/// which. Another one says when the limit ("Too many open files") is near.
///
/// With --shared files are listed that this process or one below it has open together with another
/// process, if one of them writes: who, how, at which position, with which locks. A sentence says
/// where two overwrite each other, or one writes what another has deleted and made anew.
///
/// Examples:
///     fds                 all descriptors, 20 of them in a list
///     fds -n 0            all in the list
///     fds 17              one in full
///     fds --by kind       how many files, sockets, pipes, …
///     fds --by owner      which objects keep how many open
///     fds --shared        files that other processes have open, too
///     fds --by target     how many lead to the same file or peer
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Fds {
    /// A descriptor
    #[arg(value_name = "FD", conflicts_with = "by")]
    fd: Option<i32>,
    /// List files that several processes have open, if one of them writes
    #[arg(long, conflicts_with_all = ["fd", "by", "n"])]
    shared: bool,
    /// Count descriptors in groups
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// List so many descriptors or groups; 0: all
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: usize,
}

/// What groups are made by.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// Files, sockets, pipes, …
    Kind,
    /// The object that keeps several of them open
    Owner,
    /// What they lead to
    Target,
}

impl Run for Fds {
    const NAME: &'static str = "fds";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if self.shared {
            return Ok(Box::new(Shared(SharedFiles::of(&pids(session)?))));
        }
        let heap = session.heap()?;
        let found = Descriptors::of(&heap)?;
        if let Some(fd) = self.fd {
            let descriptor = found.get(fd);
            let descriptor = descriptor.with_context(|| One::missing(&found, fd))?;
            let one = One(found.shown(&heap, descriptor));
            return Ok(of_references(&heap, one));
        }
        let most = most(self.n);
        let grouped = match self.by {
            None => {
                return Ok(of_references(
                    &heap,
                    All::of(Arc::clone(&heap), found, most),
                ));
            }
            Some(By::Kind) => Grouped::by_kind(&found, most),
            Some(By::Owner) => Grouped::by_owner(&found, most),
            Some(By::Target) => Grouped::by_target(&found, most),
        };
        Ok(of_references(&heap, grouped))
    }
}
