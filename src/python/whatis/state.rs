//! Addresses in what the interpreter keeps of itself: thread states, interpreters, and from 3.11 on
//! the frames of running functions, which are no objects.

use super::Kind;
use crate::addr::Addr;
use crate::python::{PyFrame, Python};
use serde::Serialize;

/// Bytes of a slot of a frame.
const SLOT: u64 = 8;

/// The most slots that a frame is believed to have.
const MOST_SLOTS: u64 = 1 << 20;

/// A part of the interpreter's own state.
#[derive(Clone, Debug, Serialize)]
pub struct StatePart {
    /// What it is.
    #[serde(skip)]
    pub kind: Kind,
    /// Where it begins.
    pub start: Addr,
    /// Bytes from there to the address.
    pub offset: u64,
    /// The LWP id of the thread whose state or frame it is.
    pub tid: Option<i32>,
    /// The id of the interpreter.
    pub interpreter: i64,
    /// The function of a frame.
    pub function: Option<String>,
    /// In words.
    #[serde(skip)]
    pub text: String,
}

impl Python {
    /// The frame, thread state or interpreter that `address` is in.
    pub(super) fn state_part(&self, address: Addr) -> Option<StatePart> {
        let thread = self.thread_part(address);
        thread
            .or_else(|| self.frame_part(address))
            .or_else(|| self.interpreter_part(address))
    }

    fn thread_part(&self, address: Addr) -> Option<StatePart> {
        let size = self.layout.fields.thread.size.of(Addr::NULL).0;
        self.threads().find_map(|thread| {
            let offset = address
                .since(thread.tstate)
                .filter(|offset| *offset < size)?;
            let whose = thread
                .tid
                .map_or(String::new(), |tid| format!(" of LWP {tid}"));
            Some(StatePart {
                kind: Kind::ThreadState,
                start: thread.tstate,
                offset,
                tid: thread.tid,
                interpreter: thread.interpreter,
                function: None,
                text: format!(
                    "{offset} bytes into the thread state{whose} at {}",
                    thread.tstate
                ),
            })
        })
    }

    fn interpreter_part(&self, address: Addr) -> Option<StatePart> {
        let size = self.layout.fields.interpreter.size.of(Addr::NULL).0;
        self.interpreters.iter().find_map(|interpreter| {
            let start = interpreter.addr;
            let offset = address.since(start).filter(|offset| *offset < size)?;
            Some(StatePart {
                kind: Kind::InterpreterState,
                start,
                offset,
                tid: None,
                interpreter: interpreter.id,
                function: None,
                text: format!(
                    "{offset} bytes into the state of interpreter {} at {start}",
                    interpreter.id
                ),
            })
        })
    }

    fn frame_part(&self, address: Addr) -> Option<StatePart> {
        // Where frames are objects, they are found as such.
        self.layout.fields.frame.owner?;
        self.threads().find_map(|thread| {
            let stack = self.stack(thread);
            let holds = |frame: &&PyFrame| {
                let offset = address.since(frame.addr);
                offset.is_some_and(|offset| self.frame_size(frame).is_some_and(|s| offset < s))
            };
            let frame = stack.frames.iter().find(holds)?;
            let offset = address.since(frame.addr)?;
            let function = frame.qualname.as_ref().unwrap_or(&frame.function);
            let whose = thread
                .tid
                .map_or(String::new(), |tid| format!(" in LWP {tid}"));
            Some(StatePart {
                kind: Kind::PythonFrame,
                start: frame.addr,
                offset,
                tid: thread.tid,
                interpreter: thread.interpreter,
                function: Some(function.to_string()),
                text: format!(
                    "{offset} bytes into the frame of Python's {function}{whose} at {}",
                    frame.addr
                ),
            })
        })
    }

    /// Bytes of a frame with its variables and its stack.
    fn frame_size(&self, frame: &PyFrame) -> Option<u64> {
        let code = &self.layout.fields.code;
        let memory = &self.objects.memory;
        let slots = u64::from(memory.u32(code.nlocalsplus?.of(frame.code)).ok()?)
            .checked_add(u64::from(memory.u32(code.stacksize.of(frame.code)).ok()?))?;
        let first = self.layout.fields.frame.localsplus.of(Addr::NULL).0;
        (slots <= MOST_SLOTS).then(|| first + slots * SLOT)
    }
}
