//! Values as Python's `repr` would write them, from bytes alone.
//!
//! [`Writer`] walks an object within [`Limits`]; what a type looks like is in the tables of the
//! decoders, one file per family, chosen by the rule of [`shape`].

mod address;
mod array;
mod attrs;
mod binary;
mod class;
mod counter;
mod dataclass;
mod datetime;
mod decimal;
mod default;
mod dialect;
mod enumeration;
mod exception;
mod execution;
mod file;
mod function;
mod logging;
mod mapping;
mod module;
mod naming;
pub(crate) mod number;
pub(crate) mod numpy;
mod numpy_text;
mod numpy_type;
mod pandas;
mod parts;
mod path;
mod printable;
mod program;
pub(crate) mod quote;
mod record;
mod regex;
mod sequence;
mod sets;
mod shape;
mod simple;
mod socket;
mod template;
mod text;
mod threading;
mod weak;
mod writer;

pub use shape::Shapes;
pub use writer::Writer;

use super::object::{Objects, TypeInfo};
use crate::addr::Addr;
use crate::target::Fault;
use serde::Serialize;
use std::sync::Arc;

/// Writes an object of one type, or of a subclass that does not write itself otherwise.
pub(crate) type Decoder = fn(&mut Writer<'_>, Addr, &Arc<TypeInfo>) -> Result<(), Fault>;

/// Decoders by the full name of the class ([`Objects::full_name`]).
pub(crate) type Decoders = &'static [(&'static str, Decoder)];

/// Finds a decoder for a Python class that defines `__repr__` itself, where its shape tells what
/// that will write (dataclasses, named tuples, enums).
pub(crate) type Probe = fn(&Objects, &Arc<TypeInfo>) -> Option<Decoder>;

/// All decoders.
const DECODERS: &[Decoders] = &[
    address::DECODERS,
    array::DECODERS,
    attrs::DECODERS,
    binary::DECODERS,
    class::DECODERS,
    datetime::DECODERS,
    decimal::DECODERS,
    exception::DECODERS,
    execution::DECODERS,
    file::DECODERS,
    function::DECODERS,
    logging::DECODERS,
    mapping::DECODERS,
    module::DECODERS,
    number::DECODERS,
    numpy::DECODERS,
    pandas::DECODERS,
    path::DECODERS,
    program::DECODERS,
    record::DECODERS,
    regex::DECODERS,
    sequence::DECODERS,
    sets::DECODERS,
    simple::DECODERS,
    socket::DECODERS,
    template::DECODERS,
    text::DECODERS,
    threading::DECODERS,
    weak::DECODERS,
];

/// All probes, in the order they are tried.
const PROBES: &[Probe] = &[
    attrs::probe,
    record::probe,
    dataclass::probe,
    enumeration::probe,
];

/// How much of a value is written. `usize::MAX` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Items of one container, and characters of one string.
    pub elements: usize,
    /// Containers within containers.
    pub depth: usize,
    /// Characters of the whole.
    pub total: usize,
    /// Whether an object without a `repr` of its own is written with its attributes.
    pub attributes: bool,
}

impl Limits {
    /// No limit at all but memory and time.
    pub const NONE: Limits = Limits {
        elements: usize::MAX,
        depth: usize::MAX,
        total: usize::MAX,
        attributes: false,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            elements: 200,
            depth: 20,
            total: 10_000,
            attributes: true,
        }
    }
}

/// A value as text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    /// As `repr` writes it, as far as the limits go.
    pub text: String,
    /// Whether something was left out; the text says how much.
    pub cut: bool,
    /// How many parts could not be read; the text says which, in angle brackets.
    pub unreadable: usize,
}

impl Objects {
    /// The object at `addr` as `repr` would write it.
    pub fn show(&self, addr: Addr, limits: Limits) -> Shown {
        let mut writer = Writer::new(self, limits);
        writer.object(addr);
        writer.finish()
    }
}

#[cfg(test)]
mod scalar_tests;
#[cfg(test)]
mod tests;
