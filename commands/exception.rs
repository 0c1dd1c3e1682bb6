//! `exception`: the exceptions that threads raise and handle, in Python's own form.

use crate::cli::render::exception::{ExceptionView, Reading, ThreadReport, argument_limits};
use crate::cli::render::source::{self, Sources};
use crate::cli::render::stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::diag::Note;
use serde_json::{Value, json};
use std::io;

/// Print the exceptions a thread raises or handles, with their tracebacks.
///
/// Shows the exception being raised, the one that an "except" or "finally" block in progress
/// handles (and those of the callers of generators in progress), and the last one that nobody
/// handled (sys.last_exc, sys.last_value), in the form of that Python version: chained exceptions,
/// groups, notes, source lines from disk or from memory. "all" shows those of all threads.
/// "exception frame" selects a frame of the traceback, to look at its variables.
///
/// Examples:
///     exception           what the selected thread raises or handles
///     exception all       what each thread raises or handles
///     exception frame 0   where the exception was raised
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Exception {
    /// "all" for all threads
    #[arg(value_name = "all")]
    extent: Option<String>,
}

impl Run for Exception {
    const NAME: &'static str = "exception";
    const ALIASES: &'static [&'static str] = &["py-exc"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// Exceptions lie in memory that is not captured with the stacks.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Memory
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let all = match self.extent.as_deref() {
            None => false,
            Some("all") => true,
            Some(word) => bail!("\"{word}\" is neither \"all\" nor \"frame\""),
        };
        let views: Vec<ThreadView> = ThreadView::all(session)?
            .into_iter()
            .filter(|view| all || view.id == Some(session.inferior.thread))
            .collect();
        if all {
            stack::prefetch(session)?;
        }
        let roots = source::roots(session);
        let mut reading = Reading {
            python: &python,
            sources: Sources::new(&python, &roots),
            limits: argument_limits(session),
            json: session.json,
        };
        let mut threads = Vec::with_capacity(views.len());
        for view in views {
            if session.cancel.is_cancelled() {
                break;
            }
            threads.push(ThreadReport::of(&mut reading, view));
        }
        let last = python.last_exceptions();
        let last = last
            .iter()
            .map(|last| ExceptionView::last(&mut reading, last))
            .collect();
        Ok(Box::new(Exceptions {
            headers: all || threads.len() > 1,
            threads,
            last,
            remarks: reading.sources.remarks().to_vec(),
        }))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["all".to_owned()]
    }
}

/// The exceptions asked for.
struct Exceptions {
    threads: Vec<ThreadReport>,
    last: Vec<ExceptionView>,
    headers: bool,
    remarks: Vec<String>,
}

impl Exceptions {
    /// Whether the exception is shown as that of a thread.
    fn is_shown(&self, view: &ExceptionView) -> bool {
        let mut all = self.threads.iter().flat_map(ThreadReport::addresses);
        all.any(|address| !address.is_null() && address == view.address())
    }
}

impl Report for Exceptions {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let indent = if self.headers { "  " } else { "" };
        let mut idle = 0;
        for thread in &self.threads {
            if thread.is_empty() {
                idle += 1;
                continue;
            }
            if self.headers {
                thread.thread.header(out)?;
            }
            thread.text(out, indent)?;
        }
        match (idle, self.threads.as_slice()) {
            (0, _) => {}
            (1, [one]) => {
                let id = one.thread.id.unwrap_or_default();
                out.put(format_args!(
                    "Thread {id} raises and handles no exception.\n"
                ))?;
            }
            (1, _) => out.put(format_args!("1 thread raises and handles no exception.\n"))?,
            _ => out.put(format_args!(
                "{idle} threads raise and handle no exception.\n"
            ))?,
        }
        for view in &self.last {
            match self.is_shown(view) {
                true => out.put(format_args!("{} the same as above\n", view.title()))?,
                false => view.text(out, "")?,
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let threads: Vec<Value> = self.threads.iter().map(ThreadReport::json).collect();
        json!({
            "threads": threads,
            "last": self.last.first().map(ExceptionView::json),
        })
    }

    fn notes(&self) -> Vec<Note> {
        let problems = self
            .threads
            .iter()
            .filter_map(|thread| Some(Note::partial(thread.problem.clone()?)));
        problems.chain(source::notes(&self.remarks)).collect()
    }
}
