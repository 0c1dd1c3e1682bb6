//! How one object refers to another, in words and, where Python has an expression for it, as one.
//!
//! [`vias`] tells every way in which an object refers to another; [`Chain`] writes a path from a root
//! to an object.

mod access;
mod chain;
mod context;
mod frame;
mod literal;
mod named;
mod node;
mod place;
mod step;
mod words;

pub use chain::{Chain, Start};
pub use context::via_in;
pub use node::Node;
pub use place::vias;

use crate::addr::Addr;
use crate::python::variables::VariableKind;
use serde::Serialize;

/// One way in which an object refers to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "via", rename_all = "kebab-case")]
pub enum Via {
    /// It is the object's class.
    Class,
    /// It is the `__dict__` of an instance, module or function.
    Dict,
    /// It is the namespace of a class.
    Namespace,
    /// An attribute that the instance keeps without a dictionary.
    Attribute {
        /// Its name.
        name: String,
    },
    /// A slot that a class declares in `__slots__`.
    Slot {
        /// Its name.
        name: String,
    },
    /// A field of a struct in C that Python shows as an attribute.
    Member {
        /// The attribute.
        name: String,
        /// How that is known.
        provenance: Provenance,
    },
    /// The value of a key.
    Key {
        /// The key.
        key: Addr,
        /// Its short `repr`.
        repr: String,
    },
    /// It is itself a key.
    IsKey,
    /// The item of a list, tuple or deque.
    Index {
        /// Which, from 0 on.
        index: u64,
    },
    /// The cell of a variable, in the tuple of a function's closure.
    Closure {
        /// Which, from 0 on.
        index: u64,
        /// The variable.
        name: String,
    },
    /// The default of a parameter, in the tuple of a function's defaults.
    Default {
        /// Which, from 0 on.
        index: u64,
        /// The parameter.
        name: String,
    },
    /// It is an element of a set.
    Element,
    /// The content of a cell, which is the variable of a function that another uses.
    CellContents,
    /// What a weak reference or proxy refers to, which it does not keep alive.
    Weak {
        /// Whether one calls it, as a `weakref.ref`.
        called: bool,
    },
    /// A variable of a frame: its own, or that of a generator.
    Local {
        /// Its name.
        name: String,
        /// What it is to the frame; that of a cell is held by one.
        kind: VariableKind,
    },
    /// On the evaluation stack of a frame.
    Stack {
        /// Which place, from the bottom.
        index: u64,
    },
    /// Another part of a frame.
    Frame {
        /// `f_code`, `f_globals`, ….
        name: String,
    },
    /// A field of a struct in C that Python does not show.
    Field {
        /// Bytes from the start of the object.
        offset: i64,
        /// The type whose struct that is.
        of: String,
        /// What CPython calls it, where that is known.
        name: Option<String>,
        /// How it is known that this is a reference.
        provenance: Provenance,
    },
    /// In memory of the object's own, apart from its struct: the state of a module in C, the nodes of
    /// a cache.
    Apart,
    /// It is known that it refers to it, not where.
    Unknown,
}

/// How a reference is known to be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The struct is known.
    Structure,
    /// The class has a member descriptor that says so.
    Descriptor,
    /// The word is the address of the object; that could be chance.
    Word,
}

impl Via {
    /// Whether this reference keeps nothing alive.
    pub fn is_weak(&self) -> bool {
        matches!(self, Via::Weak { .. })
    }

    /// How it is known that this is a reference.
    pub fn provenance(&self) -> Provenance {
        match self {
            Via::Slot { .. } => Provenance::Descriptor,
            Via::Member { provenance, .. } | Via::Field { provenance, .. } => *provenance,
            Via::Unknown => Provenance::Word,
            _ => Provenance::Structure,
        }
    }
}
