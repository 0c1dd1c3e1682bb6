//! Code objects (Include/cpython/code.h), read once each and shared by all frames that run them.

use super::FrameKind;
use super::layout::LastInstruction;
use super::lines::Lines;
use super::object::{Objects, Text};
use super::variables::Names;
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Fault, Why};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A position in source, as `co_positions()` gives it. Columns are UTF-8 byte offsets from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Position {
    /// The line; `None` when the instruction has none.
    pub line: Option<i32>,
    /// The last line of the expression (3.11+).
    pub end_line: Option<i32>,
    /// First column (3.11+).
    pub column: Option<u32>,
    /// Column behind the last (3.11+).
    pub end_column: Option<u32>,
}

/// One code object.
#[derive(Debug)]
pub struct Code {
    /// Its address.
    pub addr: Addr,
    /// `co_name`, or what is wrong with it, in angle brackets.
    pub name: Arc<str>,
    /// `co_qualname`, from 3.11 on.
    pub qualname: Option<Arc<str>>,
    /// `co_filename`, or what is wrong with it, in angle brackets.
    pub filename: Arc<str>,
    /// `co_firstlineno`.
    pub first_line: i32,
    /// What a frame of it runs.
    pub kind: FrameKind,
    /// Length of the bytecode in bytes.
    pub size: i64,
    /// Where the bytecode begins, when it lies in the code object (3.11+).
    pub bytecode: Option<Addr>,
    /// Byte offset of the first instruction that counts as started (3.11+).
    pub first_traceable: i64,
    /// What is wrong with it, in words.
    pub problem: Option<Arc<str>>,
    /// What its variables are called.
    pub(super) names: Names,
    table: Vec<u8>,
    lines: OnceLock<Lines>,
}

/// The longest name that is shown whole, in characters.
const LONGEST_NAME: u64 = 64 << 10;

/// The longest line table that is believed, in bytes.
const LONGEST_TABLE: usize = 16 << 20;

/// `CO_*` bits of `co_flags`.
mod flags {
    pub(super) const GENERATOR: u32 = 0x20;
    pub(super) const COROUTINE: u32 = 0x80;
    /// A generator that may be awaited: `types.coroutine`.
    pub(super) const ITERABLE_COROUTINE: u32 = 0x100;
    pub(super) const ASYNC_GENERATOR: u32 = 0x200;
}

/// The code objects met so far, and those that could not be read.
#[derive(Default)]
pub(super) struct Codes(RwLock<FxHashMap<Addr, Result<Arc<Code>, Fault>>>);

impl Codes {
    /// The code object at `addr`.
    pub(super) fn get(&self, objects: &Objects, addr: Addr) -> Result<Arc<Code>, Fault> {
        let known = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&addr)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let code = Code::read(objects, addr).map(Arc::new);
        let mut codes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        codes.entry(addr).or_insert(code).clone()
    }
}

impl Code {
    /// Reads the code object at `addr`; an error when there is none.
    fn read(objects: &Objects, addr: Addr) -> Result<Code, Fault> {
        // A type that cannot be read says nothing; one that is no code type does.
        let ty = objects.type_of(addr).ok();
        let malformed = Fault {
            addr,
            why: Why::Malformed,
        };
        if ty.as_ref().is_some_and(|ty| !ty.may_be("code")) {
            return Err(malformed);
        }
        let f = &objects.layout.fields.code;
        let raw = objects.memory.bytes(addr, f.size.index())?;
        let int = |field: super::layout::Field| bytes::i32_at(&raw, field.index()).unwrap_or(0);
        let ptr =
            |field: super::layout::Field| Addr(bytes::u64_at(&raw, field.index()).unwrap_or(0));
        let mut problem = None;
        let mut text = |what: &str, at: Addr| -> Arc<str> {
            let (shown, why) = shown(what, at, objects.text(at, LONGEST_NAME));
            problem = problem.take().or(why);
            shown.into()
        };
        let name = text("name", ptr(f.name));
        let qualname = f.qualname.map(|field| text("qualified name", ptr(field)));
        let filename = text("file name", ptr(f.filename));
        let table = objects.bytes(ptr(f.linetable), LONGEST_TABLE);
        if let Err(fault) = &table {
            problem = problem.or(Some(format!("no line table: {fault}")));
        }
        let named = ty.is_some_and(|ty| ty.name.is_some());
        if !named
            && objects
                .text(ptr(f.name), 0)
                .or(objects.text(ptr(f.filename), 0))
                .is_err()
        {
            return Err(malformed);
        }
        let flags = int(f.flags) as u32;
        let size = match (f.bytecode, objects.layout.kinds.last_instruction) {
            (Some(bytecode), _) => objects.var_size(ptr(bytecode)).unwrap_or(i64::MAX),
            (None, LastInstruction::PrevInstr | LastInstruction::InstrPtr) => {
                objects.var_size(addr)?.saturating_mul(2)
            }
            _ => i64::MAX,
        };
        Ok(Code {
            addr,
            name,
            qualname,
            filename,
            first_line: int(f.firstlineno),
            kind: FrameKind::of(flags),
            size,
            bytecode: f.adaptive.map(|field| field.of(addr)),
            first_traceable: f
                .firsttraceable
                .map_or(0, |field| i64::from(int(field)) * 2),
            problem: problem.map(Arc::from),
            names: Names::default(),
            table: table.unwrap_or_default(),
            lines: OnceLock::new(),
        })
    }

    /// The position of the instruction at byte offset `lasti`; −1 is before the first.
    pub(super) fn position(&self, objects: &Objects, lasti: i32) -> Position {
        let Ok(lasti) = u32::try_from(lasti) else {
            return Position {
                line: Some(self.first_line),
                ..Position::default()
            };
        };
        if self.table.is_empty() && self.problem.is_some() {
            return Position::default();
        }
        let kind = objects.layout.kinds.line_table;
        self.lines
            .get_or_init(|| Lines::decode(kind, self.first_line, &self.table))
            .at(lasti)
    }
}

impl FrameKind {
    fn of(flags: u32) -> FrameKind {
        if flags & flags::ASYNC_GENERATOR != 0 {
            FrameKind::AsyncGenerator
        } else if flags & (flags::COROUTINE | flags::ITERABLE_COROUTINE) != 0 {
            FrameKind::Coroutine
        } else if flags & flags::GENERATOR != 0 {
            FrameKind::Generator
        } else {
            FrameKind::Function
        }
    }
}

/// How a name is shown, and what is wrong with it.
fn shown(what: &str, at: Addr, text: Result<Text, Fault>) -> (String, Option<String>) {
    match text {
        Ok(Text { value, left_out: 0 }) => (value, None),
        Ok(Text { value, left_out }) if value.is_empty() => {
            let text = format!("<{what} of {left_out} characters>");
            let why = format!("the {what} at {at} says that it has {left_out} characters");
            (text, Some(why))
        }
        Ok(Text { value, left_out }) => (format!("{value}<and {left_out} more characters>"), None),
        Err(fault) => {
            let why = format!("the {what} at {at} is no string: {}", fault.why);
            (format!("<{what} at {at} is no string>"), Some(why))
        }
    }
}
