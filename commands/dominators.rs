//! `dominators`: who keeps how much alive, as a tree.

use crate::cli::render::heap::dominators::{One, Tree};
use crate::cli::render::heap::named::{most, object};
use crate::cli::render::heap::one::of_sizes;
use crate::cli::{Class, Needs, Report, Run, Session};
use pydbg::heap::TreeBounds;

/// Show who keeps how much memory alive, as a tree of owners.
///
/// One object owns another when every way to that leads through it: the other one dies with it. Each
/// line shows how many objects die with an owner, its own size, what it retains (the bytes of all
/// that die with it), and what part of the whole that is. At the top stand modules, threads,
/// interpreters and other roots, with the objects that hang directly under them; what several of
/// them keep alive has a line of its own. Of all but the first level only owners of at least 1 % are
/// shown.
///
/// Given the ADDRESS of an object, its own tree is shown, and what it dies with itself.
///
/// Examples:
///     dominators
///     dominators -n 20 --depth 5
///     dominators 0x7f8d604a3f10
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Dominators {
    /// An object
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Show so many owners below each; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    /// Show so many levels below the first
    #[arg(long, value_name = "D", default_value_t = 3)]
    depth: usize,
}

impl Run for Dominators {
    const NAME: &'static str = "dominators";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let bounds = TreeBounds {
            most: most(self.n),
            depth: self.depth,
        };
        match &self.address {
            Some(address) => {
                let (heap, id) = object(session, address)?;
                Ok(of_sizes(&heap, One::of(&heap, id, bounds)))
            }
            None => {
                let heap = session.heap()?;
                Ok(of_sizes(&heap, Tree(heap.owners(bounds))))
            }
        }
    }
}
