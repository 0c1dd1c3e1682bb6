//! A path from a root to an object as one Python expression, as far as Python has one, and in words
//! from there on: `sys.modules['app'].reader → C field +24 of _csv.reader`.

use super::Via;
use super::context::via_in;
use super::literal::quoted;
use super::step::Steps;
use crate::addr::Addr;
use crate::escape::escape;
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
#[serde(tag = "start", rename_all = "kebab-case")]
pub enum Start {
    /// A module of `sys.modules`; the path starts with the module object.
    Module {
        /// Its name there.
        name: String,
    },
    /// A Python frame that runs; the path starts with what it holds.
    Frame {
        /// `threading.get_ident()` of the thread.
        ident: u64,
        /// How many Python frames are inside of it.
        level: u32,
        /// What it holds.
        held: Held,
    },
    /// The namespace of the module `sys`.
    Sys,
    /// The dictionary `sys.modules`.
    Modules,
    /// Something else that Python has an expression for; the path starts with its value.
    Expression {
        /// The expression.
        expression: String,
        /// What it is, in words.
        words: String,
    },
    /// Something that Python has no expression for.
    Words {
        /// What it is, in words.
        words: String,
    },
}

/// What a frame holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Itself, or the frame object made of it.
    Frame,
    /// The code.
    Code,
    /// The namespace of the module.
    Globals,
    /// The namespace of `builtins`.
    Builtins,
    /// The namespace of a module or class body.
    Namespace,
    /// The value of the variable of this name.
    Variable(String),
    /// The cell of the variable of this name.
    Cell(String),
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
    /// The start as Python writes it, and how many objects of the path that covers.
    fn expression(&self) -> Option<(String, usize)> {
        match self {
            Start::Module { name } => Some((format!("sys.modules[{}]", quoted(name)?), 1)),
            Start::Frame { ident, level, held } => {
                if *level as usize > MOST_STEPS {
                    return None;
                }
                let back = ".f_back".repeat(*level as usize);
                let frame = format!("sys._current_frames()[{ident}]{back}");
                Some(match held {
                    Held::Frame => (frame, 1),
                    Held::Code => (frame + ".f_code", 1),
                    Held::Globals => (frame + ".f_globals", 1),
                    Held::Builtins => (frame + ".f_builtins", 1),
                    Held::Namespace => (frame + ".f_locals", 1),
                    Held::Variable(name) => (format!("{frame}.f_locals[{}]", quoted(name)?), 1),
                    Held::Cell(name) => (format!("{frame}.f_locals[{}]", quoted(name)?), 2),
                })
            }
            Start::Sys => Some(("sys.__dict__".to_owned(), 1)),
            Start::Modules => Some(("sys.modules".to_owned(), 1)),
            Start::Expression { expression, .. } => Some((expression.clone(), 1)),
            Start::Words { .. } => None,
        }
    }

    /// The start in words.
    pub fn words(&self) -> String {
        match self {
            Start::Module { name } => format!("module {}", escape(name)),
            Start::Frame { ident, level, held } => {
                let held = match held {
                    Held::Frame => "the frame object".to_owned(),
                    Held::Code => "the code".to_owned(),
                    Held::Globals => "the globals".to_owned(),
                    Held::Builtins => "the builtins".to_owned(),
                    Held::Namespace => "the namespace".to_owned(),
                    Held::Variable(name) => format!("local {}", escape(name)),
                    Held::Cell(name) => format!("the cell of {}", escape(name)),
                };
                format!("{held} of frame {level} of thread {ident:#x}")
            }
            Start::Sys => "the namespace of sys".to_owned(),
            Start::Modules => "sys.modules".to_owned(),
            Start::Expression { words, .. } | Start::Words { words } => escape(words).into_owned(),
        }
    }
}

impl Chain {
    /// Writes the path that starts at `start` with the first of `path` and ends with the last.
    pub fn write(objects: &Objects, start: &Start, path: &[Addr]) -> Chain {
        let written = start.expression();
        let written = written.filter(|(_, reaches)| *reaches <= path.len());
        let (expression, reaches) = match written {
            Some((base, reaches)) => {
                let (expression, reaches) = go_on(objects, base, path, reaches);
                (Some(expression), reaches)
            }
            None => (None, 0),
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
            None => start.words(),
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
