//! `info interpreters`: the interpreters of the process and their threads.

use crate::cli::render::interpreter::gil;
use crate::cli::render::thread::ThreadView;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::python::{Interpreter, Python};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// List the Python interpreters of the process, with their GIL and threads.
///
/// Examples:
///     info interpreters
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoInterpreters {}

impl Run for InfoInterpreters {
    const NAME: &'static str = "info interpreters";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Interpreters {
            python: session.python()?.clone(),
            threads: ThreadView::all(session)?,
        }))
    }
}

/// Whether other interpreters use the GIL of `interpreter` too.
fn sharing(interpreter: &Interpreter) -> String {
    let others: Vec<String> = interpreter
        .shares_gil_with
        .iter()
        .map(i64::to_string)
        .collect();
    match others.as_slice() {
        [] => "its own".to_owned(),
        [one] => format!("shared with interpreter {one}"),
        several => format!("shared with interpreters {}", several.join(", ")),
    }
}

/// The interpreters.
struct Interpreters {
    python: Arc<Python>,
    threads: Vec<ThreadView>,
}

impl Report for Interpreters {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for interpreter in &self.python.interpreters {
            let main = if interpreter.id == 0 { " (main)" } else { "" };
            out.put(format_args!(
                "Interpreter {}{main} at {}\n  GIL: ",
                interpreter.id, interpreter.addr
            ))?;
            if self.python.interpreters.len() > 1 {
                out.put(format_args!("{}, ", sharing(interpreter)))?;
            }
            out.target(&gil(&interpreter.gil))?;
            out.end()?;
            if interpreter.collecting == Some(true) {
                out.put(format_args!("  collecting garbage\n"))?;
            }
            if interpreter.threads.is_empty() {
                out.put(format_args!("  no threads\n"))?;
            }
            for state in &interpreter.threads {
                out.put(format_args!("  thread state {}: ", state.tstate))?;
                let view = self.threads.iter().find(|view| {
                    view.python
                        .as_ref()
                        .is_some_and(|python| python.tstate == state.tstate)
                });
                match view.and_then(|view| view.id) {
                    Some(id) => out.put(format_args!("thread {id}"))?,
                    None => out.put(format_args!("no native thread"))?,
                }
                if let Some(tid) = state.tid {
                    out.put(format_args!(" (LWP {tid})"))?;
                }
                if let Some(name) = &state.name {
                    out.put(format_args!(" '"))?;
                    out.target(name)?;
                    out.put(format_args!("'"))?;
                }
                if let Some(words) = view.and_then(ThreadView::gil) {
                    out.put(format_args!(", {words}"))?;
                }
                out.end()?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "interpreters": self.python.interpreters })
    }
}
