//! One frame as it lies in memory: its fields, which instruction of which code it is at, and the
//! [`PyFrame`] made of them.

use super::code::Code;
use super::dis;
use super::frame::Walk;
use super::layout::{Field, LastInstruction};
use super::{FrameKind, FrameOrigin, Position, PyFrame};
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Fault, Why};
use std::sync::Arc;

/// Bytes of a code unit.
pub(super) const CODE_UNIT: i64 = 2;

/// Bytes of bytecode in which the place is looked for where the code begins.
const MOST_BYTECODE: i64 = 1 << 16;

/// What is read of each frame.
pub(super) struct Raw {
    pub(super) addr: Addr,
    pub(super) previous: Addr,
    pub(super) code: Addr,
    pub(super) instruction: u64,
    pub(super) owner: u8,
    pub(super) is_entry: bool,
    tlbc_index: u32,
}

impl Walk<'_> {
    pub(super) fn read(&self, addr: Addr) -> Result<Raw, Fault> {
        let raw = self.objects.memory.bytes(addr, self.span)?;
        let word = |field: Field| bytes::u64_at(&raw, field.index()).unwrap_or(0);
        let byte = |field: Option<Field>| {
            field
                .and_then(|f| bytes::u8_at(&raw, f.index()))
                .unwrap_or(0)
        };
        let kinds = &self.objects.layout.kinds;
        let index = |field: Field| bytes::u32_at(&raw, field.index()).unwrap_or(0);
        Ok(Raw {
            addr,
            previous: Addr(word(self.fields.previous)),
            code: Addr(kinds.references.untag(word(self.fields.code))),
            instruction: match kinds.last_instruction {
                LastInstruction::ByteOffset | LastInstruction::UnitIndex => {
                    index(self.fields.instruction).into()
                }
                _ => word(self.fields.instruction),
            },
            owner: byte(self.fields.owner),
            is_entry: byte(self.fields.is_entry) != 0,
            tlbc_index: self.fields.tlbc_index.map_or(0, index),
        })
    }

    /// Whether a frame that cannot be read is the one that 3.13 and later push between a class and
    /// its inlined `__init__`. Its code, `_Py_InitCleanup`, is a constant of the binary, which a
    /// core leaves out, and a frame of it stays before its fifth instruction. Seen with cores of
    /// Debian's stripped 3.13, 3.14 and 3.15 without their files; the fixture `inlined_calls`
    /// shows it.
    pub(super) fn is_init_cleanup(&self, raw: &Raw, fault: Fault) -> bool {
        const LAST: i64 = 4 * CODE_UNIT;
        let adaptive = self.objects.layout.fields.code.adaptive;
        fault.why == Why::NotDumped
            && adaptive.is_some_and(|field| {
                let lasti = raw.instruction.wrapping_sub(field.of(raw.code).0) as i64;
                (0..=LAST).contains(&lasti)
            })
    }

    /// The byte offset of the current instruction, as far as it makes sense.
    pub(super) fn lasti(&self, raw: &Raw, code: &Code) -> i64 {
        match self.objects.layout.kinds.last_instruction {
            LastInstruction::ByteOffset => i64::from(raw.instruction as i32),
            LastInstruction::UnitIndex => match raw.instruction as i32 {
                index @ 0.. => i64::from(index) * CODE_UNIT,
                negative => negative.into(),
            },
            LastInstruction::PrevInstr | LastInstruction::InstrPtr => {
                let start = self.bytecode(raw, code).unwrap_or(Addr::NULL);
                raw.instruction.wrapping_sub(start.0) as i64
            }
        }
    }

    /// Where the copy of the bytecode begins that this frame runs.
    fn bytecode(&self, raw: &Raw, code: &Code) -> Option<Addr> {
        let own = code.bytecode;
        let Some(tlbc) = self.objects.layout.fields.code.tlbc else {
            return own;
        };
        if raw.tlbc_index == 0 {
            return own;
        }
        // struct _PyCodeArray { Py_ssize_t size; char *entries[]; }
        let memory = &self.objects.memory;
        let array = memory.ptr(tlbc.of(code.addr)).ok()?;
        let size = memory.u64(array).ok()?;
        let index = u64::from(raw.tlbc_index);
        (index < size).then(|| memory.ptr(array.add(8 + index * 8)).ok())?
    }

    /// Whether a frame at byte offset `lasti` has not begun its code yet (3.11+).
    pub(super) fn begins(&self, code: &Code, lasti: i64) -> bool {
        let begins = |first: i64| (-CODE_UNIT..first).contains(&lasti);
        let stated = code.first_traceable;
        let Some(start) = code.bytecode.filter(|_| begins(stated)) else {
            return false;
        };
        // Where the code begins is a number that the bytecode confirms; a wrong one hides frames.
        let length = stated.min(code.size).clamp(0, MOST_BYTECODE) as usize;
        let bytecode = self.objects.memory.bytes(start, length);
        let found = bytecode
            .ok()
            .and_then(|bytes| dis::beginning(self.objects.layout.version, &bytes));
        found.is_none_or(|found| begins(found as i64))
    }

    pub(super) fn frame(&self, raw: &Raw, code: &Arc<Code>, lasti: i64) -> PyFrame {
        let inside = (-CODE_UNIT..code.size).contains(&lasti);
        let (lasti, problem) = match i32::try_from(lasti) {
            Ok(lasti) if inside => (lasti.max(-1), code.problem.clone()),
            _ => {
                let text = format!("the current instruction lies outside the code: {lasti}");
                (-1, Some(Arc::from(text)))
            }
        };
        PyFrame {
            addr: raw.addr,
            code: raw.code,
            function: code.name.clone(),
            qualname: code.qualname.clone(),
            file: code.filename.clone(),
            position: match inside {
                true => code.position(self.objects, lasti),
                false => Position::default(),
            },
            first_line: code.first_line,
            lasti,
            kind: code.kind,
            origin: FrameOrigin::Chain,
            problem,
        }
    }
}

/// A frame whose code object is damaged; its callers are not.
pub(super) fn unreadable(raw: &Raw, fault: Fault) -> PyFrame {
    let text = format!(
        "the code object at {} cannot be read: {}",
        raw.code, fault.why
    );
    PyFrame {
        addr: raw.addr,
        code: raw.code,
        function: "<unreadable code>".into(),
        qualname: None,
        file: "<unknown>".into(),
        position: Position::default(),
        first_line: 0,
        lasti: -1,
        kind: FrameKind::Function,
        origin: FrameOrigin::Chain,
        problem: Some(text.into()),
    }
}
