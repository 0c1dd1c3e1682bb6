//! Which Python frame is meant by a command that looks at variables.

use super::Session;
use super::render::stack::Stack;
use anyhow::Context;
use pydbg::python::{MergedFrame, PyFrame, Python};
use std::sync::Arc;

impl Session {
    /// The Python frame whose variables are asked for, and Python: the frame of a traceback that
    /// `exception frame N` selected, or the selected frame, or the first Python frame that is
    /// older than a selected native one.
    pub fn python_frame(&self) -> anyhow::Result<(Arc<Python>, PyFrame)> {
        let python = self.python()?.clone();
        if let Some(frame) = &self.dead_frame {
            return Ok((python, frame.clone()));
        }
        let stack = Stack::selected(self)?;
        let index = stack.current_python(self.frame)?;
        match stack.merged.frames.get(index) {
            Some(MergedFrame::Python(frame)) => Ok((python, frame.clone())),
            _ => None.context("Unable to locate python frame"),
        }
    }
}
