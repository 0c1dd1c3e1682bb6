//! A root in words, and as the Python expression that a path from it begins with. Names of the
//! target are escaped.

use super::{Part, Root, RootKind, Roots, TypePart};
use crate::addr::Addr;
use crate::escape::{escape, is_hostile};
use crate::python::{Interpreter, PyThread, Python};
use crate::target::registers::NAMES;
use serde::Serialize;
use std::fmt::Write;
use std::sync::Arc;

/// The most callers that an expression goes back by.
const MOST_CALLERS: u32 = 50;

/// A root as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RootView {
    /// The kind: `module`, `frame`, `global`.
    pub kind: &'static str,
    /// In words.
    pub words: String,
    /// The Python expression for the object, where there is one.
    pub expression: Option<String>,
    /// Where the reference stands.
    pub at: Option<Addr>,
    /// Whether the reference is one; else a word that looks like it, or a leftover.
    pub certain: bool,
}

impl Roots {
    /// A root as it is shown.
    pub fn view(&self, python: &Python, root: &Root) -> RootView {
        RootView {
            kind: kind(root.kind),
            words: self.words(python, root),
            expression: self.expression(python, root),
            at: Some(root.at).filter(|at| !at.is_null()),
            certain: root.certain,
        }
    }

    fn text(&self, name: u32) -> String {
        let name = self.name(name).map_or("?", |name| name);
        escape(name).into_owned()
    }

    fn member(&self, field: Option<u32>, at: Addr) -> String {
        match field {
            Some(field) => format!("`{}`", self.text(field)),
            None => format!("the word at {at}"),
        }
    }

    /// What holds the reference, in words.
    pub fn words(&self, python: &Python, root: &Root) -> String {
        match root.kind {
            RootKind::Module { interpreter, name } => {
                let name = self.text(name);
                format!("module {name}{}", whose(python, interpreter))
            }
            RootKind::Interpreter { interpreter, field } => {
                let member = self.member(field, root.at);
                let id = by_position(python, interpreter).map_or(0, |known| known.id);
                format!("{member} of interpreter {id}")
            }
            RootKind::ExitCallback { interpreter } => {
                format!("callback of atexit{}", whose(python, interpreter))
            }
            RootKind::SignalHandler => "signal handler".to_owned(),
            RootKind::Runtime { field } => {
                format!("{} of the runtime", self.member(field, root.at))
            }
            RootKind::Thread { thread, field } => {
                let member = self.member(field, root.at);
                format!("{member} of the state of {}", thread_name(python, thread))
            }
            RootKind::Frame {
                thread,
                level,
                part,
            } => self.frame_words(python, thread, level, part),
            RootKind::Type {
                interpreter,
                name,
                part,
            } => {
                let whose = whose(python, interpreter);
                let name = self.text(name);
                match part {
                    TypePart::Type => format!("static type {name}"),
                    TypePart::Namespace => format!("namespace of static type {name}{whose}"),
                    TypePart::Subclasses => format!("subclasses of {name}{whose}"),
                }
            }
            RootKind::Global { image } => global(python, image, root.at),
            RootKind::Stack { thread } => {
                let place = python.process.stack_place(root.at);
                let function = place.and_then(|place| place.function);
                let within = function.map(|name| format!(", in {}()", escape(&name)));
                let whose = native_name(python, thread);
                format!("C stack of {whose}{}", within.unwrap_or_default())
            }
            RootKind::Register { thread, register } => {
                let register = NAMES.get(register as usize).unwrap_or(&"?");
                format!("register {register} of {}", native_name(python, thread))
            }
        }
    }

    fn frame_words(&self, python: &Python, thread: u32, level: u32, part: Part) -> String {
        let part = match part {
            Part::Frame => "frame".to_owned(),
            Part::Code => "code".to_owned(),
            Part::Function => "function".to_owned(),
            Part::Globals => "globals".to_owned(),
            Part::Builtins => "builtins".to_owned(),
            Part::Namespace => "namespace".to_owned(),
            Part::FrameObject => "frame object".to_owned(),
            Part::Variable(name) => format!("local `{}`", self.text(name)),
            Part::Cell(name) => format!("cell of `{}`", self.text(name)),
            Part::Stack(_) => "temporary".to_owned(),
        };
        format!("{part}{}", frame_place(python, thread, level))
    }

    /// The Python expression for the object of a root, in the main interpreter.
    pub fn expression(&self, python: &Python, root: &Root) -> Option<String> {
        let is_main =
            |interpreter: u32| by_position(python, interpreter).is_some_and(|i| i.id == 0);
        match root.kind {
            RootKind::Module { interpreter, name } if is_main(interpreter) => {
                Some(format!("sys.modules[{}]", literal(self.name(name)?)))
            }
            RootKind::Interpreter { interpreter, field } if is_main(interpreter) => {
                let is_python_2 = python.layout.fields.instance.is_some();
                let known = match &**self.name(field?)? {
                    "modules" => "sys.modules",
                    "sysdict" => "sys.__dict__",
                    "builtins" if is_python_2 => "__builtin__.__dict__",
                    "builtins" => "builtins.__dict__",
                    "gc.garbage" => "gc.garbage",
                    "gc.callbacks" => "gc.callbacks",
                    _ => return None,
                };
                Some(known.to_owned())
            }
            RootKind::Frame {
                thread,
                level,
                part,
            } => self.frame_expression(python, thread, level, part),
            RootKind::Type {
                name,
                part: TypePart::Type,
                ..
            } => type_expression(python, self.name(name)?, root.object),
            _ => None,
        }
    }

    fn frame_expression(
        &self,
        python: &Python,
        thread: u32,
        level: u32,
        part: Part,
    ) -> Option<String> {
        if level > MOST_CALLERS {
            return None;
        }
        let thread = by_thread(python, thread)?;
        let ident = thread.ident.filter(|_| thread.interpreter == 0)?;
        let mut text = format!("sys._current_frames()[{ident}]");
        for _ in 0..level {
            text.push_str(".f_back");
        }
        match part {
            Part::Frame | Part::FrameObject => {}
            Part::Code => text.push_str(".f_code"),
            Part::Globals => text.push_str(".f_globals"),
            Part::Builtins => text.push_str(".f_builtins"),
            Part::Variable(name) => {
                let name = self.name(name)?;
                // The iterator of a comprehension is called `.0`.
                let is_name = !name.starts_with('.');
                is_name.then(|| write!(text, ".f_locals[{}]", literal(name)).ok())??;
            }
            Part::Function | Part::Namespace | Part::Cell(_) | Part::Stack(_) => return None,
        }
        Some(text)
    }
}

fn kind(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Module { .. } => "module",
        RootKind::Interpreter { .. } => "interpreter",
        RootKind::ExitCallback { .. } => "exit-callback",
        RootKind::SignalHandler => "signal-handler",
        RootKind::Runtime { .. } => "runtime",
        RootKind::Thread { .. } => "thread",
        RootKind::Frame { .. } => "frame",
        RootKind::Type { .. } => "type",
        RootKind::Global { .. } => "global",
        RootKind::Stack { .. } => "stack",
        RootKind::Register { .. } => "register",
    }
}

pub(super) fn by_position(python: &Python, interpreter: u32) -> Option<&Interpreter> {
    python.interpreters.get(interpreter as usize)
}

fn by_thread(python: &Python, thread: u32) -> Option<&Arc<PyThread>> {
    python.threads().nth(thread as usize)
}

/// Of which interpreter something is, where it is not the main one.
pub(super) fn whose(python: &Python, interpreter: u32) -> String {
    match by_position(python, interpreter) {
        Some(known) if known.id != 0 => format!(" of interpreter {}", known.id),
        _ => String::new(),
    }
}

/// ` of run() in thread 2 (app.py:3)`
pub(super) fn frame_place(python: &Python, thread: u32, level: u32) -> String {
    let owner = by_thread(python, thread);
    let stack = owner.map(|thread| python.stack(thread));
    let frame = stack.as_ref().and_then(|s| s.frames.get(level as usize));
    let mut words = String::new();
    if let Some(frame) = frame {
        let function = frame.qualname.as_ref().unwrap_or(&frame.function);
        // The name of a module body or comprehension is in angle brackets.
        let call = if function.ends_with('>') { "" } else { "()" };
        let _ = write!(words, " of {}{call}", escape(function));
    }
    let _ = write!(words, " in {}", thread_name(python, thread));
    if let Some(frame) = frame {
        let file = frame.file.rsplit('/').next().unwrap_or(&frame.file);
        let line = frame.position.line;
        let line = line.map_or(String::new(), |line| format!(":{line}"));
        let _ = write!(words, " ({}{line})", escape(file));
    }
    words
}

pub(super) fn thread_name(python: &Python, thread: u32) -> String {
    let Some(thread) = by_thread(python, thread) else {
        return "?".to_owned();
    };
    let number = thread.tid.and_then(|tid| python.process.id_of(tid));
    let mut words = match number {
        Some(number) => format!("thread {number}"),
        None => format!("the ended thread of the state at {}", thread.tstate),
    };
    if let Some(name) = &thread.name {
        let _ = write!(words, " \"{}\"", escape(name));
    }
    words
}

pub(super) fn native_name(python: &Python, thread: u32) -> String {
    let thread = python.process.threads().get(thread as usize);
    thread.map_or("?".to_owned(), |thread| format!("thread {}", thread.id))
}

/// "C global `cache` of _csv.so+0x1234"
fn global(python: &Python, image: u32, at: Addr) -> String {
    let Some(image) = python.process.images.all.get(image as usize) else {
        return format!("C global at {at}");
    };
    let offset = image.svma(at).0;
    let name = escape(image.name());
    match image.symbol_at(at) {
        Some(symbol) => {
            let within = offset.saturating_sub(symbol.start.0);
            let within = match within {
                0 => String::new(),
                within => format!("+{within}"),
            };
            format!(
                "C global `{}`{within} of {name}+{offset:#x}",
                escape(&symbol.name)
            )
        }
        None => format!("C global of {name}+{offset:#x}"),
    }
}

/// The expression for a type that a module has under its name.
fn type_expression(python: &Python, name: &str, ty: Addr) -> Option<String> {
    let is_it = |module: &str, name: &str| {
        let namespace = python.module(module)?;
        let value = python.objects.dict_get(namespace, name).ok()??;
        (value == ty).then_some(())
    };
    match name.rsplit_once('.') {
        Some((module, name)) => {
            is_it(module, name)?;
            Some(format!("sys.modules[{}].{name}", literal(module)))
        }
        None => {
            is_it("builtins", name).or_else(|| is_it("__builtin__", name))?;
            Some(name.to_owned())
        }
    }
}

/// A string as Python reads it.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if is_hostile(c) && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_hostile(c) => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_what_they_stand_for() {
        assert_eq!(literal("app.db"), "'app.db'");
        assert_eq!(literal("it's \\ \n"), "'it\\'s \\\\ \\x0a'");
        assert_eq!(literal("a\u{202e}b"), "'a\\u202eb'");
    }
}
