//! The handlers with which bytecode leaves the context managers of `with` statements
//! (Python/compile.c, from 3.13 on Python/codegen.c).

use super::bytecode;
use super::table::Table;
use super::walk::{self, Raw};
use crate::python::code::Code;
use crate::python::object::Objects;
use crate::target::Fault;

/// What such a handler begins with (from 3.11 on: what its second instruction is).
const LEAVES: [&str; 3] = ["WITH_CLEANUP", "WITH_CLEANUP_START", "WITH_EXCEPT_START"];

/// What opens the block of a statement, up to 3.10.
const SETS_UP: [&str; 2] = ["SETUP_WITH", "SETUP_ASYNC_WITH"];

/// Whether this byte of bytecode leaves a context manager.
pub(in crate::python) fn leaves_manager(version: (u8, u8), byte: u8) -> bool {
    let opcode = Table::of(version).and_then(|table| table.opcode(byte));
    opcode.is_some_and(|opcode| LEAVES.contains(&opcode.name))
}

/// The handlers in the code of versions whose frames keep a stack of blocks, up to 3.10.
pub(in crate::python) struct Handlers {
    jump_unit: u32,
    /// In the order of their offsets.
    instructions: Vec<Raw>,
}

impl Handlers {
    /// Those of a code object; none where the opcodes of its version are not known.
    pub(in crate::python) fn of(objects: &Objects, code: &Code) -> Result<Handlers, Fault> {
        let Some(table) = Table::of(objects.layout.version) else {
            return Ok(Handlers {
                jump_unit: 1,
                instructions: Vec::new(),
            });
        };
        let (instructions, _) = walk::instructions(table, &bytecode(objects, code)?, None);
        Ok(Handlers {
            jump_unit: table.jump_unit,
            instructions,
        })
    }

    /// The byte offset that the `b_handler` of a block stands for, if the handler there leaves a
    /// context manager.
    pub(in crate::python) fn leaving(&self, handler: u32) -> Option<u32> {
        let offset = handler.checked_mul(self.jump_unit)?;
        let at = (self.instructions).binary_search_by_key(&offset, |raw| raw.offset);
        let raw = self.instructions.get(at.ok()?)?;
        LEAVES.contains(&raw.opcode.name).then_some(offset)
    }

    /// The byte offset of the instruction whose block has the handler at byte offset `target`. It
    /// has the line of the statement's beginning; up to 3.7 the handler has that of its end.
    pub(in crate::python) fn setup(&self, target: u32) -> Option<u32> {
        let leads_there = |raw: &&Raw| {
            let distance = raw.argument.map(|count| count.wrapping_mul(self.jump_unit));
            SETS_UP.contains(&raw.opcode.name)
                && distance.map(|distance| raw.end.wrapping_add(distance)) == Some(target)
        };
        let raw = self.instructions.iter().find(leads_there)?;
        Some(raw.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handlers(version: (u8, u8), code: &[u8]) -> Handlers {
        let table = Table::of(version).unwrap();
        Handlers {
            jump_unit: table.jump_unit,
            instructions: walk::instructions(table, code, None).0,
        }
    }

    #[test]
    fn a_block_leads_to_its_handler_and_back() {
        // 2.7: SETUP_WITH +1 over POP_TOP to WITH_CLEANUP.
        let old = handlers((2, 7), &[143, 1, 0, 1, 81]);
        assert_eq!((old.leaving(4), old.leaving(3)), (Some(4), None));
        assert_eq!((old.setup(4), old.setup(3)), (Some(0), None));
        // 3.8: NOP, EXTENDED_ARG 1, SETUP_WITH 0x100; 3.10 counts in pairs of bytes.
        for (version, handler) in [((3, 8), 81), ((3, 10), 49)] {
            let unit = Table::of(version).unwrap().jump_unit;
            let mut code = vec![9, 0, 144, 1, 143, 0];
            let target = 6 + 0x100 * unit;
            code.resize(target as usize, 9);
            code.extend([handler, 0]);
            let found = handlers(version, &code);
            assert_eq!(found.leaving(target / unit), Some(target), "{version:?}");
            assert_eq!(found.leaving(target / unit - 2 / unit), None);
            assert_eq!(found.setup(target), Some(4), "{version:?}");
        }
    }

    #[test]
    fn one_byte_tells_from_3_11_on() {
        assert!(leaves_manager((3, 11), 49) && leaves_manager((3, 13), 44));
        assert!(!leaves_manager((3, 13), 49) && !leaves_manager((9, 9), 49));
    }
}
