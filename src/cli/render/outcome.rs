//! What a command said when it was run on one thread or process of several: a report, or why there
//! is none.

use crate::cli::{Out, Report, Session};
use pydbg::diag::Note;
use serde_json::Value;
use std::io;

/// What a command said.
pub struct Outcome(Result<Box<dyn Report>, String>);

impl Outcome {
    /// Runs a command on what is selected.
    pub fn of(session: &mut Session, line: &str) -> Outcome {
        Outcome(session.execute(line).map_err(|error| format!("{error:#}")))
    }

    /// The report, or why there is none.
    pub fn report(&self) -> Result<&dyn Report, &str> {
        self.0.as_deref().map_err(String::as_str)
    }

    /// What must be the same in outcomes that are shown as one; of reports that do not say, the text.
    pub fn sameness(&self) -> Result<String, String> {
        let report = self.report().map_err(str::to_owned)?;
        Ok(report.sameness().unwrap_or_else(|| {
            let mut text = Vec::new();
            // Writing to memory does not fail.
            let _ = report.text(&mut Out::new(&mut text, false, 0));
            String::from_utf8_lossy(&text).into_owned()
        }))
    }

    /// The report, or a line that says why there is none.
    pub fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        match self.report() {
            Ok(report) => report.text(out),
            Err(why) => {
                out.target(why)?;
                out.end()
            }
        }
    }

    /// The notes of the report, or why there is none.
    pub fn notes(&self) -> Vec<Note> {
        match self.report() {
            Ok(report) => report.notes(),
            Err(why) => vec![Note::partial(why)],
        }
    }
}

/// The error of every single outcome, if all failed for the same reason.
pub fn common_error<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> Option<&'o str> {
    let mut errors = outcomes.into_iter().map(|outcome| outcome.report().err());
    let first = errors.next()??;
    errors.all(|why| why == Some(first)).then_some(first)
}

/// Notes, each once.
pub fn distinct(notes: impl Iterator<Item = Note>) -> Vec<Note> {
    let mut distinct: Vec<Note> = Vec::new();
    for note in notes {
        if !distinct.contains(&note) {
            distinct.push(note);
        }
    }
    distinct
}

/// The frames of an answer that is the stack of one thread; the answer itself if it is none.
pub fn single_stack(answer: Value) -> Result<Value, Value> {
    let frames = match answer.get("threads").and_then(Value::as_array) {
        Some(threads) if threads.len() == 1 => threads.first().and_then(|t| t.get("frames")),
        _ => None,
    };
    frames.cloned().ok_or(answer)
}
