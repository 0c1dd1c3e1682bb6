//! Exceptions: those a thread raises and handles, those the process remembers as its last, each
//! with what it says, its traceback and the exceptions it is chained to. Nothing is run: what
//! `str()` gives is computed where CPython's own rules tell it.

mod chain;
mod hooks;
mod last;
mod states;
mod syntax;
mod text;
mod traceback;

pub use chain::Chain;
pub use last::Last;
pub use states::ThreadExceptions;
pub use syntax::SyntaxDetails;
pub use text::Message;
pub use traceback::Traceback;

use super::object::{Objects, flags};
use super::{PyThread, Python};
use crate::addr::Addr;
use std::sync::Arc;

/// One exception of a [`Chain`].
#[derive(Clone, Debug)]
pub struct Exception {
    /// Where it is; NULL when only its class exists yet, as before the evaluation loop or a handler
    /// asks for it (up to 3.11).
    pub address: Addr,
    /// The full name of its class, such as `ValueError` or `app.Refused`.
    pub class: Arc<str>,
    /// What `str()` gives.
    pub message: Message,
    /// What a `SyntaxError` knows of the source, from which Python prints more lines.
    pub syntax: Option<SyntaxDetails>,
    /// `args`, the first ones of very many.
    pub args: Vec<Addr>,
    /// `__notes__` (3.11+).
    pub notes: Vec<String>,
    /// The frames it passed.
    pub traceback: Traceback,
    /// `__cause__`, an index into the chain.
    pub cause: Option<usize>,
    /// `__context__`, an index into the chain.
    pub context: Option<usize>,
    /// `__suppress_context__`.
    pub suppress_context: bool,
    /// Of an exception group its exceptions (3.11+).
    pub members: Option<Members>,
    /// What of it could not be read, in words.
    pub problem: Option<String>,
}

/// The exceptions of a group.
#[derive(Clone, Debug)]
pub struct Members {
    /// Indices into the chain.
    pub known: Vec<usize>,
    /// How many there are.
    pub total: usize,
}

/// Where an exception is held: the three words of the versions up to 3.10, of which later ones
/// keep only the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    /// Its class, or NULL.
    pub(crate) class: Addr,
    /// The exception; up to 3.11 also what it will be made of, or NULL.
    pub(crate) value: Addr,
    /// Its traceback where that is not in the exception, or NULL.
    pub(crate) traceback: Addr,
}

impl Held {
    /// An exception with its traceback in it.
    pub(crate) fn value(value: Addr) -> Held {
        Held {
            class: Addr::NULL,
            value,
            traceback: Addr::NULL,
        }
    }
}

impl Python {
    /// The exceptions that a thread raises and handles.
    pub fn exceptions(&self, thread: &PyThread) -> ThreadExceptions {
        let stack = self.stack(thread);
        let frames: Vec<Addr> = stack.frames.iter().map(|frame| frame.addr).collect();
        let mut found = states::read(&self.reader(), thread.tstate, &frames);
        let known = found.raised.iter().chain(&found.handled);
        let known: Vec<Addr> = known.map(|chain| chain.address()).collect();
        found.hooked = hooks::read(self, &stack.frames)
            .into_iter()
            .filter(|(_, held)| !known.contains(&held.value))
            .map(|(hook, held)| (hook, Chain::read(&self.reader(), held)))
            .collect();
        found
    }

    /// The exception that a thread raises or handles, and whether it is raised.
    pub fn exception_in_flight(&self, thread: &PyThread) -> Option<(Addr, bool)> {
        states::in_flight(&self.reader(), thread.tstate)
    }

    /// The exceptions that ended a script or were shown by the interactive interpreter last, of
    /// each interpreter that has one.
    pub fn last_exceptions(&self) -> Vec<Last> {
        let heads = self.interpreters.iter();
        heads
            .filter_map(|interpreter| last::read(&self.reader(), interpreter))
            .collect()
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            objects: &self.objects,
            codes: &self.codes,
        }
    }
}

/// What reading exceptions takes.
pub(super) struct Reader<'a> {
    pub(super) objects: &'a Objects,
    pub(super) codes: &'a super::code::Codes,
}

impl Reader<'_> {
    /// Whether there is an object at `addr` other than `None`.
    fn is_set(&self, addr: Addr) -> bool {
        !addr.is_null() && !self.is_none(addr)
    }

    fn is_none(&self, addr: Addr) -> bool {
        let ty = self.objects.type_of(addr);
        ty.is_ok_and(|ty| !ty.is_heap() && ty.name.as_deref() == Some("NoneType"))
    }

    fn is_exception(&self, addr: Addr) -> bool {
        let ty = self.objects.type_of(addr);
        !addr.is_null() && ty.is_ok_and(|ty| ty.is(flags::EXCEPTION))
    }
}

#[cfg(test)]
mod tests;
