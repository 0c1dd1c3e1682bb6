//! `bt`: native and Python frames in one stack.

use crate::cli::render::choice::{self, Wanted};
use crate::cli::render::fold::{Spot, Step};
use crate::cli::render::number::Extent;
use crate::cli::render::row::Row;
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::value::limits;
use crate::cli::render::variables::{Budget, VariablesView, asks_for_locals};
use crate::cli::render::{frame, group, row, source, stack, variables};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::Addr;
use pydbg::diag::{Note, thousands};
use pydbg::python::value::Limits;
use pydbg::python::{MergedFrame, MergedStack, Python};
use pydbg::unwind::{End, NativeFrame};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;

/// Print the stack of native and Python frames, innermost first.
///
/// COUNT is the number of innermost frames to print, or with a minus sign of outermost ones;
/// "all" prints the stacks of all threads. The Python frames stand where the interpreter's
/// evaluation loop runs them. Frames have one number in all commands; functions that the
/// compiler inlined share the number of the frame they are part of.
///
/// Of a deep recursion the innermost frames are printed; -v prints them all. With -m, threads
/// with the same stack (functions, and of Python lines) are shown as one. With -l, the variables
/// of each Python frame are printed below it, arguments first, and a recursion of less than 200
/// frames is printed whole.
///
/// A frame that was not found by call frame information is marked: [frame pointer] is mostly
/// right, [scan: may be wrong] is a guess.
///
/// Examples:
///     bt            the stack of the selected thread
///     bt 5          its five innermost frames
///     bt -5         its five outermost frames
///     bt all        the stacks of all threads
///     bt -m         all threads, those with the same stack as one
///     bt -p         the Python frames alone, with their numbers in the whole stack
///     bt -n         the native frames alone, with the evaluation loop
///     bt -l 5       the five innermost frames, the Python ones with their variables
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Bt {
    /// Native frames alone, with those of the evaluation loop
    #[arg(short, long, conflicts_with = "python")]
    native: bool,
    /// Python frames alone
    #[arg(short, long)]
    python: bool,
    /// Show threads with the same stack (functions; of Python also lines) as one
    #[arg(short, long, conflicts_with = "locals")]
    merge: bool,
    /// Print the variables of each Python frame
    #[arg(short, long, visible_alias = "full", conflicts_with = "native")]
    locals: bool,
    /// Print each frame of a recursion
    #[arg(short, long)]
    verbose: bool,
    /// How many innermost frames (-COUNT: outermost), or "all" threads
    #[arg(value_name = "COUNT")]
    extent: Option<String>,
}

impl Run for Bt {
    const NAME: &'static str = "bt";
    const ALIASES: &'static [&'static str] = &["where", "backtrace"];
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn needs(_session: &Session, words: &[String]) -> Needs {
        match asks_for_locals(words) {
            true => Needs::Values,
            false => Self::NEEDS,
        }
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let asked = Extent::parse(self.extent.as_deref())?;
        let all = asked == Extent::AllThreads || self.merge;
        let wanted = Wanted {
            extent: choice::limited(session, asked),
            // A count says how many frames to print.
            fold: !self.verbose && !asked.is_count() && !session.json,
            locals: self.locals,
            most: choice::most(session, asked),
        };
        let ids = if all {
            stack::prefetch(session)?;
            (1..=session.process()?.threads().len()).collect()
        } else {
            vec![session.inferior.thread]
        };
        let mut threads = Vec::with_capacity(ids.len());
        let mut remarks = Vec::new();
        for id in ids {
            if session.cancel.is_cancelled() {
                break;
            }
            let mut thread = ThreadView::find(session, id)?;
            if all {
                thread.look(session);
            }
            let stack = Stack::of(session, id)?;
            let frames = if self.native {
                native_rows(&stack, wanted)
            } else {
                merged_rows(&stack, wanted, self.python)
            };
            for remark in frames.remarks {
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
            threads.push(Thread {
                thread,
                left_out: frames.left_out,
                gaps: frames.gaps,
                matched: stack.merged.matched,
                end: stack.native.as_ref().map(|native| native.end.clone()),
                broken: stack.broken().filter(|_| !frames.more && !self.python),
                note: stack.merged.note.clone().filter(|_| !self.native),
                more: frames.more,
                frames: frames.rows,
                merged: stack.merged,
            });
        }
        if self.locals
            && let Some(python) = session.inferior.found()
        {
            let (limits, budget) = (limits(session), Budget::default());
            for thread in &mut threads {
                if session.cancel.is_cancelled() {
                    break;
                }
                thread.add_variables(python, limits, &budget);
            }
        }
        Ok(Box::new(Backtrace {
            threads,
            remarks,
            headers: all,
            merge: self.merge,
        }))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["all".to_owned()]
    }
}

/// The rows of one stack.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    /// What stands for folded frames, and before which row.
    gaps: Vec<(usize, String)>,
    /// Whether outer frames were not asked for.
    more: bool,
    left_out: Option<usize>,
    remarks: Vec<String>,
}

impl Rows {
    /// Of `frames`, each a number and what tells it from others, those that are wanted.
    fn of(
        frames: &[(usize, Spot)],
        wanted: Wanted,
        mut rows_of: impl FnMut(usize) -> Vec<Row>,
    ) -> Rows {
        let choice = wanted.choose(frames, |(_, spot)| *spot);
        let mut rows = Rows {
            more: choice.cut,
            left_out: choice.left_out,
            ..Rows::default()
        };
        for step in choice.steps {
            match step {
                Step::Words(words) => rows.gaps.push((rows.rows.len(), words)),
                Step::Frame(at) => {
                    let number = frames.get(at).map(|(number, _)| *number);
                    rows.rows
                        .extend(number.map(&mut rows_of).unwrap_or_default());
                }
            }
        }
        rows
    }
}

/// Unlike Python's tracebacks, `bt` does not count repetitions of one line.
fn spot(code: Addr) -> Spot {
    Spot { code, line: None }
}

fn native_spot(frame: &NativeFrame) -> Spot {
    spot(frame.function_start.unwrap_or(frame.pc.addr()))
}

fn merged_rows(stack: &Stack, wanted: Wanted, python_only: bool) -> Rows {
    let frames = stack.merged.frames.iter().enumerate();
    let frames: Vec<(usize, Spot)> = frames
        .filter_map(|(number, frame)| match frame {
            MergedFrame::Python(frame) => Some((number, spot(frame.code))),
            MergedFrame::Native(_) if python_only => None,
            MergedFrame::Native(frame) => Some((number, native_spot(frame))),
        })
        .collect();
    let mut sources = stack.sources();
    let mut rows = Rows::of(&frames, wanted, |number| stack.rows(number, &mut sources));
    rows.remarks = sources.map_or(Vec::new(), |sources| sources.remarks().to_vec());
    rows
}

fn native_rows(stack: &Stack, wanted: Wanted) -> Rows {
    let Some(native) = &stack.native else {
        return Rows::default();
    };
    let numbers = stack.numbered_native();
    let frames = native.frames.iter().enumerate();
    let frames: Vec<(usize, Spot)> = frames.map(|(at, frame)| (at, native_spot(frame))).collect();
    Rows::of(&frames, wanted, |at| {
        let number = numbers.get(at).copied().flatten().unwrap_or(at);
        let frame = native.frames.get(at);
        frame.map_or(Vec::new(), |frame| stack.native_rows(number, frame))
    })
}

/// The stacks asked for.
#[derive(Serialize)]
struct Backtrace {
    threads: Vec<Thread>,
    #[serde(skip)]
    headers: bool,
    #[serde(skip)]
    merge: bool,
    #[serde(skip)]
    remarks: Vec<String>,
}

/// The stack of one thread.
#[derive(Serialize)]
struct Thread {
    #[serde(flatten)]
    thread: ThreadView,
    matched: bool,
    frames: Vec<Row>,
    end: Option<End>,
    /// How many frames were left out because nobody asked for so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<usize>,
    #[serde(skip)]
    gaps: Vec<(usize, String)>,
    #[serde(skip)]
    more: bool,
    #[serde(skip)]
    broken: Option<String>,
    #[serde(skip)]
    note: Option<String>,
    /// The stack that `frames` shows.
    #[serde(skip)]
    merged: MergedStack,
}

impl Thread {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.frames.is_empty() {
            out.put(format_args!("No stack.\n"))?;
        }
        let mut gaps = self.gaps.iter().peekable();
        for (at, row) in self.frames.iter().enumerate() {
            while let Some((_, words)) = gaps.next_if(|(before, _)| *before <= at) {
                out.put(format_args!("{words}\n"))?;
            }
            frame::line(out, row)?;
            frame::indented_source(out, row)?;
            if let Row::Python(row) = row
                && let Some(variables) = &row.variables
            {
                variables.indented(out, "    ")?;
            }
        }
        for (_, words) in gaps {
            out.put(format_args!("{words}\n"))?;
        }
        if self.more {
            out.put(format_args!("(More stack frames follow...)\n"))?;
        }
        if let Some(why) = &self.broken {
            out.styled(Style::Faint, &format!("Backtrace stopped: {why}"))?;
            out.end()?;
        }
        Ok(())
    }
}

impl Thread {
    /// Adds the variables of each Python frame.
    fn add_variables(&mut self, python: &Python, limits: Limits, budget: &Budget) {
        for row in &mut self.frames {
            if let Row::Python(row) = row
                && let Some(MergedFrame::Python(frame)) = self.merged.frames.get(row.index)
            {
                row.variables = Some(VariablesView::of(python, frame, limits, budget));
            }
        }
    }

    /// What is the same in stacks that are the same.
    fn key(&self) -> (u128, usize) {
        let left_out = self.gaps.len() + self.left_out.unwrap_or(0);
        (group::row_key(self.frames.iter()), left_out)
    }
}

impl Backtrace {
    /// The threads that are shown as one.
    fn groups(&self) -> Vec<Vec<&Thread>> {
        group::of(&self.threads, self.merge, Thread::key)
    }
}

fn views<'t>(group: &[&'t Thread]) -> Vec<&'t ThreadView> {
    group.iter().map(|thread| &thread.thread).collect()
}

impl Report for Backtrace {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (index, group) in self.groups().iter().enumerate() {
            if self.headers {
                if index > 0 {
                    out.end()?;
                }
                group::header(out, &views(group))?;
            }
            if let Some(thread) = group.first() {
                thread.text(out)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        if !self.merge {
            return json!(self);
        }
        let groups = self.groups();
        let group = |group: &Vec<&Thread>| {
            let first = group.first()?;
            Some(json!({
                "count": group.len(),
                "threads": views(group),
                "frames": first.frames,
                "matched": first.matched,
                "end": first.end,
            }))
        };
        json!({ "groups": groups.iter().filter_map(group).collect::<Vec<_>>() })
    }

    fn sameness(&self) -> Option<String> {
        let [thread] = self.threads.as_slice() else {
            return None;
        };
        Some(format!("{:?}", thread.key()))
    }

    fn notes(&self) -> Vec<Note> {
        let partial = |thread: &Thread, text: &str| {
            Note::partial(match thread.thread.id {
                Some(id) => format!("thread {id}: {text}"),
                None => text.to_owned(),
            })
        };
        let mut notes = Vec::new();
        for thread in &self.threads {
            if let Some(why) = &thread.broken {
                notes.push(partial(
                    thread,
                    &format!("the native stack ends early: {why}"),
                ));
            }
            if let Some(more) = thread.left_out {
                let more = thousands(more);
                let text = format!(
                    "{more} older frames are left out; \"bt COUNT\" gives as many as asked"
                );
                notes.push(partial(thread, &text));
            }
            if let Some(note) = &thread.note {
                notes.push(partial(thread, note));
            }
            let guessed = thread.frames.iter().any(row::is_guess);
            if guessed {
                notes.push(partial(thread, "frames marked [scan] may be wrong"));
            }
        }
        let rows = self.threads.iter().flat_map(|thread| &thread.frames);
        notes.extend(variables::note(rows.filter_map(|row| match row {
            Row::Python(row) => Some(row),
            Row::Native(_) => None,
        })));
        notes.extend(source::notes(&self.remarks));
        notes
    }
}
