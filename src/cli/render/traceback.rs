//! The Python stack of one thread in the form of CPython's own traceback, most recent call first
//! as gdb's libpython.py prints it.

use super::carets::{self, Line, Rules};
use super::number::Extent;
use super::row::{PythonRow, kind_word};
use super::source::Sources;
use super::thread::ThreadView;
use crate::cli::{Out, Style};
use pydbg::python::{FrameOrigin, Python};
use serde::Serialize;
use std::io;

/// How often CPython prints one line of a recursion before it counts (`_RECURSIVE_CUTOFF`).
const REPEATS: usize = 3;

/// The Python frames of one thread.
#[derive(Serialize)]
pub struct Traceback {
    /// The thread.
    #[serde(flatten)]
    pub thread: ThreadView,
    /// The frames asked for, innermost first.
    pub frames: Vec<PythonRow>,
    /// Why the chain ended too early.
    pub problem: Option<String>,
    /// Whether older frames were left out.
    #[serde(skip)]
    cut: bool,
    #[serde(skip)]
    marks: Vec<Vec<Line>>,
}

impl Traceback {
    /// The frames of `thread` within `extent`.
    pub fn of(
        python: &Python,
        sources: &mut Sources<'_>,
        thread: ThreadView,
        extent: Extent,
    ) -> Traceback {
        let Some(stack) = thread.python.as_ref().map(|state| python.stack(state)) else {
            return Traceback {
                thread,
                frames: Vec::new(),
                problem: None,
                cut: false,
                marks: Vec::new(),
            };
        };
        let rules = Rules::of(&python.version);
        let range = extent.range(stack.frames.len());
        let mut frames = Vec::with_capacity(range.len());
        let mut marks = Vec::with_capacity(range.len());
        for (index, frame) in stack.frames.iter().enumerate() {
            if !range.contains(&index) {
                continue;
            }
            frames.push(PythonRow::of(index, frame, sources.line(frame)));
            marks.push(match sources.file(frame) {
                Ok(source) => carets::mark(&source.lines, &frame.position, rules),
                Err(_) => Vec::new(),
            });
        }
        Traceback {
            thread,
            frames,
            problem: stack.problem.clone(),
            cut: range.end < stack.frames.len(),
            marks,
        }
    }

    /// Whether this thread has no Python to show.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.problem.is_none()
    }

    /// Prints the frames; with `fold`, a line that repeats is printed three times and counted.
    pub fn text(&self, out: &mut Out<'_>, fold: bool) -> io::Result<()> {
        out.put(format_args!("Traceback (most recent call first):\n"))?;
        if self.thread.waits_for_gil == Some(true) {
            out.put(format_args!("  Waiting for the GIL\n"))?;
        }
        let mut repeats = 0;
        let mut previous: Option<&PythonRow> = None;
        for (row, marks) in self.frames.iter().zip(&self.marks) {
            let switches = previous.is_none_or(|previous| previous.origin != row.origin);
            if switches && row.origin == FrameOrigin::DataStack {
                repeated(out, repeats)?;
                repeats = 0;
                out.styled(
                    Style::Faint,
                    "  [the following frames are from the data stack]",
                )?;
                out.end()?;
            }
            if fold && previous.is_some_and(|previous| is_repeat(previous, row)) {
                repeats += 1;
            } else {
                repeated(out, repeats)?;
                repeats = 0;
            }
            previous = Some(row);
            if repeats < REPEATS {
                entry(out, row, marks)?;
            }
        }
        repeated(out, repeats)?;
        if self.cut {
            out.put(format_args!("(More stack frames follow...)\n"))?;
        }
        if let Some(problem) = &self.problem {
            out.styled(
                Style::Faint,
                &format!("  [the stack is damaged: {problem}]"),
            )?;
            out.end()?;
        }
        Ok(())
    }
}

fn is_repeat(previous: &PythonRow, row: &PythonRow) -> bool {
    previous.file == row.file
        && previous.origin == row.origin
        && previous.position.line == row.position.line
        && previous.function == row.function
        && row.problem.is_none()
}

fn repeated(out: &mut Out<'_>, repeats: usize) -> io::Result<()> {
    match (repeats + 1).saturating_sub(REPEATS) {
        0 => Ok(()),
        1 => out.put(format_args!("  [Previous line repeated 1 more time]\n")),
        more => out.put(format_args!(
            "  [Previous line repeated {more} more times]\n"
        )),
    }
}

/// Prints one frame and its source.
fn entry(out: &mut Out<'_>, row: &PythonRow, marks: &[Line]) -> io::Result<()> {
    out.put(format_args!("  File \""))?;
    out.styled(Style::File, &row.file)?;
    match row.position.line {
        Some(line) => out.put(format_args!("\", line {line}, in "))?,
        None => out.put(format_args!("\", line ?, in "))?,
    }
    out.styled(Style::Function, &row.function)?;
    if let Some(word) = kind_word(row.kind) {
        out.put(format_args!(" ({word})"))?;
    }
    out.end()?;
    for line in marks {
        match line {
            Line::Source(text) => {
                out.put(format_args!("    "))?;
                out.target(text)?;
            }
            Line::Marks(marks) => {
                out.put(format_args!("    "))?;
                out.styled(Style::Marked, marks)?;
            }
            Line::Gap(count) => out.put(format_args!("    ...<{count} lines>..."))?,
        }
        out.end()?;
    }
    if let Some(problem) = &row.problem {
        out.put(format_args!("    "))?;
        out.styled(Style::Faint, &format!("[{problem}]"))?;
        out.end()?;
    }
    Ok(())
}
