//! Source lines of Python frames, and what a reader of them should know.

use super::carets::shortened;
use crate::cli::Session;
use pydbg::diag::Note;
use pydbg::python::source::Source;
use pydbg::python::{PyFrame, Python};
use std::path::PathBuf;
use std::sync::Arc;

/// The folders of `set source-root`, separated by colons.
pub fn roots(session: &Session) -> Vec<PathBuf> {
    let folders = session.settings.get_text("source-root").unwrap_or_default();
    folders
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .collect()
}

/// Remarks on source files as notes: the answer is whole, but its lines may mislead.
pub fn notes(remarks: &[String]) -> impl Iterator<Item = Note> {
    remarks.iter().map(|remark| Note::info(remark.clone()))
}

/// The source files of one report.
pub struct Sources<'a> {
    python: &'a Python,
    roots: &'a [PathBuf],
    remarks: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Looks nothing up yet. Files in the folders `roots` may have any name.
    pub fn new(python: &'a Python, roots: &'a [PathBuf]) -> Sources<'a> {
        Sources {
            python,
            roots,
            remarks: Vec::new(),
        }
    }

    /// The source file of `frame`, or why there is none.
    pub fn file(&mut self, frame: &PyFrame) -> Result<Arc<Source>, String> {
        let found = self.python.source(frame, self.roots);
        if let Ok(source) = &found
            && let Some(remark) = &source.note
            && !self.remarks.contains(remark)
        {
            self.remarks.push(remark.clone());
        }
        found.map_err(|why| why.to_string())
    }

    /// The text of the current line of `frame`.
    pub fn line(&mut self, frame: &PyFrame) -> Option<String> {
        let line = usize::try_from(frame.position.line?).ok()?.checked_sub(1)?;
        let source = self.file(frame).ok()?;
        source.lines.get(line).map(|text| shortened(text))
    }

    /// What a reader of these lines should know, each remark once.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }
}
