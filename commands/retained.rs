//! `retained`: what an object, a type, a thread or a module keeps alive.

use crate::cli::render::heap::dominators::One;
use crate::cli::render::heap::kept::{ByType, Together};
use crate::cli::render::heap::named::{complete, most, object, types};
use crate::cli::render::heap::one::of_sizes;
use crate::cli::render::number;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, bail};
use pydbg::heap::TreeBounds;

/// Show what a type, object, thread or module keeps alive.
///
/// What is retained is what would be freed: the object, and all to which every way leads through it.
/// Without an argument all types are listed by what their instances retain. Given a TYPE, its
/// instances are, and what they retain together; an instance that dies with another one of the type
/// is counted with that only. Given the ADDRESS of an object, what it retains itself is shown.
///
/// Of a thread it is what only its frames, its state and its C stack hold. Of a module it is what
/// nothing but the module and its namespace leads to.
///
/// Examples:
///     retained                   all types by what their instances retain
///     retained app.Account       the instances of a type
///     retained 0x7f8d604a3f10    one object
///     retained thread 3          a thread, by its number in "info threads"
///     retained module app        a module
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Retained {
    /// A type, an address, "thread" and a number, or "module" and a name
    #[arg(value_name = "WHAT", num_args = 0..=2)]
    what: Vec<String>,
    /// Show so many types or owners; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for Retained {
    const NAME: &'static str = "retained";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let words: Vec<&str> = self.what.iter().map(String::as_str).collect();
        let most = most(self.n);
        let heap = session.heap()?;
        let kept = match *words.as_slice() {
            [] => return Ok(of_sizes(&heap, ByType(heap.kept_by_types(most)))),
            ["thread", id] => {
                let id = number::number(id)?;
                let kept = heap.kept_by_thread(id, most)?;
                kept.with_context(|| format!("There is no Python thread {id}."))?
            }
            ["module", name] => {
                let kept = heap.kept_by_module(name, most)?;
                kept.with_context(|| format!("There is no module \"{name}\" in sys.modules."))?
            }
            [address] if address.starts_with(|c: char| c.is_ascii_digit() || "$&".contains(c)) => {
                let (heap, id) = object(session, address)?;
                let bounds = TreeBounds { most, depth: 1 };
                return Ok(of_sizes(&heap, One::of(&heap, id, bounds)));
            }
            [name] => heap.kept_by_instances(&types(&heap, name)?, name, most),
            _ => bail!("what is retained: a type, an address, \"thread N\" or \"module NAME\""),
        };
        Ok(of_sizes(&heap, Together(kept)))
    }
    fn complete(session: &Session, word: &str) -> Vec<String> {
        complete(session, word)
    }
}
