//! What keeps objects alive from outside of the graph of objects: modules, CPython's own states,
//! the frames of threads, static types, and whatever words of C data and C stacks are addresses of
//! objects. Each root is one reference, and knows where it stands.

mod frames;
mod group;
mod holder;
mod kind;
mod memory;
mod modules;
mod names;
mod states;
mod types;
mod words;

pub use group::Group;
pub use kind::{Part, Root, RootKind, TypePart};
pub use memory::Known;
pub use words::RootView;

use crate::addr::Addr;
use crate::python::Python;
use names::Names;
use std::sync::Arc;

/// The roots of a process.
#[derive(Debug, Default)]
pub struct Roots {
    /// All of them, those of a kind together.
    pub all: Vec<Root>,
    names: Names,
}

impl Roots {
    /// The references that CPython is known to hold from outside of objects. What they lead to is
    /// alive, but for those that are not certain.
    pub fn precise(python: &Python) -> Roots {
        let mut roots = Roots::default();
        roots.add_modules(python);
        roots.add_states(python);
        roots.add_frames(python);
        roots.add_types(python);
        roots
    }

    /// The name with this number in a root.
    pub fn name(&self, number: u32) -> Option<&Arc<str>> {
        self.names.get(number)
    }

    fn push(&mut self, kind: RootKind, at: Addr, object: Addr, certain: bool) {
        self.all.push(Root {
            kind,
            at,
            object,
            certain,
        });
    }
}

/// A position as it is kept in a root.
fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
