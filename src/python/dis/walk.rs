//! The instructions in a piece of bytecode: pairs of bytes (3.6+) with inline caches between them
//! (3.11+), or one byte with two more for an argument (2.7). What the interpreter wrote over an
//! instruction while it ran (Python/specialize.c, instrumentation.c, optimizer.c) is undone, as
//! `_PyCode_GetCode` does it.

use super::table::{Meaning, Opcode, Table};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::LineInstrumentation;
use crate::python::object::{Objects, malformed};
use crate::target::Fault;
use std::ops::RangeInclusive;

/// An instruction as it lies there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Raw {
    /// Byte offset from the begin of the bytecode.
    pub(super) offset: u32,
    pub(super) opcode: Opcode,
    /// What is really there, where the interpreter wrote over the opcode.
    pub(super) form: Option<&'static str>,
    /// The argument with the `EXTENDED_ARG`s before it.
    pub(super) argument: Option<u32>,
    /// Byte offset behind it and its caches.
    pub(super) end: u32,
}

/// Finds out what was there before the interpreter wrote over it.
pub(super) struct Originals<'o> {
    pub(super) objects: &'o Objects,
    pub(super) code: Addr,
}

/// The instructions, and why they end early.
pub(super) fn instructions(
    table: &Table,
    code: &[u8],
    originals: Option<&Originals<'_>>,
) -> (Vec<Raw>, Option<String>) {
    let mut found = Vec::new();
    let (mut at, mut extended) = (0usize, 0u32);
    while let Some(byte) = bytes::u8_at(code, at) {
        let (opcode, form, low) = match resolve(table, code, at, byte, originals) {
            Ok(resolved) => resolved,
            Err(why) => return (found, Some(why)),
        };
        let has_argument = opcode.meaning != Meaning::None;
        let (low, width, bits) = match table.pairs {
            true => (u32::from(low), 2, 8),
            false if has_argument => {
                let low = bytes::u16_at(code, at + 1).unwrap_or(0);
                (u32::from(low), 3, 16)
            }
            false => (0, 1, 16),
        };
        let argument = has_argument.then_some(extended | low);
        let end = at + width + 2 * opcode.caches;
        found.push(Raw {
            offset: at as u32,
            opcode,
            form,
            argument,
            end: end as u32,
        });
        extended = match opcode.name {
            "EXTENDED_ARG" => (extended | low) << bits,
            _ => 0,
        };
        at = end;
    }
    (found, None)
}

/// The opcode at `at`, the form it has there, and the byte of its argument.
fn resolve(
    table: &Table,
    code: &[u8],
    at: usize,
    byte: u8,
    originals: Option<&Originals<'_>>,
) -> Result<(Opcode, Option<&'static str>, u8), String> {
    /// Line instrumentation over instruction instrumentation over an executor.
    const MOST_LAYERS: usize = 4;
    let mut low = bytes::u8_at(code, at + 1).unwrap_or(0);
    let (mut byte, mut form) = (byte, None);
    for _ in 0..MOST_LAYERS {
        let Some(opcode) = table.opcode(byte) else {
            return Err(format!("{byte} at offset {at} is no opcode"));
        };
        let unit = (at / 2) as u64;
        let original = match (opcode.meaning, originals) {
            (Meaning::Line, Some(originals)) => originals.line(unit).map(|byte| (byte, low)),
            (Meaning::Instruction, Some(o)) => o.instruction(unit).map(|byte| (byte, low)),
            (Meaning::Executor, Some(originals)) => originals.executor(low),
            (Meaning::Line | Meaning::Instruction | Meaning::Executor, None) => {
                return Err(format!(
                    "what {} at offset {at} hides is not known",
                    opcode.name
                ));
            }
            _ => return Ok((opcode, form.or(table.form(byte)), low)),
        };
        form = form.or(Some(opcode.name));
        (byte, low) = original
            .map_err(|fault| format!("what {} at offset {at} hides: {fault}", opcode.name))?;
    }
    Err(format!("the opcode at offset {at} hides itself"))
}

impl Originals<'_> {
    /// The opcode under `INSTRUMENTED_LINE` at a code unit.
    fn line(&self, unit: u64) -> Result<u8, Fault> {
        /// An opcode, and a difference of lines in as many bytes as the code needs.
        const ENTRY_SIZES: RangeInclusive<u8> = 2..=5;
        let memory = &self.objects.memory;
        let fields = self.objects.layout.fields.monitoring;
        let fields = fields.ok_or_else(|| malformed(self.code))?;
        let lines = memory.ptr(fields.lines.of(self.monitoring()?))?;
        match self.objects.layout.kinds.line_instrumentation {
            LineInstrumentation::None => Err(malformed(self.code)),
            // The first code unit of a pair holds an opcode that code may begin with, or nothing.
            LineInstrumentation::Either if !ENTRY_SIZES.contains(&memory.u8(lines)?) => {
                memory.u8(lines.add(unit * 2))
            }
            LineInstrumentation::Either | LineInstrumentation::Sized => {
                let size = u64::from(memory.u8(lines)?);
                memory.u8(lines.add(1 + unit * size))
            }
        }
    }

    /// The opcode under `INSTRUMENTED_INSTRUCTION` at a code unit.
    fn instruction(&self, unit: u64) -> Result<u8, Fault> {
        let memory = &self.objects.memory;
        let fields = self.objects.layout.fields.monitoring;
        let fields = fields.ok_or_else(|| malformed(self.code))?;
        let opcodes = memory.ptr(fields.instructions.of(self.monitoring()?))?;
        memory.u8(opcodes.add(unit))
    }

    fn monitoring(&self) -> Result<Addr, Fault> {
        let field = self.objects.layout.fields.code.monitoring;
        let field = field.ok_or_else(|| malformed(self.code))?;
        self.objects.memory.ptr(field.of(self.code))
    }

    /// The opcode and argument under `ENTER_EXECUTOR`: the argument is an index into the
    /// executors of the code.
    fn executor(&self, index: u8) -> Result<(u8, u8), Fault> {
        /// `executors` in `_PyExecutorArray`.
        const EXECUTORS: u64 = 8;
        /// `vm_data` in `_PyExecutorObject`, behind the header.
        const VM_DATA: u64 = 16;
        let memory = &self.objects.memory;
        let field = self.objects.layout.fields.code.executors;
        let field = field.ok_or_else(|| malformed(self.code))?;
        let array = memory.ptr(field.of(self.code))?;
        let executor = memory.ptr(array.add(EXECUTORS + u64::from(index) * 8))?;
        let data = self.objects.after(executor, VM_DATA);
        let [opcode, argument] = memory.array::<2>(data)?;
        Ok((opcode, argument))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: (u8, u8), code: &[u8]) -> (Vec<Raw>, Option<String>) {
        instructions(Table::of(version).unwrap(), code, None)
    }

    #[test]
    fn arguments_are_extended() {
        // 3.8: EXTENDED_ARG 1, LOAD_CONST 2, RETURN_VALUE.
        let (found, why) = of((3, 8), &[144, 1, 100, 2, 83, 0]);
        let seen: Vec<_> = found
            .iter()
            .map(|raw| (raw.offset, raw.opcode.name, raw.argument))
            .collect();
        let expected = [
            (0, "EXTENDED_ARG", Some(1)),
            (2, "LOAD_CONST", Some(0x102)),
            (4, "RETURN_VALUE", None),
        ];
        assert_eq!((&*seen, why), (&expected[..], None));
        // 2.7: EXTENDED_ARG 1, LOAD_CONST 2, RETURN_VALUE.
        let (found, _) = of((2, 7), &[145, 1, 0, 100, 2, 0, 83]);
        let seen: Vec<_> = found
            .iter()
            .map(|raw| (raw.offset, raw.opcode.name, raw.argument))
            .collect();
        let expected = [
            (0, "EXTENDED_ARG", Some(1)),
            (3, "LOAD_CONST", Some(0x1_0002)),
            (6, "RETURN_VALUE", None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn garbage_ends_with_a_reason() {
        for layout in crate::python::layout::Layout::all_tables() {
            for fill in 0..=255u8 {
                let (found, why) = of(layout.version, &[fill; 65]);
                assert!(found.len() <= 65 && (why.is_some() || !found.is_empty()));
            }
        }
    }
}
