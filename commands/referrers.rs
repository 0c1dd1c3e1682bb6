//! `referrers`: who refers to an object.

use crate::cli::render::heap::named::{most, object};
use crate::cli::render::heap::one::of_references;
use crate::cli::render::heap::picture::Picturing;
use crate::cli::render::heap::referrers::{End, References};
use crate::cli::{Class, Needs, Report, Run, Session};
use pydbg::heap::Direction;

/// Show who refers to an object, and through what.
///
/// First come the roots that hold it themselves: modules, variables of frames that run, members of
/// CPython's own states, and words of C data and C stacks that look like references. Then come
/// objects, each with how it refers to this one (attribute, key, index, cell, variable, or field of
/// a struct in C), type, address, size and value. Weak references come last.
///
/// With --svg or --dot a picture of the objects around it is written, in steps over --depth
/// references, --breadth of them at each object. References to an object's own class and weak ones
/// are not drawn; an ellipse is a root.
///
/// ADDRESS is a sum of numbers, registers of the selected frame and symbols, as for x.
///
/// Examples:
///     referrers 0x7f8d604a3f10
///     backrefs 0x7f8d604a3f10 -n 100
///     referrers 0x7f8d604a3f10 --svg around.svg --depth 4
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Referrers {
    /// The object
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Show so many roots and so many objects; 0: all
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: usize,
    #[command(flatten)]
    picture: Picturing,
}

impl Run for Referrers {
    const NAME: &'static str = "referrers";
    const ALIASES: &'static [&'static str] = &["backrefs"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if self.picture.is_wanted() {
            return self
                .picture
                .draw(session, &self.address, Direction::Referrers);
        }
        let (heap, id) = object(session, &self.address)?;
        let found = heap.referrers_of(id, most(self.n));
        let end = End::Referrers;
        Ok(of_references(&heap, References { found, end }))
    }
}
