//! The variables of a Python frame: arguments, locals, cells and free variables, by name.

use super::{PyFrame, Python};
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

/// The variables of a frame.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Variables {
    /// Arguments first, in the order of the code object.
    pub all: Vec<Variable>,
    /// Why some are missing, in words.
    pub problem: Option<String>,
}

impl Python {
    /// The variables of a frame, those without a value included.
    pub fn variables(&self, _frame: &PyFrame) -> Variables {
        Variables::default()
    }

    /// The namespace of the module that a frame's code belongs to: a dictionary.
    pub fn globals(&self, _frame: &PyFrame) -> Option<Addr> {
        None
    }

    /// The namespace of `builtins` as a frame sees it: a dictionary.
    pub fn builtins(&self, _frame: &PyFrame) -> Option<Addr> {
        None
    }
}
