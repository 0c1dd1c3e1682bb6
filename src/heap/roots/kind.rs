//! One root in few bytes. Threads, interpreters and images are told by their positions in the lists
//! of the process, names by their numbers in the table of the roots.

use crate::addr::Addr;
use crate::python::FramePart;
use serde::Serialize;

/// One reference to an object from outside of the graph of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// What holds it.
    pub kind: RootKind,
    /// Where the reference stands; NULL where that is not known.
    pub at: Addr,
    /// The object.
    pub object: Addr,
    /// Whether the reference is one; else a word that looks like it, or a leftover.
    pub certain: bool,
}

/// What holds a reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// `sys.modules` of an interpreter, under this name.
    Module {
        /// Position of the interpreter.
        interpreter: u32,
        /// Number of the module's name.
        name: u32,
    },
    /// A member of a `PyInterpreterState`.
    Interpreter {
        /// Position of the interpreter.
        interpreter: u32,
        /// Number of the member's name; `None` where only a search found the reference.
        field: Option<u32>,
    },
    /// A callback of `atexit`, or its arguments.
    ExitCallback {
        /// Position of the interpreter.
        interpreter: u32,
    },
    /// A function that runs on a signal.
    SignalHandler,
    /// A member of `_PyRuntimeState`.
    Runtime {
        /// Number of the member's name; `None` where only a search found the reference.
        field: Option<u32>,
    },
    /// A member of a `PyThreadState`.
    Thread {
        /// Position of the thread state.
        thread: u32,
        /// Number of the member's name; `None` where only a search found the reference.
        field: Option<u32>,
    },
    /// A Python frame on a thread's stack.
    Frame {
        /// Position of the thread state.
        thread: u32,
        /// How many frames are inner to it.
        level: u32,
        /// Which of its references.
        part: Part,
    },
    /// A type, none of whose references a traversal of its own tells.
    Type {
        /// Position of the interpreter.
        interpreter: u32,
        /// Number of the type's name.
        name: u32,
        /// Which reference.
        part: TypePart,
    },
    /// A word in the writable data of a mapped file.
    Global {
        /// Position of the image.
        image: u32,
    },
    /// A word on the C stack of a thread.
    Stack {
        /// Position of the native thread.
        thread: u32,
    },
    /// A register of a thread.
    Register {
        /// Position of the native thread.
        thread: u32,
        /// DWARF number of the register.
        register: u32,
    },
}

/// Which reference of a frame; variables by the numbers of their names.
pub type Part = FramePart<u32>;

/// Which reference to or of a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypePart {
    /// To the type itself, which is static: it is never freed.
    Type,
    /// To its namespace, which another interpreter than the main one keeps.
    Namespace,
    /// To the weak references to its subclasses.
    Subclasses,
}
