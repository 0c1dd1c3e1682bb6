//! CPython inside the process: which version, where its runtime is, its interpreters, threads and
//! stacks. Version differences are data, in [`layout`].

mod activation;
pub mod code;
mod crash;
mod datastack;
pub mod dis;
pub mod doing;
mod eval_frames;
mod evaluation;
pub mod exceptions;
mod exit;
mod frame;
mod frame_references;
mod generator;
mod gil;
mod gil_sleepers;
pub mod import_lock;
mod interpreter;
mod interpreter_list;
pub mod layout;
mod linecache;
pub mod lines;
mod lost;
pub mod merge;
pub(crate) mod names;
pub mod object;
pub mod obmalloc;
mod raw_frame;
mod recover;
mod runner;
pub mod runtime;
mod scan;
pub mod signals;
pub mod source;
mod state_references;
mod thread;
pub mod tracemalloc;
mod validate;
pub mod value;
pub mod variables;
mod version;
pub mod whatis;
#[cfg(test)]
mod world;

use crate::addr::Addr;
use crate::diag::Notes;
use crate::native::{Process, spread};
pub use code::Position;
use datastack::DataStack;
pub use evaluation::OpenWith;
pub use frame_references::{FramePart, FrameReference};
use layout::{DwarfOffsets, FieldReport, Layout};
pub use merge::{MergedFrame, MergedStack};
use object::Objects;
use rustc_hash::FxHashMap;
use serde::Serialize;
pub use state_references::Held;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
pub use version::Version;

/// CPython found in a process.
pub struct Python {
    /// The process.
    pub process: Arc<Process>,
    /// Version and build.
    pub version: Version,
    /// Every offset used, with its source.
    pub layout: Arc<Layout>,
    /// Where the runtime was found and how.
    pub runtime: runtime::Runtime,
    /// Interpreters and their threads.
    pub interpreters: Vec<Interpreter>,
    /// What was noticed.
    pub notes: Notes,
    /// Reads its objects.
    pub objects: Objects,
    codes: code::Codes,
    by_tid: FxHashMap<i32, Vec<Arc<PyThread>>>,
    stacks: Mutex<FxHashMap<Addr, Arc<PyStack>>>,
    /// The outermost frame of each stack, with its thread state.
    ends: Mutex<FxHashMap<Addr, Addr>>,
    sources: Mutex<source::Known>,
    /// Where threads sleep for the GIL, as far as only their stacks tell.
    gil_futexes: OnceLock<Vec<Addr>>,
}

/// One interpreter (`PyInterpreterState`).
#[derive(Clone, Debug, Serialize)]
pub struct Interpreter {
    /// Address of the `PyInterpreterState`.
    pub addr: Addr,
    /// Its id; 0 is the main one.
    pub id: i64,
    /// The ids of the other interpreters that use the same GIL; before 3.12 that is all of them.
    pub shares_gil_with: Vec<i64>,
    /// Its GIL, and who holds it.
    pub gil: GilState,
    /// Whether it is in the middle of collecting garbage; `None` where nothing tells.
    pub collecting: Option<bool>,
    /// Its thread states, in the order of the list (newest first).
    pub threads: Vec<Arc<PyThread>>,
}

/// What is known about a GIL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GilState {
    /// Held by this thread state.
    Held {
        /// Address of the holder's `PyThreadState`.
        tstate: Addr,
        /// How that is known.
        evidence: String,
    },
    /// Nobody holds it.
    Free,
    /// A free-threaded build that runs without it.
    Disabled,
    /// Not known, and why.
    Unknown(String),
}

/// One Python thread state (`PyThreadState`).
#[derive(Clone, Debug, Serialize)]
pub struct PyThread {
    /// Address of the `PyThreadState`.
    pub tstate: Addr,
    /// The interpreter's id.
    pub interpreter: i64,
    /// `threading.get_ident()`: the `pthread_t`.
    pub ident: Option<u64>,
    /// The LWP id, and hence the native thread; `None` when the thread has ended.
    pub tid: Option<i32>,
    /// The name of the `threading.Thread`, if there is one.
    pub name: Option<String>,
    /// Whether this thread holds the GIL.
    pub holds_gil: bool,
    /// Whether this thread waits for the GIL, as its state or the GIL's own words tell; `None` when they
    /// do not. [`Python::waits_for_gil`] knows more.
    pub waits_for_gil: Option<bool>,
    /// Whether it may touch Python objects, where the version says so (3.13+).
    pub attachment: Option<Attachment>,
}

/// Whether a thread may touch Python objects (`PyThreadState.state`, 3.13+).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// It may not.
    Detached,
    /// It may.
    Attached,
    /// It may not until the thread that stopped the world lets it go on.
    Suspended,
    /// It must not any more, because Python is shutting down (3.14+).
    ShuttingDown,
}

/// What a Python frame runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// A function, class body, module or lambda.
    Function,
    /// A generator.
    Generator,
    /// A coroutine (`async def`, or a generator made awaitable by `types.coroutine`).
    Coroutine,
    /// An asynchronous generator.
    AsyncGenerator,
}

/// What led to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameOrigin {
    /// The chain from the thread state.
    Chain,
    /// The data stack, because the chain is broken further in (3.11+). Frames of generators may
    /// be missing next to it.
    DataStack,
    /// The traceback of an exception; the frame may have ended.
    Traceback,
}

/// One Python frame.
#[derive(Clone, Debug, Serialize)]
pub struct PyFrame {
    /// Address of the frame: `_PyInterpreterFrame` (3.11+) or `PyFrameObject`.
    pub addr: Addr,
    /// Address of the code object.
    pub code: Addr,
    /// `co_name`, or why it cannot be read, in angle brackets.
    pub function: Arc<str>,
    /// `co_qualname`, from 3.11 on.
    pub qualname: Option<Arc<str>>,
    /// `co_filename`.
    pub file: Arc<str>,
    /// Line and columns.
    pub position: Position,
    /// `co_firstlineno`.
    pub first_line: i32,
    /// Byte offset of the current instruction; −1 when not started.
    pub lasti: i32,
    /// What it runs.
    pub kind: FrameKind,
    /// What led to it.
    pub origin: FrameOrigin,
    /// Something is wrong with this frame, in words.
    pub problem: Option<Arc<str>>,
}

/// The Python stack of one thread, innermost first.
#[derive(Clone, Debug, Serialize)]
pub struct PyStack {
    /// Innermost first; shims and phantom frames are left out.
    pub frames: Vec<PyFrame>,
    /// For each marker on the C stack (one for each native activation of the evaluation loop,
    /// innermost first): its address, and how many of `frames` lie inside it in total.
    pub markers: Vec<Marker>,
    /// Why the chain ended too early, if it did.
    pub problem: Option<String>,
}

/// One native activation of the evaluation loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// Address of the C-stack local: a shim frame (3.12+) or `_PyCFrame` (3.10, 3.11); NULL
    /// where the version has none and each frame is an activation of its own.
    pub addr: Addr,
    /// How many of the stack's frames are inner to this marker, counted from the innermost.
    pub frames: usize,
}

/// Why there is no Python to look at.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// No CPython in the process.
    #[error("no CPython found: {0}")]
    NotFound(String),
    /// A version pydbg has no layout for.
    #[error("CPython {version} is not supported: {why}")]
    Unsupported {
        /// As found.
        version: String,
        /// What is missing.
        why: String,
    },
}

impl Python {
    /// Finds CPython in `process`, its layout, interpreters and thread states.
    pub fn find(process: Arc<Process>) -> Result<Python, PythonError> {
        Python::find_again(process, None)
    }

    /// Like [`Python::find`] in a process whose runtime was found a moment ago.
    pub fn find_again(
        process: Arc<Process>,
        known: Option<&runtime::Runtime>,
    ) -> Result<Python, PythonError> {
        let notes = process.target.notes.clone();
        let found = runtime::find(&process, &notes, known)?;
        let layout = Arc::new(found.layout.clone());
        let objects = Objects::new(Arc::clone(&process.target.memory), Arc::clone(&layout));
        let interpreters = interpreter::read_all(&process, &objects, &found, &notes);
        if let Some(main) = interpreters.iter().find(|i| i.id == 0) {
            // Nobody else has the reader yet.
            let _ = objects.interpreter.set(main.addr);
        }
        let mut by_tid: FxHashMap<i32, Vec<Arc<PyThread>>> = FxHashMap::default();
        for state in interpreters
            .iter()
            .flat_map(|interpreter| &interpreter.threads)
        {
            if let Some(tid) = state.tid {
                by_tid.entry(tid).or_default().push(Arc::clone(state));
            }
        }
        Ok(Python {
            process,
            by_tid,
            version: found.version,
            layout,
            runtime: found.runtime,
            interpreters,
            notes,
            objects,
            codes: code::Codes::default(),
            stacks: Mutex::default(),
            ends: Mutex::default(),
            sources: Mutex::default(),
            gil_futexes: OnceLock::new(),
        })
    }

    /// Every field of the layout with its value and source, for `info layout`. Where the binary
    /// has DWARF, what it says is compared with the built-in table first; that takes a moment.
    pub fn layout_report(&self) -> Vec<FieldReport> {
        let mut layout = (*self.layout).clone();
        let path = self.runtime.image.as_deref();
        let image = self
            .process
            .images
            .all
            .iter()
            .find(|image| Some(&*image.path) == path);
        let offsets = image.and_then(|image| DwarfOffsets::read(&|name| image.debug_section(name)));
        if let Some(offsets) = offsets {
            let differing = offsets.apply(&mut layout);
            if !differing.is_empty() {
                self.notes.partial(format!(
                    "the DWARF says otherwise than the layout in use, that of {}: {}",
                    layout.measured,
                    differing.join(", ")
                ));
            }
        }
        layout.describe()
    }

    /// The namespace of a module imported in the main interpreter, such as `__main__`.
    pub fn module(&self, name: &str) -> Option<Addr> {
        names::module(&self.objects, self.main()?.addr, name).ok()?
    }

    /// `sys.modules` of the main interpreter.
    pub fn sys_modules(&self) -> Option<Addr> {
        names::modules(&self.objects, self.main()?.addr).ok()
    }

    /// The modules imported in the main interpreter, by name, each with its namespace.
    pub fn modules(&self) -> Vec<(Arc<str>, Addr)> {
        const LONGEST_NAME: u64 = 1000;
        let objects = &self.objects;
        let modules = self.sys_modules();
        let modules = modules.and_then(|modules| objects.dict_items(modules).ok());
        let namespace = |(name, module): (Addr, Addr)| {
            let name = objects.text(name, LONGEST_NAME).ok()?;
            let is_module = objects.type_of(module).ok()?.may_be("module");
            let field = self.layout.fields.module.dict.of(module);
            let namespace = is_module.then(|| objects.memory.ptr(field).ok())??;
            Some((Arc::from(name.value), namespace))
        };
        modules
            .into_iter()
            .flatten()
            .filter_map(namespace)
            .collect()
    }

    fn main(&self) -> Option<&Interpreter> {
        self.interpreters.iter().find(|known| known.id == 0)
    }

    /// All thread states of all interpreters.
    pub fn threads(&self) -> impl Iterator<Item = &Arc<PyThread>> {
        self.interpreters
            .iter()
            .flat_map(|interpreter| &interpreter.threads)
    }

    /// The chunks of memory in which the frames of all threads lie (3.11+), each with its size in
    /// bytes.
    pub fn frame_stacks(&self) -> Vec<(Addr, u64)> {
        let stacks = self.data_stacks();
        stacks.flat_map(|stack| stack.chunks().to_vec()).collect()
    }

    /// The parts of these chunks that no frame uses, as their bounds.
    pub(crate) fn unused_frame_stacks(&self) -> Vec<(Addr, Addr)> {
        self.data_stacks()
            .flat_map(|stack| stack.unused())
            .collect()
    }

    fn data_stacks(&self) -> impl Iterator<Item = DataStack> {
        self.threads()
            .filter_map(|thread| DataStack::read(&self.objects, thread.tstate))
    }

    /// The thread state that runs on LWP `tid`, if any. A thread that runs several interpreters
    /// has one in each; the one that runs or has frames is preferred.
    pub fn thread_of(&self, tid: i32) -> Option<&Arc<PyThread>> {
        let all = self.threads_of(tid);
        if let [_] | [] = all {
            return all.first();
        }
        let mut several = all.iter();
        several
            .find(|thread| thread.holds_gil)
            .or_else(|| {
                all.iter()
                    .find(|thread| !self.stack(thread).frames.is_empty())
            })
            .or_else(|| all.first())
    }

    /// The thread states that run on LWP `tid`: one for each interpreter.
    pub fn threads_of(&self, tid: i32) -> &[Arc<PyThread>] {
        self.by_tid.get(&tid).map_or(&[], Vec::as_slice)
    }

    /// The Python stack of a thread state; computed once and remembered.
    pub fn stack(&self, thread: &PyThread) -> Arc<PyStack> {
        let stacks = || self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stack) = stacks().get(&thread.tstate) {
            return Arc::clone(stack);
        }
        let stack = Arc::new(frame::read_stack(
            &self.objects,
            &self.codes,
            thread.tstate,
            &self.notes,
        ));
        let known = stacks().insert(thread.tstate, Arc::clone(&stack));
        if known.is_none() {
            self.note(thread, &stack);
            self.note_shared(thread, &stack);
        }
        stack
    }

    /// Notes that a stack goes on in that of another thread. From there on both are the same, so that
    /// their outermost frames tell.
    fn note_shared(&self, thread: &PyThread, stack: &PyStack) {
        let Some(end) = stack.frames.last() else {
            return;
        };
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let other = ends.insert(end.addr, thread.tstate);
        if let Some(other) = other.filter(|other| *other != thread.tstate) {
            self.notes.partial(format!(
                "the Python stacks of the thread states at {other} and {} end in the same frame: one \
                 of them is damaged",
                thread.tstate
            ));
        }
    }

    /// Notes what is missing or less sure about a stack.
    fn note(&self, thread: &PyThread, stack: &PyStack) {
        let whose = match thread.tid {
            Some(tid) => format!("the Python stack of LWP {tid}"),
            None => format!("the stack of the thread state at {}", thread.tstate),
        };
        if let Some(problem) = &stack.problem {
            self.notes.partial(format!("{whose}: {problem}"));
        }
        let mut problems = stack
            .frames
            .iter()
            .filter_map(|frame| frame.problem.as_ref());
        if let Some(first) = problems.next() {
            let more = match problems.count() {
                0 => String::new(),
                more => format!(" (and {more} more frames)"),
            };
            self.notes.partial(format!("{whose}: {first}{more}"));
        }
    }

    /// The Python stacks of all thread states, read on all processors when there are many; worth
    /// calling before a command that shows every thread.
    pub fn stacks(&self) -> Vec<(Arc<PyThread>, Arc<PyStack>)> {
        let threads: Vec<&Arc<PyThread>> = self.threads().collect();
        spread::map(&threads, |thread| (Arc::clone(thread), self.stack(thread)))
    }
}
