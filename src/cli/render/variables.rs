//! The variables of a Python frame in answers: `name = value`, one on a line.
//!
//! Those of many stacks are written by one processor: the tables of types and names that all
//! values share lie behind locks, and processors that take these from each other are slower than
//! one (0.52 s against 0.38 s for 1,000 threads of 50 frames).

use super::row::PythonRow;
use super::value::ValueView;
use crate::cli::{Out, Style};
use pydbg::diag::Note;
use pydbg::python::value::Limits;
use pydbg::python::variables::{Variable, VariableKind, Variables};
use pydbg::python::{PyFrame, Python};
use serde::Serialize;
use std::cell::Cell;
use std::io;
use std::sync::Arc;

/// One variable.
#[derive(Clone, Debug, Serialize)]
pub struct VariableView {
    /// Its name.
    pub name: Arc<str>,
    /// What it is to its frame.
    pub kind: VariableKind,
    /// Whether it is an argument.
    pub argument: bool,
    /// Whether it has a value.
    pub bound: bool,
    /// Its value.
    pub value: Option<ValueView>,
}

/// The variables of one frame.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VariablesView {
    /// Arguments first.
    pub variables: Vec<VariableView>,
    /// Why some are missing.
    #[serde(rename = "variables_problem", skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What Python itself puts into the namespace of every module.
const MACHINERY: &[&str] = &[
    "__annotate__",
    "__annotations__",
    "__builtins__",
    "__cached__",
    "__conditional_annotations__",
    "__doc__",
    "__file__",
    "__loader__",
    "__name__",
    "__package__",
    "__path__",
    "__spec__",
    "__warningregistry__",
];

/// Whether Python itself puts a name into the namespace of every module.
fn is_machinery(name: &str) -> bool {
    MACHINERY.binary_search(&name).is_ok()
}

/// Whether the words of `bt` or `py-bt` ask for variables: `-l`, `-vl`, `--locals`, `--full`.
pub fn asks_for_locals(words: &[String]) -> bool {
    let asks = |word: &String| match word.strip_prefix("--") {
        Some(long) => long.starts_with('l') || long.starts_with('f'),
        None => word.starts_with('-') && word.contains('l'),
    };
    words.iter().any(asks)
}

/// What the variables of these frames lack, if anything.
pub fn note<'r>(rows: impl IntoIterator<Item = &'r PythonRow>) -> Option<Note> {
    let views = rows.into_iter().filter_map(|row| row.variables.as_ref());
    let mut problems = views.filter_map(|view| view.problem.as_ref());
    let first = problems.next()?;
    let more = match problems.count() {
        0 => String::new(),
        more => format!(" (and {more} more frames)"),
    };
    Some(Note::partial(format!(
        "variables of a frame are missing: {first}{more}"
    )))
}

/// How much text the variables of one answer may still take: a damaged stack may claim more than
/// fits into memory.
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Cell::new(256 << 20))
    }
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    fn spend(&self, variable: &VariableView) {
        let text = variable.value.as_ref().map_or(0, |value| value.repr.len());
        let size = size_of::<VariableView>() + text;
        self.0.set(self.0.get().saturating_sub(size));
    }
}

impl VariableView {
    /// One variable with its value as text.
    pub fn of(python: &Python, variable: Variable, limits: Limits) -> VariableView {
        VariableView {
            name: variable.name,
            kind: variable.kind,
            argument: variable.argument,
            bound: variable.value.is_some(),
            value: variable
                .value
                .map(|value| ValueView::of(python, value, limits)),
        }
    }

    /// Prints `name = value` and ends the line.
    pub fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.target(&self.name)?;
        out.put(format_args!(" = "))?;
        match &self.value {
            Some(value) => out.target(&value.repr)?,
            None => out.styled(Style::Faint, "<unbound>")?,
        }
        out.end()
    }

    /// The words above variables of its sort.
    fn heading(&self) -> &'static str {
        match self.kind {
            _ if self.argument => "arguments",
            VariableKind::Argument => "arguments",
            VariableKind::Local => "locals",
            VariableKind::Cell => "locals that inner functions use",
            VariableKind::Free => "variables of enclosing functions",
            VariableKind::Hidden => "temporaries of a comprehension",
            VariableKind::Namespace => "names in the namespace",
        }
    }
}

impl VariablesView {
    /// The variables of `frame` as far as the budget goes, but for what Python itself puts into the namespace of every
    /// module and the temporaries of comprehensions that are not at work.
    pub fn of(python: &Python, frame: &PyFrame, limits: Limits, budget: &Budget) -> VariablesView {
        let module = python.is_module_level(frame);
        let wanted = |variable: &Variable| match variable.kind {
            VariableKind::Hidden => variable.value.is_some(),
            VariableKind::Namespace => !(module && is_machinery(&variable.name)),
            _ => true,
        };
        VariablesView::within(python, budget, limits, || python.variables(frame), wanted)
    }

    /// The names of the module that a frame's code belongs to, likewise.
    pub fn globals(
        python: &Python,
        frame: &PyFrame,
        limits: Limits,
        budget: &Budget,
    ) -> VariablesView {
        let wanted = |variable: &Variable| !is_machinery(&variable.name);
        let read = || python.global_variables(frame);
        VariablesView::within(python, budget, limits, read, wanted)
    }

    fn within(
        python: &Python,
        budget: &Budget,
        limits: Limits,
        read: impl FnOnce() -> Variables,
        wanted: impl Fn(&Variable) -> bool,
    ) -> VariablesView {
        const TOO_MUCH: &str = "variables are left out, because those before take too much";
        if budget.is_spent() {
            return VariablesView {
                variables: Vec::new(),
                problem: Some(TOO_MUCH.to_owned()),
            };
        }
        let Variables { all, problem } = read();
        let mut view = VariablesView {
            variables: Vec::with_capacity(all.len()),
            problem,
        };
        for variable in all.into_iter().filter(wanted) {
            if budget.is_spent() {
                view.problem.get_or_insert_with(|| TOO_MUCH.to_owned());
                break;
            }
            let variable = VariableView::of(python, variable, limits);
            budget.spend(&variable);
            view.variables.push(variable);
        }
        view
    }

    /// Prints them below a frame.
    pub fn indented(&self, out: &mut Out<'_>, indent: &str) -> io::Result<()> {
        for variable in &self.variables {
            out.put(format_args!("{indent}"))?;
            variable.text(out)?;
        }
        if self.problem.is_some() {
            out.put(format_args!("{indent}"))?;
        }
        self.problem(out)
    }

    /// Prints them in groups, arguments apart from locals, each below a line that says what
    /// they are.
    pub fn grouped(&self, out: &mut Out<'_>) -> io::Result<()> {
        let mut headings: Vec<&str> = Vec::new();
        for variable in &self.variables {
            if !headings.contains(&variable.heading()) {
                headings.push(variable.heading());
            }
        }
        for heading in headings {
            out.styled(Style::Faint, &format!("[{heading}]"))?;
            out.end()?;
            let group = self.variables.iter();
            for variable in group.filter(|variable| variable.heading() == heading) {
                variable.text(out)?;
            }
        }
        self.problem(out)
    }

    fn problem(&self, out: &mut Out<'_>) -> io::Result<()> {
        if let Some(problem) = &self.problem {
            out.styled(Style::Faint, &format!("[{problem}]"))?;
            out.end()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_machinery_are_sorted() {
        assert!(MACHINERY.is_sorted());
        assert!(is_machinery("__name__") && !is_machinery("__version__"));
    }
}
