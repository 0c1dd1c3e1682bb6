//! `py-locals`: the variables of the selected Python frame, with their values.

use crate::cli::render::row::PythonRow;
use crate::cli::render::value::{ValueView, limits};
use crate::cli::render::variables::{VariablesView, is_machinery};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::diag::{Note, Severity};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;

/// Print the variables of the selected Python frame.
///
/// Arguments come first, then locals, those that inner functions use, and the variables of
/// enclosing functions. A variable without a value is said to be unbound. In the body of a module
/// or class and in exec'd code the names are those of its namespace; what Python puts into every
/// module (__name__, __file__ and so on) is left out.
///
/// When a native frame is selected, the Python frame that led to it counts. "set print elements",
/// "set print depth" and "set print repr-limit" say how much of a value is printed.
///
/// Examples:
///     py-locals       arguments and locals
///     py-locals -a    the globals of its module too
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyLocals {
    /// Print the globals of the frame's module too
    #[arg(short, long)]
    all: bool,
}

impl Run for PyLocals {
    const NAME: &'static str = "py-locals";
    const ALIASES: &'static [&'static str] = &["info args", "info locals"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// Values are read when they are asked for.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Memory
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let selected = session.selected_python()?;
        let (python, frame) = (selected.python, selected.frame);
        let limits = limits(session);
        let mut globals = Vec::new();
        let mut problem = None;
        // At module level the globals are the locals.
        if self.all && !python.is_module_level(&frame) {
            let items = python
                .globals(&frame)
                .map(|dict| python.objects.dict_items(dict));
            match items {
                Some(Ok(items)) => globals = items,
                Some(Err(fault)) => problem = Some(format!("the globals cannot be read: {fault}")),
                None => problem = Some("the frame's globals are no dictionary".to_owned()),
            }
        }
        let global = |(name, value)| {
            let name = match python.objects.text(name, LONGEST_NAME) {
                Ok(text) => text.value,
                Err(_) => format!("<key at {name}>"),
            };
            let wanted = !is_machinery(&name);
            wanted.then(|| Global {
                name,
                value: ValueView::of(&python, value, limits),
            })
        };
        Ok(Box::new(Locals {
            index: selected.index,
            variables: VariablesView::of(&python, &frame, limits),
            globals: globals.into_iter().filter_map(global).collect(),
            all: self.all,
            row: PythonRow::of(selected.index.unwrap_or(0), &frame, None),
            problem,
        }))
    }
}

/// The longest name that is shown whole, in characters.
const LONGEST_NAME: u64 = 1000;

/// A name of the module.
#[derive(Serialize)]
struct Global {
    name: String,
    value: ValueView,
}

/// The variables asked for.
struct Locals {
    index: Option<usize>,
    row: PythonRow,
    variables: VariablesView,
    globals: Vec<Global>,
    all: bool,
    problem: Option<String>,
}

impl Report for Locals {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.variables.variables.is_empty() && self.variables.problem.is_none() {
            out.put(format_args!("No locals.\n"))?;
        }
        self.variables.grouped(out)?;
        if !self.globals.is_empty() {
            out.styled(Style::Faint, "[globals of the module]")?;
            out.end()?;
        }
        for global in &self.globals {
            out.target(&global.name)?;
            out.put(format_args!(" = "))?;
            out.target(&global.value.repr)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut frame = json!(self.row);
        if let (None, Some(frame)) = (self.index, frame.as_object_mut()) {
            // A frame that has ended has no number.
            frame.remove("index");
        }
        let mut data = json!(self.variables);
        if let Some(data) = data.as_object_mut() {
            data.insert("frame".to_owned(), frame);
            if self.all {
                data.insert("globals".to_owned(), json!(self.globals));
            }
        }
        data
    }

    fn notes(&self) -> Vec<Note> {
        let problems = self.problem.iter().chain(&self.variables.problem);
        let note = |text: &String| Note {
            severity: Severity::Partial,
            text: text.clone(),
        };
        problems.map(note).collect()
    }
}
