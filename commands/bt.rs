//! `bt`: native and Python frames in one stack.

use crate::cli::render::number::Extent;
use crate::cli::render::row::Row;
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::{frame, row, source, stack};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::diag::{Note, Severity};
use pydbg::unwind::End;
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
/// A frame that was not found by call frame information is marked: [frame pointer] is mostly
/// right, [scan: may be wrong] is a guess.
///
/// Examples:
///     bt            the stack of the selected thread
///     bt 5          its five innermost frames
///     bt -5         its five outermost frames
///     bt all        the stacks of all threads
///     bt -p         the Python frames alone, with their numbers in the whole stack
///     bt -n         the native frames alone, with the evaluation loop
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Bt {
    /// Native frames alone, with those of the evaluation loop
    #[arg(short, long, conflicts_with = "python")]
    native: bool,
    /// Python frames alone
    #[arg(short, long)]
    python: bool,
    /// How many innermost frames (-COUNT: outermost), or "all" threads
    #[arg(value_name = "COUNT")]
    extent: Option<String>,
}

impl Run for Bt {
    const NAME: &'static str = "bt";
    const ALIASES: &'static [&'static str] = &["where", "backtrace"];
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let extent = limited(session, Extent::parse(self.extent.as_deref())?);
        let all = self.extent.as_deref() == Some("all");
        let ids = if all {
            stack::prefetch(session)?;
            (1..=session.process()?.threads().len()).collect()
        } else {
            vec![session.thread]
        };
        let mut threads = Vec::with_capacity(ids.len());
        let mut remarks = Vec::new();
        for id in ids {
            if session.cancel.is_cancelled() {
                break;
            }
            let stack = Stack::of(session, id)?;
            let frames = if self.native {
                native_rows(&stack, extent)
            } else {
                merged_rows(&stack, extent, self.python)
            };
            for remark in frames.remarks {
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
            threads.push(Thread {
                thread: ThreadView::find(session, id)?,
                matched: stack.merged.matched,
                end: stack.native.as_ref().map(|native| native.end.clone()),
                broken: stack.broken().filter(|_| !frames.more && !self.python),
                note: stack.merged.note.clone().filter(|_| !self.native),
                more: frames.more,
                frames: frames.rows,
            });
        }
        Ok(Box::new(Backtrace {
            threads,
            remarks,
            headers: all,
        }))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["all".to_owned()]
    }
}

/// `set backtrace limit` holds where no count is given.
fn limited(session: &Session, extent: Extent) -> Extent {
    match (extent, session.settings.get_count("backtrace limit")) {
        (Extent::Whole | Extent::AllThreads, Some(limit)) => Extent::Innermost(limit),
        (extent, _) => extent,
    }
}

/// The rows of one stack, whether outer frames were left out, and remarks on source files.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    more: bool,
    remarks: Vec<String>,
}

fn merged_rows(stack: &Stack, extent: Extent, python_only: bool) -> Rows {
    let numbers: Vec<usize> = if python_only {
        stack.python_indices().collect()
    } else {
        (0..stack.len()).collect()
    };
    let range = extent.range(numbers.len());
    let mut sources = stack.sources();
    let rows = numbers
        .get(range.clone())
        .unwrap_or_default()
        .iter()
        .flat_map(|number| stack.rows(*number, &mut sources))
        .collect();
    Rows {
        rows,
        more: range.end < numbers.len(),
        remarks: sources.map_or(Vec::new(), |sources| sources.remarks().to_vec()),
    }
}

fn native_rows(stack: &Stack, extent: Extent) -> Rows {
    let Some(native) = &stack.native else {
        return Rows::default();
    };
    let range = extent.range(native.frames.len());
    let numbers = stack.numbered_native();
    let rows = native
        .frames
        .iter()
        .enumerate()
        .filter(|(at, _)| range.contains(at))
        .flat_map(|(at, frame)| {
            let number = numbers.get(at).copied().flatten().unwrap_or(at);
            stack.native_rows(number, frame)
        })
        .collect();
    Rows {
        rows,
        more: range.end < native.frames.len(),
        remarks: Vec::new(),
    }
}

/// The stacks asked for.
#[derive(Serialize)]
struct Backtrace {
    threads: Vec<Thread>,
    #[serde(skip)]
    headers: bool,
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
    #[serde(skip)]
    more: bool,
    #[serde(skip)]
    broken: Option<String>,
    #[serde(skip)]
    note: Option<String>,
}

impl Thread {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.frames.is_empty() {
            out.put(format_args!("No stack.\n"))?;
        }
        for row in &self.frames {
            frame::line(out, row)?;
            frame::indented_source(out, row)?;
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

impl Report for Backtrace {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (index, thread) in self.threads.iter().enumerate() {
            if self.headers {
                if index > 0 {
                    out.end()?;
                }
                thread.thread.header(out)?;
            }
            thread.text(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!(self)
    }

    fn notes(&self) -> Vec<Note> {
        let partial = |thread: &Thread, text: &str| Note {
            severity: Severity::Partial,
            text: match thread.thread.id {
                Some(id) => format!("thread {id}: {text}"),
                None => text.to_owned(),
            },
        };
        let mut notes = Vec::new();
        for thread in &self.threads {
            if let Some(why) = &thread.broken {
                notes.push(partial(
                    thread,
                    &format!("the native stack ends early: {why}"),
                ));
            }
            if let Some(note) = &thread.note {
                notes.push(partial(thread, note));
            }
            let guessed = thread.frames.iter().any(row::is_guess);
            if guessed {
                notes.push(partial(thread, "frames marked [scan] may be wrong"));
            }
        }
        notes.extend(self.remarks.iter().map(|remark| source::note(remark)));
        notes
    }
}
