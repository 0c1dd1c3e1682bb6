//! Places in Python code: the program's own, not those of the standard library that it called.

use super::View;
use crate::python::{PyFrame, PyThread, doing};
use serde::Serialize;
use std::sync::Arc;

/// A place in Python code.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The function's name.
    pub function: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The line that runs.
    pub line: Option<i32>,
}

impl Place {
    pub(super) fn of(frame: &PyFrame) -> Place {
        Place {
            function: Arc::clone(&frame.function),
            file: Arc::clone(&frame.file),
            line: frame.position.line,
        }
    }

    /// Where a thread waits: in the program's own code, where there is any.
    pub(super) fn of_wait(view: &View<'_>, state: &PyThread) -> Option<Place> {
        let stack = view.python.stack(state);
        let own = |frame: &&PyFrame| doing::library(&frame.file).is_none();
        let frame = stack.frames.iter().find(own).or(stack.frames.first())?;
        Some(Place::of(frame))
    }
}
