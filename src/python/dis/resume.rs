//! Where code begins (Objects/codeobject.c, `_co_firsttraceable`): at the first `RESUME`, behind
//! the instructions that make cells and generators.

use super::table::Table;

/// What may stand in the place of an instruction; none does before the code begins
/// (Python/instrumentation.c).
const CONCEALS: [&str; 3] = [
    "INSTRUMENTED_INSTRUCTION",
    "INSTRUMENTED_LINE",
    "ENTER_EXECUTOR",
];

/// The byte offset in bytecode of 3.11 or later at which the code begins, if it does there.
pub(in crate::python) fn beginning(version: (u8, u8), bytecode: &[u8]) -> Option<usize> {
    let table = Table::of(version)?;
    let begins = |unit: &[u8]| {
        let opcode = unit.first().and_then(|byte| table.opcode(*byte));
        opcode.is_some_and(|opcode| opcode.name == "RESUME" || CONCEALS.contains(&opcode.name))
    };
    Some(bytecode.chunks_exact(2).position(begins)? * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_begins_behind_its_cells() {
        // MAKE_CELL, COPY_FREE_VARS, RESUME, LOAD_CONST, RESUME.
        let code = [135, 0, 149, 1, 151, 0, 100, 0, 151, 1];
        assert_eq!(beginning((3, 11), &code), Some(4));
        assert_eq!(beginning((3, 12), &code[..4]), None);
        // RESUME_QUICK; INSTRUMENTED_LINE in the place of RESUME.
        assert_eq!(beginning((3, 11), &[135, 0, 150, 0]), Some(2));
        assert_eq!(beginning((3, 12), &[135, 0, 254, 0]), Some(2));
    }
}
