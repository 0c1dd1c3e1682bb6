//! `py-bt`: Python stacks in the form of Python's own tracebacks.

use crate::cli::render::number::Extent;
use crate::cli::render::source::{self, Sources};
use crate::cli::render::thread::ThreadView;
use crate::cli::render::traceback::Traceback;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::diag::{Note, Severity};
use serde_json::{Value, json};
use std::io;

/// Print the Python stack, most recent call first.
///
/// COUNT is the number of innermost frames to print, or with a minus sign of outermost ones;
/// "all" prints the stacks of all threads, and of Python thread states whose thread has ended.
/// The expression that runs is marked below its line as Python itself marks it (from 3.11 on).
/// A line that a recursion repeats is printed three times and then counted.
///
/// Examples:
///     py-bt           the Python stack of the selected thread
///     py-bt 3         its three innermost frames
///     py-bt -3        its three outermost frames
///     py-bt all       the Python stacks of all threads
///     py-bt --no-fold every frame of a recursion
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyBt {
    /// Print each frame of a recursion
    #[arg(long)]
    no_fold: bool,
    /// How many innermost frames (-COUNT: outermost), or "all" threads
    #[arg(value_name = "COUNT")]
    extent: Option<String>,
}

impl Run for PyBt {
    const NAME: &'static str = "py-bt";
    const ALIASES: &'static [&'static str] = &["py-where"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let asked = Extent::parse(self.extent.as_deref())?;
        let all = asked == Extent::AllThreads;
        let extent = match (asked, session.settings.get_count("backtrace limit")) {
            (Extent::Whole | Extent::AllThreads, Some(limit)) => Extent::Innermost(limit),
            (extent, _) => extent,
        };
        let views: Vec<ThreadView> = ThreadView::all(session)?
            .into_iter()
            .filter(|view| all || view.id == Some(session.thread))
            .collect();
        if views.is_empty() {
            bail!(
                "thread {} is not known; \"py-bt all\" shows what Python knows of its threads",
                session.thread
            );
        }
        if all {
            python.stacks();
        }
        let roots = source::roots(session);
        let mut sources = Sources::new(&python, &roots);
        let mut threads = Vec::with_capacity(views.len());
        for view in views {
            if session.cancel.is_cancelled() {
                break;
            }
            threads.push(Traceback::of(&python, &mut sources, view, extent));
        }
        let remarks = sources.remarks().to_vec();
        Ok(Box::new(Tracebacks {
            // A thread that runs several interpreters has a stack in each.
            headers: all || threads.len() > 1,
            threads,
            fold: !self.no_fold,
            remarks,
        }))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["all".to_owned()]
    }
}

/// The Python stacks asked for.
struct Tracebacks {
    threads: Vec<Traceback>,
    headers: bool,
    fold: bool,
    remarks: Vec<String>,
}

impl Report for Tracebacks {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (index, thread) in self.threads.iter().enumerate() {
            if self.headers {
                if index > 0 {
                    out.end()?;
                }
                thread.thread.header(out)?;
            }
            if thread.is_empty() {
                out.put(format_args!("  no Python frames"))?;
                if let Some(call) = &thread.thread.syscall {
                    out.put(format_args!("; in "))?;
                    out.target(&call.summary)?;
                }
                out.end()?;
            } else {
                thread.text(out, self.fold)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "threads": self.threads })
    }

    fn notes(&self) -> Vec<Note> {
        let problems = self.threads.iter().filter_map(|thread| {
            let problem = thread.problem.as_ref()?;
            let name = match (thread.thread.id, thread.thread.ident) {
                (Some(id), _) => format!("thread {id}"),
                (None, Some(ident)) => format!("thread with ident {ident}"),
                (None, None) => "a thread".to_owned(),
            };
            Some(Note {
                severity: Severity::Partial,
                text: format!("{name}: the Python stack ends early: {problem}"),
            })
        });
        let remarks = self.remarks.iter().map(|remark| source::note(remark));
        problems.chain(remarks).collect()
    }
}
