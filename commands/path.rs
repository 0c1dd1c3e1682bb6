//! `path`: why an object is alive.

use crate::cli::render::heap::named::object;
use crate::cli::render::heap::one::of_references;
use crate::cli::render::heap::path::Paths;
use crate::cli::{Class, Needs, Report, Run, Session};

/// Show why an object is alive: the shortest ways to it from a root.
///
/// A root is a module, a variable of a frame that runs, or something that CPython itself refers to.
/// Each way is written as the Python expression that evaluates to the object, as far as there is
/// one, and goes on in words: "→ C field +24 of _csv.reader". First come ways that have nothing in
/// common, nearest first, then ways that differ in the last step.
///
/// Weak references keep nothing alive, and are only followed with --weak. Words of C data and C
/// stacks that look like references are used when nothing else leads to the object; they may be
/// there by chance.
///
/// Examples:
///     path 0x7f8d604a3f10
///     path 0x7f8d604a3f10 -n 20
///     path 0x7f8d604a3f10 --weak    also through weak references
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Path {
    /// The object
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Show so many ways
    #[arg(short, value_name = "N", default_value_t = 5)]
    n: usize,
    /// Also show ways through weak references
    #[arg(long)]
    weak: bool,
}

impl Run for Path {
    const NAME: &'static str = "path";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let (heap, id) = object(session, &self.address)?;
        let found = heap.paths_to(id, self.n.max(1), self.weak)?;
        Ok(of_references(&heap, Paths(found)))
    }
}
