//! `garbage`: what the garbage collector would find if it ran now.

use crate::cli::render::address;
use crate::cli::render::heap::garbage::{All, One};
use crate::cli::render::heap::named::most;
use crate::cli::render::heap::one::of_sizes;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, bail};
use pydbg::heap::{CollectorState, Garbage, reasons};

/// Show what gc.collect() would find: cycles of objects that nothing else holds.
///
/// It is found by the collector's own rules: objects whose count of references is that of the references
/// among them, and all that only they lead to. Why no collection has freed them is told first. Cycles
/// that are made of as many objects of the same types are one row; on a cycle hangs what only it holds.
///
/// Given the number of a row, the largest of its cycles is shown with the references between its
/// objects; given the ADDRESS of an object, the cycle that it is of or hangs on.
///
/// Finalizers and callbacks of weak references are not run here; gc.collect() runs them first, and does
/// not count what they free.
///
/// Examples:
///     garbage                    all garbage, and why it is still there
///     garbage 1                  a cycle of the first row
///     garbage 0x7f8d604a3f10     the cycle of an object
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct ShowGarbage {
    /// The number of a row, or an address
    #[arg(value_name = "WHICH")]
    which: Option<String>,
    /// Show so many rows, objects or references; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for ShowGarbage {
    const NAME: &'static str = "garbage";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let heap = session.heap()?;
        let garbage = Garbage::of(&heap)?;
        let most = most(self.n);
        let Some(which) = self.which else {
            let summary = garbage.summary(most);
            let reasons = reasons(&summary, &CollectorState::all(&heap.python));
            return Ok(of_sizes(&heap, All { summary, reasons }));
        };
        if let Ok(row) = which.parse::<usize>() {
            let cycle = garbage.nth(row, most);
            let cycle = cycle.with_context(|| format!("There is no row {row}."))?;
            return Ok(of_sizes(&heap, One(cycle)));
        }
        let address = address::evaluate(session, &which)?;
        match garbage.cycle_of(address, most) {
            Some(cycle) => Ok(of_sizes(&heap, One(cycle))),
            None => bail!("The object at {address} is of no cycle of garbage."),
        }
    }
}
