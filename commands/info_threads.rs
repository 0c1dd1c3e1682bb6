//! `info threads`: every thread, and what it is doing.

use crate::cli::render::row::{PythonRow, Row};
use crate::cli::render::source::{self, Sources};
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::{columns, frame, stack, width};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::native::doing::{Doing, Kind};
use pydbg::python::{PyThread, Python};
use pydbg::sync::{Locks, WaitsFor};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::{Value, json};
use std::io;

/// List the threads and what each is doing.
///
/// One line for each thread: gdb's number, "*" at the selected one; the ids and the kernel's name
/// in double quotes; Python's name in single quotes; whether it holds the GIL; what it is doing,
/// of a wait for a lock also whose it is ("locks" shows what that rests on);
/// the innermost Python frame, or the native one where there is no Python. Of a live process it
/// is said how long a sleep still takes and what a file descriptor is.
/// Python thread states whose thread has ended come last.
///
/// Examples:
///     info threads
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoThreads {}

impl Run for InfoThreads {
    const NAME: &'static str = "info threads";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Waits
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        stack::prefetch(session)?;
        let mut threads = Vec::new();
        let mut without_native = Vec::new();
        let roots = source::roots(session);
        let found = session.inferior.found();
        let mut python = found.map(|python| (&**python, Sources::new(python, &roots)));
        let waits = found.map_or_else(FxHashMap::default, |python| Locks::waits_of(python));
        for mut view in ThreadView::all(session)? {
            if session.cancel.is_cancelled() {
                break;
            }
            view.look(session);
            let innermost = view.python.as_ref().and_then(|state| {
                let (python, sources) = python.as_mut()?;
                innermost_python(python, sources, state)
            });
            match view.id {
                None => without_native.push(Line {
                    thread: view,
                    waits_for: None,
                    current: false,
                    frame: innermost,
                }),
                Some(id) => {
                    let away = view
                        .doing
                        .as_ref()
                        .is_some_and(|d| d.kind == Kind::SwitchedAway);
                    let frame = match innermost {
                        Some(row) => Some(row),
                        // The native frames are those of the interpreter that runs.
                        None if away => None,
                        None => Stack::of(session, id)?
                            .rows_with_source(0)
                            .into_iter()
                            .next(),
                    };
                    threads.push(Line {
                        current: id == session.inferior.thread,
                        waits_for: waits.get(&id).filter(|_| !away).cloned(),
                        thread: view,
                        frame,
                    });
                }
            }
        }
        Ok(Box::new(Threads {
            threads,
            python_threads_without_native: without_native,
        }))
    }
}

fn innermost_python(python: &Python, sources: &mut Sources<'_>, state: &PyThread) -> Option<Row> {
    let stack = python.stack(state);
    let frame = stack.frames.first()?;
    let text = sources.line(frame);
    Some(Row::Python(PythonRow::of(0, frame, text)))
}

/// All threads.
#[derive(Serialize)]
struct Threads {
    threads: Vec<Line>,
    python_threads_without_native: Vec<Line>,
}

/// One thread.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    thread: ThreadView,
    /// The lock, or what else it waits for as if it were one, with its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<WaitsFor>,
    current: bool,
    frame: Option<Row>,
}

const HOLDS: &str = "holds the GIL";

impl Line {
    /// gdb's id, and the names.
    fn target(&self) -> String {
        let mut text = self.thread.target_id();
        if let Some(name) = &self.thread.os_name {
            text.push_str(&format!(" \"{name}\""));
        }
        if let Some(name) = &self.thread.name {
            text.push_str(&format!(" '{name}'"));
        }
        if let Some(interpreter) = self.thread.interpreter.filter(|id| *id != 0) {
            text.push_str(&format!(" in interpreter {interpreter}"));
        }
        text
    }

    /// What it is doing, in words: which lock it waits for, and whose that is.
    fn words(&self, doing: &Doing) -> String {
        let waits = self.waits_for.as_ref();
        let words = waits.and_then(|wait| wait.words(&doing.text));
        words.unwrap_or_else(|| doing.text.clone())
    }

    /// What it is doing: the GIL, the system call, the frame.
    fn doing(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.thread.holds_gil {
            parts.push(HOLDS.to_owned());
        }
        parts.extend(self.thread.doing.iter().map(|doing| self.words(doing)));
        parts.extend(self.frame.as_ref().map(frame::brief));
        parts
    }
}

impl Report for Threads {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let all = || {
            self.threads
                .iter()
                .chain(&self.python_threads_without_native)
        };
        if all().next().is_none() {
            return out.put(format_args!("No threads.\n"));
        }
        let targets: Vec<String> = all().map(Line::target).collect();
        let column = targets
            .iter()
            .map(|text| width::of(text).min(columns::WIDEST))
            .max()
            .unwrap_or(0);
        let widest = all()
            .map(|line| width::of(&line.doing().join("  ")))
            .max()
            .unwrap_or(0);
        // Where the lines would not fit, what a thread does goes below it.
        let narrow = out.width > 0 && 8 + column + widest > out.width;
        if narrow {
            out.put(format_args!("  Id   Target Id\n"))?;
        } else {
            out.put(format_args!("  Id   {:column$} Doing\n", "Target Id"))?;
        }
        for (line, target) in all().zip(&targets) {
            let mark = if line.current { '*' } else { ' ' };
            let id = line.thread.id.map_or("-".to_owned(), |id| id.to_string());
            out.put(format_args!("{mark} {id:<4} "))?;
            out.target(target)?;
            let doing = line.doing();
            if doing.is_empty() {
                out.end()?;
                continue;
            }
            if narrow {
                out.put(format_args!("\n       "))?;
            } else {
                let pad = column.saturating_sub(width::of(target)) + 1;
                out.put(format_args!("{:pad$}", ""))?;
            }
            for (index, part) in doing.iter().enumerate() {
                if index > 0 {
                    out.put(format_args!("  "))?;
                }
                match part == HOLDS {
                    true => out.styled(Style::Strong, part)?,
                    false => out.target(part)?,
                }
            }
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!(self)
    }
}
