//! Roots by what they belong to: a module, a thread, an interpreter, the data of a file.

use super::words::{native_name, thread_name, whose};
use super::{RootKind, Roots};
use crate::escape::escape;
use crate::python::Python;
use serde::Serialize;

/// What roots belong to. Numbers are positions, as in [`RootKind`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(tag = "group", rename_all = "kebab-case")]
pub enum Group {
    /// A module in the `sys.modules` of an interpreter.
    Module {
        /// Position of the interpreter.
        interpreter: u32,
        /// Number of the module's name.
        name: u32,
    },
    /// A thread state and its frames.
    Thread {
        /// Position of the thread state.
        thread: u32,
    },
    /// What runs at exit and on signals.
    Callbacks,
    /// The state of an interpreter.
    Interpreter {
        /// Position of the interpreter.
        interpreter: u32,
    },
    /// The state of the runtime.
    Runtime,
    /// Types that are not freed.
    StaticTypes,
    /// Words in the writable data of a file.
    Data {
        /// Position of the image.
        image: u32,
    },
    /// Words on the C stack of a thread, and its registers.
    Stack {
        /// Position of the native thread.
        thread: u32,
    },
}

impl Group {
    /// What a root belongs to.
    pub fn of(kind: RootKind) -> Group {
        match kind {
            RootKind::Module { interpreter, name } => Group::Module { interpreter, name },
            RootKind::Interpreter { interpreter, .. } => Group::Interpreter { interpreter },
            RootKind::ExitCallback { .. } | RootKind::SignalHandler => Group::Callbacks,
            RootKind::Runtime { .. } => Group::Runtime,
            RootKind::Thread { thread, .. } | RootKind::Frame { thread, .. } => {
                Group::Thread { thread }
            }
            RootKind::Type { .. } => Group::StaticTypes,
            RootKind::Global { image } => Group::Data { image },
            RootKind::Stack { thread } | RootKind::Register { thread, .. } => {
                Group::Stack { thread }
            }
        }
    }
}

impl Roots {
    /// What a group is, in words that are safe to print.
    pub fn group_words(&self, python: &Python, group: Group) -> String {
        match group {
            Group::Module { interpreter, name } => {
                let name = self.name(name).map_or("?", |name| name);
                format!("module {}{}", escape(name), whose(python, interpreter))
            }
            Group::Thread { thread } => thread_name(python, thread),
            Group::Callbacks => "callbacks of atexit and of signals".to_owned(),
            Group::Interpreter { interpreter } => {
                let interpreter = python.interpreters.get(interpreter as usize);
                let id = interpreter.map_or(0, |interpreter| interpreter.id);
                format!("interpreter {id}")
            }
            Group::Runtime => "the runtime".to_owned(),
            Group::StaticTypes => "static types".to_owned(),
            Group::Data { image } => match python.process.images.all.get(image as usize) {
                Some(image) => format!("C data of {}", escape(image.name())),
                None => "C data".to_owned(),
            },
            Group::Stack { thread } => format!("C stack of {}", native_name(python, thread)),
        }
    }
}
