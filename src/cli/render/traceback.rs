//! The Python stack of one thread in the form of CPython's own traceback, most recent call first
//! as gdb's libpython.py prints it.

use super::carets::{self, Line, Rules};
use super::choice::Wanted;
use super::fold::{Spot, Step};
use super::group;
use super::location;
use super::row::{PythonRow, kind_word};
use super::source::Sources;
use super::thread::ThreadView;
use super::variables::{Budget, VariablesView};
use crate::cli::{Out, Style};
use pydbg::python::value::Limits;
use pydbg::python::{FrameOrigin, PyStack, Python};
use serde::Serialize;
use std::io;
use std::ops::Range;
use std::sync::Arc;

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
    /// How many frames were left out because nobody asked for so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<usize>,
    /// Whether older frames were left out.
    #[serde(skip)]
    cut: bool,
    #[serde(skip)]
    steps: Vec<Step>,
    #[serde(skip)]
    marks: Vec<Vec<Line>>,
    #[serde(skip)]
    stack: Option<Arc<PyStack>>,
    #[serde(skip)]
    range: Range<usize>,
}

impl Traceback {
    /// The frames of `thread` that are wanted, and if they are to be `marked`, the source of each
    /// with the expression that runs.
    pub fn of(
        python: &Python,
        sources: &mut Sources<'_>,
        thread: ThreadView,
        wanted: Wanted,
        marked: bool,
    ) -> Traceback {
        let stack = thread.python.as_ref().map(|state| python.stack(state));
        let all = stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        let choice = wanted.choose(all, Spot::of);
        let rules = Rules::of(&python.version);
        let (mut frames, mut marks) = (Vec::new(), Vec::new());
        for step in &choice.steps {
            let Step::Frame(index) = step else { continue };
            let Some(frame) = all.get(*index) else {
                continue;
            };
            frames.push(PythonRow::of(*index, frame, sources.line(frame)));
            if marked {
                marks.push(match sources.file(frame) {
                    Ok(source) => carets::mark(&source.lines, &frame.position, rules),
                    Err(_) => Vec::new(),
                });
            }
        }
        Traceback {
            left_out: choice.left_out,
            problem: stack.as_ref().and_then(|stack| stack.problem.clone()),
            thread,
            frames,
            cut: choice.cut,
            steps: choice.steps,
            marks,
            range: choice.range,
            stack: stack.clone(),
        }
    }

    /// Adds the variables of each frame.
    pub fn add_variables(&mut self, python: &Python, limits: Limits, budget: &Budget) {
        let all = self.stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        for row in &mut self.frames {
            if let Some(frame) = all.get(row.index) {
                row.variables = Some(VariablesView::of(python, frame, limits, budget));
            }
        }
    }

    /// What is the same in stacks that are the same.
    pub fn key(&self) -> (u128, Option<String>) {
        let all = self.stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        let asked = all.get(self.range.clone()).unwrap_or_default();
        (group::python_key(asked.iter()), self.problem.clone())
    }

    /// Whether this thread has no Python to show.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.problem.is_none()
    }

    /// Prints the frames.
    pub fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!("Traceback (most recent call first):\n"))?;
        if self.thread.waits_for_gil == Some(true) {
            out.put(format_args!("  Waiting for the GIL\n"))?;
        }
        let mut rows = self.frames.iter().zip(&self.marks);
        let mut origin = FrameOrigin::Chain;
        for step in &self.steps {
            match step {
                Step::Words(words) => out.put(format_args!("  {words}\n"))?,
                Step::Frame(_) => {
                    if let Some((row, marks)) = rows.next() {
                        if row.origin != origin && row.origin == FrameOrigin::DataStack {
                            let words = "  [the following frames are from the data stack]";
                            out.styled(Style::Faint, words)?;
                            out.end()?;
                        }
                        origin = row.origin;
                        entry(out, row, marks)?;
                    }
                }
            }
        }
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

/// Prints one frame and its source.
fn entry(out: &mut Out<'_>, row: &PythonRow, marks: &[Line]) -> io::Result<()> {
    out.put(format_args!("  "))?;
    location::put(out, &row.file, row.position.line, "?", &row.function)?;
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
    match &row.variables {
        Some(variables) => variables.indented(out, "    "),
        None => Ok(()),
    }
}
