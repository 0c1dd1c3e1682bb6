//! One frame as it is shown: the same value is printed as a line and written as JSON.

use super::variables::VariablesView;
use pydbg::Addr;
use pydbg::native::Location;
use pydbg::python::{FrameKind, FrameOrigin, Position, PyFrame};
use pydbg::unwind::{NativeFrame, Trust};
use serde::Serialize;
use std::sync::Arc;

/// One frame of a merged stack; a native frame with inlined functions has several rows of one
/// number, the innermost function first.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Row {
    /// A native function.
    Native(NativeRow),
    /// A Python frame.
    Python(PythonRow),
}

/// A native function of a stack.
#[derive(Clone, Debug, Serialize)]
pub struct NativeRow {
    /// Its frame's number in the merged stack.
    pub index: usize,
    /// The instruction pointer.
    pub pc: Addr,
    /// The stack pointer.
    pub sp: Addr,
    /// The canonical frame address.
    pub cfa: Option<Addr>,
    /// How the frame was found.
    pub trust: Trust,
    /// The demangled name.
    pub function: Option<String>,
    /// Bytes from the symbol's start.
    pub offset: Option<u64>,
    /// The image's path.
    pub module: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
    /// Whether this function is inlined into the one of the next row.
    pub inlined: bool,
    /// Whether this is the trampoline that a signal handler returns to; the next frame is what
    /// the signal interrupted.
    pub signal_trampoline: bool,
}

impl NativeRow {
    /// The rows of one frame: its inlined functions, innermost first, then the frame itself.
    pub fn of(index: usize, frame: &NativeFrame, locations: Vec<Location>) -> Vec<NativeRow> {
        let row = |location: Location| NativeRow {
            index,
            pc: frame.pc.addr(),
            sp: frame.sp,
            cfa: frame.cfa,
            trust: frame.trust,
            function: location.function,
            offset: location.offset,
            module: location.module,
            file: location.file,
            line: location.line,
            inlined: location.inlined,
            signal_trampoline: frame.signal_trampoline,
        };
        if locations.is_empty() {
            return vec![row(Location::default())];
        }
        locations.into_iter().map(row).collect()
    }
}

/// A Python frame of a stack.
#[derive(Clone, Debug, Serialize)]
pub struct PythonRow {
    /// Its number: in the merged stack (`bt`) or among the Python frames (`py-bt`).
    pub index: usize,
    /// `co_name`.
    pub function: Arc<str>,
    /// `co_qualname`.
    pub qualname: Option<Arc<str>>,
    /// `co_filename`.
    pub file: Arc<str>,
    /// Line and columns.
    #[serde(flatten)]
    pub position: Position,
    /// What it runs.
    pub kind: FrameKind,
    /// What led to it.
    pub origin: FrameOrigin,
    /// `co_firstlineno`.
    pub first_line: i32,
    /// Byte offset of the current instruction.
    pub lasti: i32,
    /// Address of the frame.
    pub address: Addr,
    /// Address of the code object.
    pub code: Addr,
    /// What is wrong with the frame.
    pub problem: Option<Arc<str>>,
    /// The text of its line.
    pub source: Option<String>,
    /// Its variables, where they were asked for.
    #[serde(flatten)]
    pub variables: Option<VariablesView>,
}

impl PythonRow {
    /// The row of `frame`, whose line reads `source`.
    pub fn of(index: usize, frame: &PyFrame, source: Option<String>) -> PythonRow {
        PythonRow {
            index,
            function: frame.function.clone(),
            qualname: frame.qualname.clone(),
            file: frame.file.clone(),
            position: frame.position,
            kind: frame.kind,
            origin: frame.origin,
            first_line: frame.first_line,
            lasti: frame.lasti,
            address: frame.addr,
            code: frame.code,
            problem: frame.problem.clone(),
            source,
            variables: None,
        }
    }

    /// The fullest name it has.
    pub fn name(&self) -> &str {
        self.qualname.as_deref().unwrap_or(&self.function)
    }
}

/// The word for what a frame runs, when it is no plain function.
pub fn kind_word(kind: FrameKind) -> Option<&'static str> {
    match kind {
        FrameKind::Function => None,
        FrameKind::Generator => Some("generator"),
        FrameKind::Coroutine => Some("coroutine"),
        FrameKind::AsyncGenerator => Some("async generator"),
    }
}

/// The remark on a frame that was not found by call frame information.
pub fn trust_mark(trust: Trust) -> Option<&'static str> {
    match trust {
        Trust::Context | Trust::Cfi | Trust::SignalFrame => None,
        Trust::FramePointer => Some("frame pointer"),
        Trust::Scan => Some("scan: may be wrong"),
    }
}

/// Whether a frame is only a guess.
pub fn is_guess(row: &Row) -> bool {
    matches!(row, Row::Native(row) if row.trust == Trust::Scan)
}
