//! The Python stack of one thread in the form of CPython's own traceback, most recent call first
//! as gdb's libpython.py prints it.

use super::carets::{self, Line, Rules};
use super::fold::{self, Spot, Step};
use super::group;
use super::location;
use super::number::Extent;
use super::row::{PythonRow, kind_word};
use super::source::Sources;
use super::thread::ThreadView;
use super::variables::{Budget, FOLDED_FROM, VariablesView};
use crate::cli::{Out, Style};
use pydbg::python::value::Limits;
use pydbg::python::{FrameOrigin, PyStack, Python};
use serde::Serialize;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// The most frames of one stack in a JSON document, unless a count says otherwise.
const MOST_IN_JSON: usize = 20_000;

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

/// Which frames of a stack are wanted, and for whom.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// How many.
    pub extent: Extent,
    /// Whether the inside of a recursion is left out.
    pub fold: bool,
    /// Whether their variables are shown too.
    pub locals: bool,
    /// Whether they are for a JSON document, which leaves nothing out but the oldest frames of
    /// a stack that is too deep for it.
    pub json: bool,
}

impl Traceback {
    /// The frames of `thread` that are wanted.
    pub fn of(
        python: &Python,
        sources: &mut Sources<'_>,
        thread: ThreadView,
        wanted: Wanted,
    ) -> Traceback {
        let stack = thread.python.as_ref().map(|state| python.stack(state));
        let all = stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        let range = wanted.extent.range(all.len());
        let cut = range.end < all.len();
        let asked = all.get(range.clone()).unwrap_or_default();
        let limit = match wanted.extent {
            Extent::Whole | Extent::AllThreads if wanted.json => MOST_IN_JSON,
            _ => usize::MAX,
        };
        let fold = wanted.fold && !(wanted.locals && asked.len() < FOLDED_FROM);
        let steps = match (wanted.json, fold) {
            (false, true) => fold::plan(&asked.iter().map(Spot::of).collect::<Vec<_>>()),
            _ => (0..asked.len().min(limit)).map(Step::Frame).collect(),
        };
        let rules = Rules::of(&python.version);
        let (mut frames, mut marks) = (Vec::new(), Vec::new());
        for step in &steps {
            let Step::Frame(at) = step else { continue };
            let Some(frame) = asked.get(*at) else {
                continue;
            };
            let index = range.start + at;
            frames.push(PythonRow::of(index, frame, sources.line(frame)));
            if !wanted.json {
                marks.push(match sources.file(frame) {
                    Ok(source) => carets::mark(&source.lines, &frame.position, rules),
                    Err(_) => Vec::new(),
                });
            }
        }
        Traceback {
            left_out: asked.len().checked_sub(limit).filter(|more| *more > 0),
            problem: stack.as_ref().and_then(|stack| stack.problem.clone()),
            thread,
            frames,
            cut,
            steps,
            marks,
            range,
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
