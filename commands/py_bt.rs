//! `py-bt`: Python stacks in the form of Python's own tracebacks.

use crate::cli::render::choice::{self, Wanted};
use crate::cli::render::number::Extent;
use crate::cli::render::source::{self, Sources};
use crate::cli::render::thread::ThreadView;
use crate::cli::render::traceback::Traceback;
use crate::cli::render::value::limits;
use crate::cli::render::variables::{Budget, asks_for_locals};
use crate::cli::render::{group, stack, variables};
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::diag::{Note, thousands};
use serde_json::{Value, json};
use std::io;

/// Print the Python stack, most recent call first.
///
/// COUNT is the number of innermost frames to print, or with a minus sign of outermost ones;
/// "all" prints the stacks of all threads, and of Python thread states whose thread has ended.
/// The expression that runs is marked below its line as Python itself marks it (from 3.11 on).
/// A line that a recursion repeats is printed three times and then counted, and of a deep
/// recursion through several functions the innermost frames are printed; -v prints them all.
/// With -m, threads with the same stack (functions, files and lines) are shown as one; with -l,
/// the variables of each frame are printed below it, arguments first, and a recursion of less than
/// 200 frames is printed whole.
///
/// Examples:
///     py-bt           the Python stack of the selected thread
///     py-bt 3         its three innermost frames
///     py-bt -3        its three outermost frames
///     py-bt all       the Python stacks of all threads
///     py-bt -v        every frame of a recursion
///     py-bt -m        all threads, those with the same stack as one
///     py-bt -l 1      the innermost frame with its variables
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyBt {
    /// Print each frame of a recursion
    #[arg(short = 'v', long, visible_alias = "no-fold")]
    verbose: bool,
    /// Show threads with the same stack as one
    #[arg(short, long, conflicts_with = "locals")]
    merge: bool,
    /// Print the variables of each frame
    #[arg(short, long)]
    locals: bool,
    /// How many innermost frames (-COUNT: outermost), or "all" threads
    #[arg(value_name = "COUNT")]
    extent: Option<String>,
}

impl Run for PyBt {
    const NAME: &'static str = "py-bt";
    const ALIASES: &'static [&'static str] = &["py-where"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn needs(_session: &Session, words: &[String]) -> Needs {
        if asks_for_locals(words) {
            return Needs::Values;
        }
        // What a thread is doing, which headers say, takes its native stack.
        let all = |word: &String| word == "all" || (word.starts_with("-m") || word == "--merge");
        match words.iter().any(all) {
            true => Needs::PythonThreads,
            false => Self::NEEDS,
        }
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let asked = Extent::parse(self.extent.as_deref())?;
        let all = asked == Extent::AllThreads || self.merge;
        let views: Vec<ThreadView> = ThreadView::all(session)?
            .into_iter()
            .filter(|view| all || view.id == Some(session.inferior.thread))
            .collect();
        if views.is_empty() {
            bail!(
                "thread {} is not known; \"py-bt all\" shows what Python knows of its threads",
                session.inferior.thread
            );
        }
        if all {
            stack::prefetch(session)?;
        }
        let extent = choice::limited(session, asked);
        let wanted = Wanted {
            extent,
            // A count says how many frames to print.
            fold: !self.verbose && !asked.is_count() && !session.json,
            locals: self.locals,
            most: choice::most(session, extent),
        };
        let roots = source::roots(session);
        let mut sources = Sources::new(&python, &roots);
        let mut threads = Vec::with_capacity(views.len());
        for mut view in views {
            if session.cancel.is_cancelled() {
                break;
            }
            if all {
                view.look(session);
            }
            threads.push(Traceback::of(
                &python,
                &mut sources,
                view,
                wanted,
                !session.json,
            ));
        }
        let remarks = sources.remarks().to_vec();
        if self.locals {
            let (limits, budget) = (limits(session), Budget::default());
            for thread in &mut threads {
                if session.cancel.is_cancelled() {
                    break;
                }
                thread.add_variables(&python, limits, &budget);
            }
        }
        Ok(Box::new(Tracebacks {
            // A thread that runs several interpreters has a stack in each.
            headers: all || threads.len() > 1,
            threads,
            merge: self.merge,
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
    merge: bool,
    remarks: Vec<String>,
}

impl Tracebacks {
    /// The threads that are shown as one.
    fn groups(&self) -> Vec<Vec<&Traceback>> {
        group::of(&self.threads, self.merge, Traceback::key)
    }
}

fn views<'t>(group: &[&'t Traceback]) -> Vec<&'t ThreadView> {
    group.iter().map(|traceback| &traceback.thread).collect()
}

impl Report for Tracebacks {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (index, group) in self.groups().iter().enumerate() {
            let Some(thread) = group.first() else {
                continue;
            };
            if self.headers {
                if index > 0 {
                    out.end()?;
                }
                group::header(out, &views(group))?;
            }
            if thread.is_empty() {
                out.put(format_args!("  no Python frames"))?;
                if let (Some(call), [_]) = (&thread.thread.syscall, group.as_slice()) {
                    out.put(format_args!("; in "))?;
                    out.target(&call.summary)?;
                }
                out.end()?;
            } else {
                thread.text(out)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        if !self.merge {
            return json!({ "threads": self.threads });
        }
        let groups = self.groups();
        let group = |group: &Vec<&Traceback>| {
            let first = group.first()?;
            Some(json!({
                "count": group.len(),
                "threads": views(group),
                "frames": first.frames,
                "problem": first.problem,
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
        let cut = self.threads.iter().filter_map(|thread| {
            let more = thousands(thread.left_out?);
            Some(Note::partial(format!(
                    "{more} older frames of a stack are left out; \"py-bt COUNT\" gives as many as asked"
                )))
        });
        let rows = self.threads.iter().flat_map(|thread| &thread.frames);
        cut.chain(source::notes(&self.remarks))
            .chain(variables::note(rows))
            .collect()
    }
}
