//! What is wrong with an expression, in Python's words, and where.

use crate::target::Fault;
use serde::Serialize;
use std::fmt;

/// A part of the expression, in bytes of its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

impl Span {
    /// From the start of this part to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span {
            start: self.start,
            end: other.end,
        }
    }
}

/// Which exception Python would raise, or why pydbg has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum Class {
    /// The expression is not one of Python, or of the part of Python that is understood here.
    SyntaxError,
    /// A name is bound nowhere.
    NameError,
    /// A local variable has no value yet.
    UnboundLocalError,
    /// An object lacks an attribute.
    AttributeError,
    /// A sequence is too short.
    IndexError,
    /// A dictionary lacks a key.
    KeyError,
    /// An operation does not fit a type.
    TypeError,
    /// A value does not fit an operation.
    ValueError,
    /// A division by zero.
    ZeroDivisionError,
    /// A number is too large for a float.
    OverflowError,
    /// The result, or the work, is larger than a debugger should make it.
    TooLarge,
    /// Only code of the target would know, which is never run.
    NotRun,
    /// Memory of the target that cannot be read.
    Unreadable,
}

/// What is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Error {
    /// The kind.
    pub class: Class,
    /// In words.
    pub message: String,
    /// The part of the expression that is meant.
    pub span: Span,
    /// Names that may have been meant, or what else to try.
    pub hint: Option<String>,
}

impl Error {
    /// An error without a place yet; [`Error::at`] adds it.
    pub fn new(class: Class, message: impl Into<String>) -> Error {
        Error {
            class,
            message: message.into(),
            span: Span::default(),
            hint: None,
        }
    }

    /// The same error, at a part of the expression, unless it has a place already.
    #[must_use]
    pub fn at(mut self, span: Span) -> Error {
        if self.span == Span::default() {
            self.span = span;
        }
        self
    }

    /// The same error with advice.
    #[must_use]
    pub fn hint(mut self, hint: Option<String>) -> Error {
        self.hint = hint;
        self
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::new(Class::Unreadable, fault.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.class {
            Class::TooLarge => "too large".to_owned(),
            Class::NotRun => "not run".to_owned(),
            Class::Unreadable => "unreadable".to_owned(),
            class => format!("{class:?}"),
        };
        write!(f, "{name}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, ". {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
