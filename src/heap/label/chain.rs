//! A path from a root to an object as one Python expression, as far as Python has one, and in words
//! from there on: `sys.modules['app'].reader → C field +24 of _csv.reader`.

use super::Via;
use super::context::via_in;
use super::step::Steps;
use crate::addr::Addr;
use crate::escape::escape;
use crate::heap::roots::{Part, Root, RootKind, Roots};
use crate::python::Python;
use crate::python::object::Objects;
use serde::Serialize;

/// The most objects of a path that an expression covers, and the most steps that are told in words:
/// Python itself cannot read an expression of any depth.
const MOST_STEPS: usize = 150;

/// The longest expression.
const LONGEST: usize = 16 << 10;

/// The most parentheses in one: the parsers of old versions take some eighty within each other.
const MOST_PARENTHESES: usize = 50;

/// Where a path starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Start {
    /// What it is, in words that are safe to print.
    pub words: String,
    /// The Python expression that the path begins with, where there is one.
    pub expression: Option<String>,
    /// How many objects of the path that covers: two where the first is a cell, and Python has an
    /// expression for its content alone.
    pub covers: usize,
}

/// A path as a person reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Chain {
    /// An expression that evaluates, in the live process, to the object of the path at `reaches`.
    pub expression: Option<String>,
    /// How many objects of the path the expression covers; it evaluates to the last of them.
    pub reaches: usize,
    /// The steps behind it.
    pub rest: Vec<Via>,
    /// How many steps behind these are left out.
    pub left_out: usize,
    /// All of it in one line, safe to print.
    pub text: String,
}

impl Start {
    /// A root of a process, as the start of a path whose first object is the root's.
    pub fn of(python: &Python, roots: &Roots, root: &Root) -> Start {
        let mut shown = *root;
        let mut covers = 1;
        if let RootKind::Frame {
            part: Part::Cell(name),
            ..
        } = root.kind
        {
            if let RootKind::Frame { part, .. } = &mut shown.kind {
                *part = Part::Variable(name);
            }
            covers = 2;
        }
        Start {
            words: roots.words(python, root),
            expression: roots.expression(python, &shown),
            covers,
        }
    }
}

impl Chain {
    /// Writes the path that starts at `start` with the first of `path` and ends with the last.
    pub fn write(objects: &Objects, start: &Start, path: &[Addr]) -> Chain {
        let (expression, reaches) = match &start.expression {
            Some(base) if start.covers <= path.len() => {
                let (expression, reaches) = go_on(objects, base.clone(), path, start.covers);
                (Some(expression), reaches)
            }
            _ => (None, 0),
        };
        let steps = path.len().saturating_sub(reaches.max(1));
        let via = |to: usize| {
            let at = |index: usize| path.get(index).copied();
            let before = to.checked_sub(2).and_then(at);
            match (to.checked_sub(1).and_then(at), at(to)) {
                (Some(from), Some(to)) => via_in(objects, before, from, to),
                _ => Via::Unknown,
            }
        };
        let shown = path.len() - steps..path.len() - steps + steps.min(MOST_STEPS);
        let rest: Vec<Via> = shown.map(via).collect();
        let left_out = steps - rest.len();
        let mut text = match &expression {
            Some(expression) => escape(expression).into_owned(),
            None => start.words.clone(),
        };
        for via in &rest {
            text.push_str(" → ");
            text.push_str(&via.words());
        }
        if left_out > 0 {
            text.push_str(&format!(" → … ({left_out} more steps)"));
        }
        Chain {
            expression,
            reaches,
            rest,
            left_out,
            text,
        }
    }
}

/// Goes on with an expression that covers `reaches` objects of a path, as far as Python can; the
/// expression, and how many it covers then.
fn go_on(objects: &Objects, base: String, path: &[Addr], reaches: usize) -> (String, usize) {
    let steps = Steps { objects };
    let (mut expression, mut reaches) = (base, reaches);
    while reaches < MOST_STEPS
        && let Some(rest) = reaches.checked_sub(1).and_then(|last| path.get(last..))
    {
        let two = match rest {
            [from, middle, to, ..] => steps.two(&expression, *from, *middle, *to),
            _ => None,
        };
        let (next, length) = match (two, rest) {
            (Some(next), _) => (Some(next), 2),
            (None, [from, to, ..]) => (steps.one(&expression, *from, *to), 1),
            (None, _) => (None, 0),
        };
        match next {
            Some(next) if is_readable(&next) => expression = next,
            _ => break,
        }
        reaches += length;
    }
    (expression, reaches)
}

/// Whether Python can read an expression of that length and depth.
fn is_readable(expression: &str) -> bool {
    expression.len() <= LONGEST && expression.matches('(').count() <= MOST_PARENTHESES
}
