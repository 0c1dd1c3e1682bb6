//! The variables of a Python frame: arguments, locals, cells and free variables, by name.

use crate::addr::Addr;
use serde::Serialize;
use std::sync::Arc;

/// What a variable is to its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariableKind {
    /// An argument.
    Argument,
    /// A local variable.
    Local,
    /// A local variable or argument that an inner function uses too.
    Cell,
    /// A variable of an enclosing function.
    Free,
    /// A temporary of an inlined comprehension (3.12+).
    Hidden,
    /// A name in the namespace of a module or class body, or of `exec`'d code.
    Namespace,
}

/// One variable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: VariableKind,
    /// Address of its value; `None` when it is not bound.
    pub value: Option<Addr>,
}
