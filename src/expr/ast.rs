//! An expression as a tree.

use super::error::Span;
use super::value::Value;

/// A node: what it is and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// How many nodes lie below it on the longest way; bounded, so that walks may recurse.
    pub(crate) depth: usize,
}

/// What a node is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Kind {
    /// A number, string, `None`, `True`, `False`.
    Literal(Value),
    /// A name.
    Name(String),
    /// An earlier answer.
    History(String),
    /// `*0x7f…`: the object there.
    At(Box<Expr>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    /// `a.b`, and where `b` stands.
    Attribute(Box<Expr>, String, Span),
    Subscript(Box<Expr>, Box<Expr>),
    /// `a:b:c`, only within a subscript.
    Slice([Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Vec<Expr>),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `a < b <= c`, with the operators and what is to their right.
    Compare(Box<Expr>, Vec<(&'static str, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}
