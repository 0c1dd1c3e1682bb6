//! Who holds a lock, or who could end a wait, and what says so.

use super::Place;
use serde::Serialize;
use std::slice;

/// Who holds a lock.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "certainty")]
pub enum Owner {
    /// This thread, as words of the lock itself say.
    Known {
        /// The thread (gdb number).
        thread: usize,
        /// Which words.
        evidence: String,
        /// Where the thread took it, where a `with` statement tells.
        place: Option<Place>,
    },
    /// This thread, as follows from what it is doing.
    Inferred {
        /// The thread (gdb number).
        thread: usize,
        /// From what.
        evidence: String,
        /// Where the thread is in its `with` statement.
        place: Option<Place>,
    },
    /// Nobody holds it, and one of these threads must do something before a wait for it ends: an
    /// event is set, a queue gets an item. With no threads, nobody is left who could.
    AnyOf {
        /// The threads (gdb numbers).
        threads: Vec<usize>,
        /// Why these.
        evidence: String,
    },
    /// Another process.
    Process {
        /// Its id, as pydbg sees it.
        pid: i32,
        /// Its name, where it is alive.
        name: Option<String>,
        /// What says so.
        evidence: String,
    },
    /// It is held, and no thread of this process can release it.
    Orphaned {
        /// What says so.
        evidence: String,
    },
    /// Nothing proves who.
    Unknown {
        /// Why not.
        why: String,
    },
    /// Nobody.
    Nobody,
}

impl Owner {
    /// An owner that the lock itself names.
    pub(super) fn known(thread: usize, evidence: impl Into<String>) -> Owner {
        Owner::Known {
            thread,
            evidence: evidence.into(),
            place: None,
        }
    }

    /// The owner that a lock names by the ident of a thread, as `says` has it; `thread` is the one
    /// that has this ident.
    pub(super) fn named(thread: Option<usize>, says: String) -> Owner {
        match thread {
            Some(thread) => Owner::known(thread, says),
            None => Owner::Orphaned {
                evidence: format!("{says}, which no thread has"),
            },
        }
    }

    /// An owner that is not known.
    pub(super) fn unknown(why: impl Into<String>) -> Owner {
        Owner::Unknown { why: why.into() }
    }

    /// The thread, when it is known or inferred.
    pub fn thread(&self) -> Option<usize> {
        match self {
            Owner::Known { thread, .. } | Owner::Inferred { thread, .. } => Some(*thread),
            _ => None,
        }
    }

    /// The threads (gdb numbers) that it is about: those it is up to, or the one that has it.
    pub fn threads(&self) -> &[usize] {
        match self {
            Owner::Known { thread, .. } | Owner::Inferred { thread, .. } => slice::from_ref(thread),
            Owner::AnyOf { threads, .. } => threads,
            _ => &[],
        }
    }

    /// Where the owner took it.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Owner::Known { place, .. } | Owner::Inferred { place, .. } => place.as_ref(),
            _ => None,
        }
    }

    /// What the answer rests on, or why there is none.
    pub fn evidence(&self) -> &str {
        match self {
            Owner::Known { evidence, .. }
            | Owner::Inferred { evidence, .. }
            | Owner::AnyOf { evidence, .. }
            | Owner::Process { evidence, .. }
            | Owner::Orphaned { evidence } => evidence,
            Owner::Unknown { why } => why,
            Owner::Nobody => "",
        }
    }
}
