//! `collections`: containers that are mostly empty.

use crate::cli::render::heap::collections::Filling;
use crate::cli::render::heap::named::{complete, most, types};
use crate::cli::render::heap::one::of_sizes;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;

/// Show how full lists, dicts, sets, deques and bytearrays are.
///
/// For each kind it is told how many are empty and how many are filled by less than a quarter, a
/// half, three quarters, or more, and how many bytes they have set aside for items that they do not
/// have, and which objects refer to them. Then those that have most, with what keeps them alive. Instances of subclasses count by
/// their own class; dictionaries of attributes by the class whose attributes they are.
///
/// A place is one for an item of a list or deque, a byte of a bytearray, an entry of a dict, a slot of
/// a set; the tables of sets (in Python 2.7 of dicts, too) are never full. What lies within the
/// object itself, as the small table of a set, is not counted as unused.
///
/// Examples:
///     collections                all kinds, and the largest
///     collections --type dict    only dictionaries
///     collections -n 50
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Collections {
    /// Only objects of this type
    #[arg(long = "type", value_name = "TYPE")]
    name: Option<String>,
    /// Show so many kinds and containers; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for Collections {
    const NAME: &'static str = "collections";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        /// A path is searched for each of them.
        const MOST: usize = 1000;
        let heap = session.heap()?;
        let wanted = self.name.as_deref().map(|name| types(&heap, name));
        let wanted = wanted.transpose()?;
        let found = heap.collections(wanted.as_ref(), most(self.n).min(MOST))?;
        if let (0, Some(name)) = (found.count, &self.name) {
            bail!("There are no lists, dicts, sets, deques or bytearrays of type \"{name}\".");
        }
        Ok(of_sizes(&heap, Filling(found)))
    }

    fn complete(session: &Session, word: &str) -> Vec<String> {
        complete(session, word)
    }
}
