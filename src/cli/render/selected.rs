//! The answer of every command that selects a thread or a frame: what is selected now.

use super::row::Row;
use super::stack::Stack;
use super::{frame, source};
use crate::cli::{Out, Report, Session};
use pydbg::diag::Note;
use serde_json::{Value, json};
use std::io;

/// What is selected now.
pub struct Selected {
    /// Lines of their own before the frame.
    heading: Option<String>,
    thread: usize,
    rows: Vec<Row>,
    remarks: Vec<String>,
}

impl Selected {
    /// Selects frame `index` of `stack` and shows it.
    pub fn frame(session: &mut Session, stack: &Stack, index: usize) -> Selected {
        session.inferior.thread = stack.thread;
        session.inferior.frame = index;
        session.inferior.dead_frame = None;
        let mut sources = stack.sources();
        Selected {
            heading: None,
            thread: stack.thread,
            rows: stack.rows(index, &mut sources),
            remarks: sources.map_or(Vec::new(), |sources| sources.remarks().to_vec()),
        }
    }

    /// The same below lines that say which thread it is.
    pub fn with_heading(self, heading: String) -> Selected {
        Selected {
            heading: Some(heading),
            ..self
        }
    }
}

impl Report for Selected {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for line in self.heading.iter().flat_map(|heading| heading.lines()) {
            out.target(line)?;
            out.end()?;
        }
        for row in &self.rows {
            frame::line(out, row)?;
            frame::source(out, row)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "thread": self.thread, "frames": self.rows })
    }

    fn notes(&self) -> Vec<Note> {
        source::notes(&self.remarks).collect()
    }
}
