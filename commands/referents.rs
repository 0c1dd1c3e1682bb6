//! `referents`: what an object refers to.

use crate::cli::render::heap::named::{most, object};
use crate::cli::render::heap::one::of_references;
use crate::cli::render::heap::picture::Picturing;
use crate::cli::render::heap::referrers::{End, References};
use crate::cli::{Class, Needs, Report, Run, Session};
use pydbg::heap::Direction;

/// Show what an object refers to, and through what.
///
/// Each line says how (an attribute, key, index, cell, variable, or field of a struct in C), then the
/// type, address, size and value of the object there. Weak references come last. Of types of
/// extension modules, whose structs are not known, the words that are addresses of objects are
/// taken for references, and said to be such.
///
/// With --svg or --dot a picture of the objects around it is written, in steps over --depth
/// references, --breadth of them at each object. References to an object's own class and weak ones
/// are not drawn; an ellipse is a root.
///
/// ADDRESS is a sum of numbers, registers of the selected frame and symbols, as for x.
///
/// Examples:
///     referents 0x7f8d604a3f10
///     refs 0x7f8d604a3f10 -n 100
///     referents 0x7f8d604a3f10 --svg around.svg --depth 4
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Referents {
    /// The object
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Show so many objects; 0: all
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: usize,
    #[command(flatten)]
    picture: Picturing,
}

impl Run for Referents {
    const NAME: &'static str = "referents";
    const ALIASES: &'static [&'static str] = &["refs"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if self.picture.is_wanted() {
            return self
                .picture
                .draw(session, &self.address, Direction::Referents);
        }
        let (heap, id) = object(session, &self.address)?;
        let found = heap.referents_of(id, most(self.n));
        let end = End::Referents;
        Ok(of_references(&heap, References { found, end }))
    }
}
