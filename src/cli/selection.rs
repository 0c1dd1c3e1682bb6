//! Which Python frame is meant by a command that looks at variables.

use super::Session;
use super::render::stack::Stack;
use anyhow::Context;
use pydbg::python::{PyFrame, Python};
use std::sync::Arc;

/// The Python frame whose variables are asked for.
pub struct SelectedPython {
    /// The Python it belongs to.
    pub python: Arc<Python>,
    /// The frame.
    pub frame: PyFrame,
    /// Its number in the merged stack; `None` when it has ended.
    pub index: Option<usize>,
}

impl Session {
    /// The Python frame whose variables are asked for: the frame of a traceback that
    /// `exception frame N` selected, or the selected frame, or the first Python frame that is
    /// older than a selected native one.
    pub fn selected_python(&self) -> anyhow::Result<SelectedPython> {
        let python = self.python()?.clone();
        if let Some(frame) = &self.inferior.dead_frame {
            return Ok(SelectedPython {
                python,
                frame: frame.clone(),
                index: None,
            });
        }
        let stack = Stack::selected(self)?;
        let index = stack.current_python(self.inferior.frame)?;
        let frame = stack.python_frame(index);
        Ok(SelectedPython {
            python,
            frame: frame.context("Unable to locate python frame")?.clone(),
            index: Some(index),
        })
    }

    /// That frame, and Python.
    pub fn python_frame(&self) -> anyhow::Result<(Arc<Python>, PyFrame)> {
        let selected = self.selected_python()?;
        Ok((selected.python, selected.frame))
    }
}
