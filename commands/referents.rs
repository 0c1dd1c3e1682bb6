//! `referents`: what an object refers to.

use crate::cli::render::heap::named::{most, object};
use crate::cli::render::heap::one::of_references;
use crate::cli::render::heap::referrers::{End, References};
use crate::cli::{Class, Needs, Report, Run, Session};

/// Show what an object refers to, and through what.
///
/// Each line says how (an attribute, key, index, cell, variable, or field of a struct in C), then the
/// type, address, size and value of the object there. Weak references come last. Of types of
/// extension modules, whose structs are not known, the words that are addresses of objects are
/// taken for references, and said to be such.
///
/// ADDRESS is a sum of numbers, registers of the selected frame and symbols, as for x.
///
/// Examples:
///     referents 0x7f8d604a3f10
///     refs 0x7f8d604a3f10 -n 100
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Referents {
    /// The object
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Show so many objects; 0: all
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: usize,
}

impl Run for Referents {
    const NAME: &'static str = "referents";
    const ALIASES: &'static [&'static str] = &["refs"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let (heap, id) = object(session, &self.address)?;
        let found = heap.referents_of(id, most(self.n));
        let end = End::Referents;
        Ok(of_references(&heap, References { found, end }))
    }
}
