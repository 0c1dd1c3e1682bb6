//! Bytecode as `dis` shows it (Lib/dis.py): of the frame's code object, with names, constants and
//! jump targets in the place of numbers.

mod resume;
mod table;
mod walk;
mod withs;

use super::Python;
use super::code::Code;
use super::object::Objects;
use crate::addr::Addr;
use crate::target::Fault;
pub(super) use resume::beginning;
use serde::Serialize;
use table::{Meaning, Table};
use walk::{Originals, Raw};
pub(super) use withs::{Handlers, leaves_manager};

/// The most bytecode that is looked at, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// The most constants, names or variables of one code object.
const MOST_NAMES: usize = 1 << 20;

/// The longest name that is shown whole, in characters.
const LONGEST_NAME: u64 = 200;

/// What an argument stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Argument {
    /// No more than the number.
    Number,
    /// The constant at this address.
    Constant(Addr),
    /// A name or a word.
    Word(String),
    /// The byte offset that a jump goes to.
    Target(u32),
}

/// One instruction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Instruction {
    /// Byte offset from the begin of the bytecode.
    pub offset: u32,
    /// The line of the source, where it has one.
    pub line: Option<i32>,
    /// The opcode's name.
    pub name: &'static str,
    /// The specialised or instrumented form that is in its place now.
    pub form: Option<&'static str>,
    /// The argument.
    pub argument: Option<u32>,
    /// What that stands for.
    pub meaning: Argument,
    /// Whether the frame is at it.
    pub current: bool,
}

/// The bytecode of a code object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Disassembly {
    /// In their order.
    pub instructions: Vec<Instruction>,
    /// Why some are missing, in words.
    pub problem: Option<String>,
}

impl Python {
    /// The bytecode of the code object at `code`; the instruction at byte offset `lasti`, if that
    /// is not negative, is the current one.
    pub fn disassemble(&self, code: Addr, lasti: i32) -> Result<Disassembly, String> {
        let code = self
            .codes
            .get(&self.objects, code)
            .map_err(|fault| format!("the code object: {fault}"))?;
        let version = self.layout.version;
        let table = Table::of(version)
            .ok_or_else(|| format!("no opcodes of Python {}.{} are known", version.0, version.1))?;
        let bytes =
            bytecode(&self.objects, &code).map_err(|fault| format!("the bytecode: {fault}"))?;
        let originals = Originals {
            objects: &self.objects,
            code: code.addr,
        };
        let (raw, mut problem) = walk::instructions(table, &bytes, Some(&originals));
        if i64::try_from(bytes.len()).unwrap_or(i64::MAX) < code.size {
            problem = problem.or(Some(format!(
                "{} bytes of bytecode follow",
                code.size - bytes.len() as i64
            )));
        }
        let names = Names::read(&self.objects, code.addr);
        let current = raw
            .iter()
            .rposition(|raw| i64::from(raw.offset) <= i64::from(lasti));
        let instructions = raw
            .iter()
            .enumerate()
            .map(|(index, raw)| Instruction {
                offset: raw.offset,
                line: code.position(&self.objects, raw.offset as i32).line,
                name: raw.opcode.name,
                form: raw.form,
                argument: raw.argument,
                meaning: names.meaning(&self.objects, table, raw),
                current: current == Some(index),
            })
            .collect();
        Ok(Disassembly {
            instructions,
            problem,
        })
    }
}

/// The bytes of the code, at most [`MOST_BYTES`].
fn bytecode(objects: &Objects, code: &Code) -> Result<Vec<u8>, Fault> {
    if let Some(at) = code.bytecode {
        let size = usize::try_from(code.size).unwrap_or(0).min(MOST_BYTES);
        return Ok(objects.memory.bytes(at, size)?.into_owned());
    }
    let field = objects.layout.fields.code.bytecode;
    let field = field.ok_or_else(|| super::object::malformed(code.addr))?;
    let at = objects.memory.ptr(field.of(code.addr))?;
    objects.bytes_of(at, MOST_BYTES).map(|(bytes, _)| bytes)
}

/// What arguments are indices into; empty where it cannot be read.
struct Names {
    constants: Vec<Addr>,
    names: Vec<Addr>,
    locals: Vec<Addr>,
    /// Cells and free variables; from 3.11 on they are numbered with the locals.
    free: Vec<Addr>,
}

impl Names {
    fn read(objects: &Objects, code: Addr) -> Names {
        let f = &objects.layout.fields.code;
        let tuple = |field: Option<super::layout::Field>| {
            let at = field.and_then(|field| objects.memory.ptr(field.of(code)).ok());
            at.and_then(|at| objects.tuple_items(at, MOST_NAMES).ok())
                .unwrap_or_default()
        };
        let all = tuple(f.localsplusnames);
        let (locals, free) = match f.localsplusnames {
            Some(_) => (all.clone(), all),
            None => {
                let mut cells = tuple(f.cellvars);
                cells.extend(tuple(f.freevars));
                (tuple(f.varnames), cells)
            }
        };
        Names {
            constants: tuple(Some(f.consts)),
            names: tuple(Some(f.names)),
            locals,
            free,
        }
    }

    /// What the argument of an instruction stands for.
    fn meaning(&self, objects: &Objects, table: &Table, raw: &Raw) -> Argument {
        let Some(argument) = raw.argument else {
            return Argument::Number;
        };
        let name = |names: &[Addr], index: u32| match names.get(index as usize) {
            Some(at) => objects.text(*at, LONGEST_NAME).ok().map(|text| text.value),
            None => None,
        };
        let word = |text: Option<String>| text.map_or(Argument::Number, Argument::Word);
        let distance = argument.wrapping_mul(table.jump_unit);
        match raw.opcode.meaning {
            Meaning::Constant => match self.constants.get(argument as usize) {
                Some(at) => Argument::Constant(*at),
                None => Argument::Number,
            },
            Meaning::Name(shift) => word(name(&self.names, argument >> shift)),
            Meaning::Local => word(name(&self.locals, argument)),
            Meaning::Locals => {
                let (first, second) = (
                    name(&self.locals, argument >> 4),
                    name(&self.locals, argument & 15),
                );
                word(
                    first
                        .zip(second)
                        .map(|(first, second)| format!("{first}, {second}")),
                )
            }
            Meaning::Free => word(name(&self.free, argument)),
            Meaning::Word(shift) => word(
                table
                    .word(raw.opcode.name, argument >> shift)
                    .map(str::to_owned),
            ),
            Meaning::Relative => Argument::Target(raw.end.wrapping_add(distance)),
            Meaning::Backward => Argument::Target(raw.end.wrapping_sub(distance)),
            Meaning::Absolute => Argument::Target(distance),
            Meaning::None
            | Meaning::Number
            | Meaning::Line
            | Meaning::Instruction
            | Meaning::Executor => Argument::Number,
        }
    }
}
