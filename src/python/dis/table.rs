//! The opcodes of each version: `opcodes/X.Y.txt`, which `fixtures/tables/opcodes.py` writes with
//! each interpreter's own `opcode` and `dis`. Opcodes are renumbered in each minor version and
//! stay within it.

use rustc_hash::FxHashMap;
use std::sync::OnceLock;

/// The tables by version.
const TABLES: &[((u8, u8), &str)] = &[
    ((2, 7), include_str!("opcodes/2.7.txt")),
    ((3, 6), include_str!("opcodes/3.6.txt")),
    ((3, 7), include_str!("opcodes/3.7.txt")),
    ((3, 8), include_str!("opcodes/3.8.txt")),
    ((3, 9), include_str!("opcodes/3.9.txt")),
    ((3, 10), include_str!("opcodes/3.10.txt")),
    ((3, 11), include_str!("opcodes/3.11.txt")),
    ((3, 12), include_str!("opcodes/3.12.txt")),
    ((3, 13), include_str!("opcodes/3.13.txt")),
    ((3, 14), include_str!("opcodes/3.14.txt")),
    ((3, 15), include_str!("opcodes/3.15.txt")),
];

/// What an opcode's argument is. A number says how many of its lowest bits mean something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// There is none.
    None,
    /// A number as it is.
    Number,
    /// An index into `co_consts`.
    Constant,
    /// An index into `co_names`.
    Name(u32),
    /// A local variable.
    Local,
    /// Two local variables, four bits each.
    Locals,
    /// A cell or free variable.
    Free,
    /// A jump forward from behind the instruction and its caches.
    Relative,
    /// A jump back from there.
    Backward,
    /// A jump to this place.
    Absolute,
    /// One of the words of the opcode.
    Word(u32),
    /// The real opcode is kept with the code's line instrumentation.
    Line,
    /// The real opcode is kept with its instruction instrumentation.
    Instruction,
    /// The real instruction is kept in an executor of the JIT.
    Executor,
}

/// One opcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opcode {
    pub(super) name: &'static str,
    /// Code units of inline cache behind it.
    pub(super) caches: usize,
    pub(super) meaning: Meaning,
}

/// The opcodes of one version.
#[derive(Debug, Default)]
pub(super) struct Table {
    opcodes: FxHashMap<u8, Opcode>,
    /// The names of specialised and instrumented forms, and what they are forms of.
    forms: FxHashMap<u8, (&'static str, &'static str)>,
    words: FxHashMap<&'static str, Vec<&'static str>>,
    /// Whether all instructions are pairs of bytes.
    pub(super) pairs: bool,
    /// Bytes that the argument of a jump counts in.
    pub(super) jump_unit: u32,
}

impl Table {
    /// The table of a version.
    pub(super) fn of(version: (u8, u8)) -> Option<&'static Table> {
        static PARSED: OnceLock<Vec<((u8, u8), Table)>> = OnceLock::new();
        let parsed = PARSED.get_or_init(|| {
            let tables = TABLES.iter();
            tables
                .map(|(version, text)| (*version, parse(text)))
                .collect()
        });
        parsed
            .iter()
            .find(|(known, _)| *known == version)
            .map(|(_, table)| table)
    }

    /// The opcode that a byte of bytecode stands for, a specialised or instrumented form being
    /// what it is a form of.
    pub(super) fn opcode(&self, byte: u8) -> Option<Opcode> {
        let form = self.forms.get(&byte);
        match form {
            Some((_, base)) => self
                .opcodes
                .values()
                .find(|opcode| opcode.name == *base)
                .copied(),
            None => self.opcodes.get(&byte).copied(),
        }
    }

    /// The name of a byte of bytecode that is a form of another opcode.
    pub(super) fn form(&self, byte: u8) -> Option<&'static str> {
        self.forms.get(&byte).map(|(name, _)| *name)
    }

    /// What a value of the argument of an opcode stands for.
    pub(super) fn word(&self, opcode: &str, value: u32) -> Option<&'static str> {
        let words = self.words.get(opcode)?;
        words.get(usize::try_from(value).ok()?).copied()
    }
}

fn parse(text: &'static str) -> Table {
    let mut table = Table::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&'static str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["units", size] => table.pairs = *size == "2",
            ["jumps", size] => table.jump_unit = size.parse().unwrap_or(1),
            ["words", name, ..] => {
                let listed = line.splitn(3, ' ').nth(2).unwrap_or_default();
                table.words.insert(name, listed.split(',').collect());
            }
            [number, name, "=", base] => {
                if let Ok(number) = number.parse() {
                    table.forms.insert(number, (name, base));
                }
            }
            [number, name, caches, meaning] => {
                let parsed = (number.parse(), caches.parse(), Meaning::parse(meaning));
                if let (Ok(number), Ok(caches), Some(meaning)) = parsed {
                    let opcode = Opcode {
                        name,
                        caches,
                        meaning,
                    };
                    table.opcodes.insert(number, opcode);
                }
            }
            _ => {}
        }
    }
    table
}

impl Meaning {
    fn parse(word: &str) -> Option<Meaning> {
        let (word, shift) = word.split_once(">>").unwrap_or((word, "0"));
        let shift = shift.parse().ok()?;
        Some(match word {
            "-" => Meaning::None,
            "number" => Meaning::Number,
            "const" => Meaning::Constant,
            "name" => Meaning::Name(shift),
            "local" => Meaning::Local,
            "locals" => Meaning::Locals,
            "free" => Meaning::Free,
            "relative" => Meaning::Relative,
            "backward" => Meaning::Backward,
            "absolute" => Meaning::Absolute,
            "compare" | "word" => Meaning::Word(shift),
            "line" => Meaning::Line,
            "instruction" => Meaning::Instruction,
            "executor" => Meaning::Executor,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::layout::Layout;

    #[test]
    fn every_version_has_a_whole_table() {
        for layout in Layout::all_tables() {
            let table = Table::of(layout.version).unwrap();
            let text = TABLES
                .iter()
                .find(|(version, _)| *version == layout.version);
            let lines = text
                .unwrap()
                .1
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
            assert_eq!(
                lines.count(),
                table.opcodes.len() + table.forms.len(),
                "{}",
                layout.measured
            );
            assert!(table.jump_unit > 0 && table.opcodes.len() > 100);
            for byte in table.forms.keys() {
                assert!(table.opcode(*byte).is_some(), "{} {byte}", layout.measured);
            }
        }
        assert!(Table::of((3, 5)).is_none());
        let newest = Table::of((3, 14)).unwrap();
        assert_eq!(newest.word("COMPARE_OP", 2), Some("=="));
        assert_eq!(newest.word("CONTAINS_OP", 1), Some("not in"));
        assert_eq!(newest.word("COMPARE_OP", 99), None);
    }
}
