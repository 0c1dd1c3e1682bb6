//! One object of a graph or path in few characters.

use crate::addr::Addr;
use crate::escape::escape;
use crate::python::object::Objects;
use crate::python::value::Limits;
use serde::Serialize;
use std::sync::Arc;

/// How much of an object is shown.
const LIMITS: Limits = Limits {
    elements: 40,
    depth: 1,
    total: 60,
    attributes: false,
};

/// An object by its type and a short `repr`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Node {
    /// Where it is.
    pub address: Addr,
    /// The full name of its type; `None` where that cannot be read.
    #[serde(rename = "type")]
    pub type_name: Option<Arc<str>>,
    /// Its `repr`, cut.
    pub repr: String,
}

impl Node {
    /// The object at `address`.
    pub fn read(objects: &Objects, address: Addr) -> Node {
        let ty = objects.type_of(address).ok();
        Node {
            address,
            type_name: ty.map(|ty| objects.full_name(&ty)),
            repr: objects.show(address, LIMITS).text,
        }
    }

    /// The object in one line, safe to print: `dict {'k': 1}`, `<app.Account object at 0x7f…>`.
    pub fn words(&self) -> String {
        let repr = escape(&self.repr);
        match &self.type_name {
            // This tells the type already.
            Some(_) if repr.starts_with('<') => repr.into_owned(),
            Some(name) => format!("{} {repr}", escape(name)),
            None => format!("object at {}", self.address),
        }
    }
}
