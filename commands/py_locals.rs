//! `py-locals`: the variables of the selected Python frame, with their values.

use crate::cli::render::row::PythonRow;
use crate::cli::render::value::limits;
use crate::cli::render::variables::{Budget, VariablesView};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::diag::Note;
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

    fn needs(_session: &Session, words: &[String]) -> Needs {
        // The globals of modules are not captured.
        let all = |word: &String| word.starts_with("-a") || word.starts_with("--a");
        match words.iter().any(all) {
            true => Needs::Memory,
            false => Needs::Values,
        }
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let selected = session.selected_python()?;
        let (python, frame) = (selected.python, selected.frame);
        let (limits, budget) = (limits(session), Budget::default());
        let variables = VariablesView::of(&python, &frame, limits, &budget);
        // At module level the globals are the locals.
        let globals = match self.all && !python.is_module_level(&frame) {
            true => VariablesView::globals(&python, &frame, limits, &budget),
            false => VariablesView::default(),
        };
        Ok(Box::new(Locals {
            index: selected.index,
            row: PythonRow::of(selected.index.unwrap_or(0), &frame, None),
            variables,
            globals,
            all: self.all,
        }))
    }
}

/// The variables asked for.
struct Locals {
    index: Option<usize>,
    row: PythonRow,
    variables: VariablesView,
    globals: VariablesView,
    all: bool,
}

impl Report for Locals {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.variables.variables.is_empty() && self.variables.problem.is_none() {
            out.put(format_args!("No locals.\n"))?;
        }
        self.variables.grouped(out)?;
        if self.all {
            out.styled(Style::Faint, "[globals of the module]")?;
            out.end()?;
        }
        self.globals.indented(out, "")
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
                data.insert("globals".to_owned(), json!(self.globals.variables));
            }
        }
        data
    }

    fn notes(&self) -> Vec<Note> {
        let problems = (self.variables.problem.iter()).chain(&self.globals.problem);
        let note = |text: &String| Note::partial(text.clone());
        problems.map(note).collect()
    }
}
