//! The expressions of `py-print`: a subset of Python's, evaluated over the bytes of a process
//! without running any of its code (Doc/reference/expressions.rst).
//!
//! The names of an expression come from a [`Scope`]: a frame's, or what a query binds. What only
//! code of the target could tell is refused, with a word on what would have to run.

mod array;
mod ast;
mod attribute;
mod compare;
mod complete;
mod error;
mod eval;
mod functions;
mod lexer;
mod literal;
mod load;
mod number;
mod object_scope;
mod operators;
mod parser;
mod repr;
mod scope;
mod subscript;
mod suggest;
mod value;

pub use error::{Class, Error, Span};
pub use eval::{Answer, Evaluator, carets};
pub use object_scope::ObjectScope;
pub use scope::{FrameScope, Lookup, Scope, ScopeKind};
pub use suggest::did_you_mean;
pub use value::{Range, Value};

/// Whether `text` is an expression, in Python 2 or 3: what can be said of it without a process.
pub fn check(text: &str, two: bool) -> Result<(), Error> {
    parser::parse(text, two).map(drop)
}

#[cfg(test)]
mod tests;
