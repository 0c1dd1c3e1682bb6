//! `fds`: open files and sockets, and which Python objects keep them open.

use crate::cli::render::descriptors::{All, Grouped, One};
use crate::cli::render::heap::named::most;
use crate::cli::render::heap::one::of_references;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::Context;
use clap::ValueEnum;
use pydbg::descriptors::Descriptors;
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
/// Examples:
///     fds                 all descriptors, 20 of them in a list
///     fds -n 0            all in the list
///     fds 17              one in full
///     fds --by kind       how many files, sockets, pipes, …
///     fds --by owner      which objects keep how many open
///     fds --by target     how many lead to the same file or peer
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Fds {
    /// A descriptor
    #[arg(value_name = "FD", conflicts_with = "by")]
    fd: Option<i32>,
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
