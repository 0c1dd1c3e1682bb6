//! What was noticed during work: notes for the user, and cancellation of long work.

use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How much a note weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the answer is whole.
    Info,
    /// Part of the answer is missing or less sure. The exit status becomes 3.
    Partial,
}

/// One thing noticed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Note {
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence, lower case, no full stop; may quote the target, so escape before printing.
    pub text: String,
}

/// The most notes kept; a damaged core could otherwise produce millions.
const MOST_NOTES: usize = 1000;

/// Notes gathered during work, in order, each once. Cheap to clone: clones share one list.
#[derive(Clone, Default, Debug)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// Adds a note that leaves the answer whole.
    pub fn info(&self, text: impl Into<String>) {
        self.push(Severity::Info, text.into());
    }

    /// Adds a note that something is missing or less sure.
    pub fn partial(&self, text: impl Into<String>) {
        self.push(Severity::Partial, text.into());
    }

    /// All notes so far.
    pub fn all(&self) -> Vec<Note> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many notes there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, severity: Severity, text: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = Note { severity, text };
        if notes.len() < MOST_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// A flag that long work looks at, set by Ctrl-C. Clones share the flag.
#[derive(Clone, Default, Debug)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the running work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Makes the flag ready for the next command.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
