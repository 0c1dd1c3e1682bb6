//! A path from a root to an object as one Python expression, as far as Python has one, and in words
//! from there on: `sys.modules['app'].reader → C field +24 of _csv.reader`.

use super::literal::quoted;
use super::step::Steps;
use super::{Via, vias};
use crate::addr::Addr;
use crate::escape::escape;
use crate::python::object::Objects;
use serde::Serialize;

/// Where a path starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "start", rename_all = "kebab-case")]
pub enum Start {
    /// A module of `sys.modules`; the path starts with the module object.
    Module {
        /// Its name there.
        name: String,
    },
    /// A variable of a frame that runs; the path starts with its value.
    Local {
        /// `threading.get_ident()` of the thread.
        ident: u64,
        /// How many Python frames are inside of it.
        depth: usize,
        /// The variable.
        name: String,
    },
    /// The namespace of the module `sys`.
    Sys,
    /// The dictionary `sys.modules`.
    Modules,
    /// Something that Python has no expression for.
    Words {
        /// What it is, in words.
        words: String,
    },
}

/// A path as a person reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Chain {
    /// An expression that evaluates, in the live process, to the object of the path at `reaches`.
    pub expression: Option<String>,
    /// How many objects of the path the expression covers; it evaluates to the last of them.
    pub reaches: usize,
    /// The steps behind it, each in words.
    pub rest: Vec<String>,
    /// All of it in one line, safe to print.
    pub text: String,
}

impl Start {
    /// The start as Python writes it.
    fn expression(&self) -> Option<String> {
        match self {
            Start::Module { name } => Some(format!("sys.modules[{}]", quoted(name)?)),
            Start::Local { ident, depth, name } => {
                let back = ".f_back".repeat(*depth);
                let name = quoted(name)?;
                Some(format!(
                    "sys._current_frames()[{ident}]{back}.f_locals[{name}]"
                ))
            }
            Start::Sys => Some("sys.__dict__".to_owned()),
            Start::Modules => Some("sys.modules".to_owned()),
            Start::Words { .. } => None,
        }
    }

    /// The start in words.
    fn words(&self) -> String {
        match self {
            Start::Module { name } => format!("module {}", escape(name)),
            Start::Local { ident, depth, name } => {
                format!("local {} of frame {depth} of thread {ident:#x}", escape(name))
            }
            Start::Sys => "namespace of sys".to_owned(),
            Start::Modules => "sys.modules".to_owned(),
            Start::Words { words } => escape(words).into_owned(),
        }
    }
}

impl Chain {
    /// Writes the path that starts at `start` with the first of `objects` and ends with the last.
    pub fn write(reader: &Objects, start: &Start, objects: &[Addr]) -> Chain {
        let steps = Steps { objects: reader };
        let (mut expression, mut reached) = (start.expression(), 0);
        while let Some(base) = &expression
            && let Some(from) = objects.get(reached)
            && let Some(next) = objects.get(reached + 1)
        {
            let two = objects
                .get(reached + 2)
                .and_then(|last| steps.two(base, *from, *next, *last));
            let (step, length) = match two {
                Some(step) => (Some(step), 2),
                None => (steps.one(base, *from, *next), 1),
            };
            let Some(step) = step else {
                break;
            };
            expression = Some(step);
            reached += length;
        }
        let rest: Vec<String> = objects
            .windows(2)
            .skip(reached)
            .map(|pair| match pair {
                [from, to] => words(reader, *from, *to),
                _ => String::new(),
            })
            .collect();
        let first = match &expression {
            Some(expression) => escape(expression).into_owned(),
            None => start.words(),
        };
        let text = rest.iter().fold(first, |text, step| text + " → " + step);
        Chain {
            reaches: match expression {
                Some(_) => reached + 1,
                None => 0,
            },
            expression,
            rest,
            text,
        }
    }
}

/// One step in words, by the first way there is.
fn words(objects: &Objects, from: Addr, to: Addr) -> String {
    let way = vias(objects, from, to, 1).into_iter().next();
    way.unwrap_or(Via::Unknown).words()
}
