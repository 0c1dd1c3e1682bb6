//! `tracemalloc`: where memory was allocated, if the target traces that.

use crate::cli::render::heap::named::most;
use crate::cli::render::traced::TracedSites;
use crate::cli::{Class, Needs, Report, Run, Session};
use pydbg::python::tracemalloc::{SiteBy, Traces};
use std::sync::Arc;

/// What sites are told apart by.
#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// The line.
    Line,
    /// The file.
    File,
    /// The whole traceback.
    Traceback,
}

/// Show which lines have allocated the memory, if the target traces that.
///
/// The target must have been started with PYTHONTRACEMALLOC=N, -X tracemalloc=N or
/// tracemalloc.start(N); N frames of each traceback are kept. The lines are those that
/// tracemalloc.take_snapshot().statistics() would show, the largest first. Up to Python 3.11 the
/// symbols of the interpreter are needed.
///
/// Examples:
///     tracemalloc                    the lines that have allocated most
///     tracemalloc --by file -n 20
///     tracemalloc --by traceback     with the callers
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Tracemalloc {
    /// What to tell apart: line, file or traceback
    #[arg(
        long,
        value_name = "KEY",
        value_enum,
        default_value = "line",
        hide_possible_values = true
    )]
    by: By,
    /// Show so many places; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for Tracemalloc {
    const NAME: &'static str = "tracemalloc";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = Arc::clone(session.python()?);
        let by = match self.by {
            By::Line => SiteBy::Line,
            By::File => SiteBy::File,
            By::Traceback => SiteBy::Traceback,
        };
        let traces = Traces::read(&python)?;
        Ok(Box::new(TracedSites(traces.sites(by, most(self.n)))))
    }
}
