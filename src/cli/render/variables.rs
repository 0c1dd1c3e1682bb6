//! The variables of a Python frame in answers: `name = value`, one on a line.

use super::value::ValueView;
use crate::cli::{Out, Style};
use pydbg::python::value::Limits;
use pydbg::python::variables::{Variable, VariableKind, Variables};
use pydbg::python::{PyFrame, Python};
use rayon::prelude::*;
use serde::Serialize;
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
pub fn is_machinery(name: &str) -> bool {
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

/// Does something with each of many stacks, on all processors where that is worth it.
pub fn in_parallel<T: Send>(stacks: &mut [T], each: impl Fn(&mut T) + Send + Sync) {
    // Waking the other processors costs more than a few stacks do.
    const FEW: usize = 8;
    match stacks.len() {
        0..FEW => stacks.iter_mut().for_each(each),
        _ => stacks.par_iter_mut().for_each(each),
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
    /// The variables of `frame`, but for what Python itself puts into the namespace of every
    /// module and the temporaries of comprehensions that are not at work.
    pub fn of(python: &Python, frame: &PyFrame, limits: Limits) -> VariablesView {
        let Variables { all, problem } = python.variables(frame);
        let module = python.is_module_level(frame);
        let wanted = |variable: &Variable| match variable.kind {
            VariableKind::Hidden => variable.value.is_some(),
            VariableKind::Namespace => !(module && is_machinery(&variable.name)),
            _ => true,
        };
        VariablesView {
            variables: all
                .into_iter()
                .filter(wanted)
                .map(|variable| VariableView::of(python, variable, limits))
                .collect(),
            problem,
        }
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
