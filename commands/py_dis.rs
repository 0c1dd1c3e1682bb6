//! `py-dis`: the bytecode of a Python frame.

use crate::cli::render::value::{self, ValueView};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use anyhow::anyhow;
use pydbg::Addr;
use pydbg::diag::Note;
use pydbg::python::dis::{Argument, Instruction};
use pydbg::python::value::Limits;
use serde_json::{Value, json};
use std::io;

/// The most characters of a constant on its line.
const CONSTANT_WIDTH: usize = 60;

/// Show the bytecode of the current Python frame.
///
/// Each line has the line of the source, the offset, the opcode, its argument and, in parentheses,
/// what that stands for. "-->" marks the instruction that the frame is at, ">>" the targets of
/// jumps. Inline caches are left out, and what the interpreter specialised or instrumented is shown
/// as it was compiled.
///
/// Examples:
///     py-dis        the bytecode of the current Python frame
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyDis {}

impl Run for PyDis {
    const NAME: &'static str = "py-dis";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// The Python frames are numbered in the merged stack.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::NativeStacks
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let (python, frame) = session.python_frame()?;
        let shown = python
            .disassemble(frame.code, frame.lasti)
            .map_err(|why| anyhow!("no bytecode: {why}"))?;
        let limits = Limits {
            total: CONSTANT_WIDTH,
            elements: CONSTANT_WIDTH,
            attributes: false,
            ..value::limits(session)
        };
        let lines = shown.instructions.into_iter().map(|instruction| {
            let constant = match instruction.meaning {
                Argument::Constant(at) => Some(ValueView::of(&python, at, limits)),
                _ => None,
            };
            (instruction, constant)
        });
        Ok(Box::new(Bytecode {
            function: frame.qualname.unwrap_or(frame.function).to_string(),
            file: frame.file.to_string(),
            code: frame.code,
            lines: lines.collect(),
            problem: shown.problem,
        }))
    }
}

/// The bytecode of one code object.
struct Bytecode {
    function: String,
    file: String,
    code: Addr,
    lines: Vec<(Instruction, Option<ValueView>)>,
    problem: Option<String>,
}

impl Bytecode {
    /// What an argument stands for, as text.
    fn meaning(instruction: &Instruction, constant: Option<&ValueView>) -> Option<String> {
        match (&instruction.meaning, constant) {
            (_, Some(constant)) => Some(constant.repr.clone()),
            (Argument::Word(word), _) => Some(word.clone()),
            (Argument::Target(target), _) => Some(format!("to {target}")),
            (Argument::Number | Argument::Constant(_), _) => None,
        }
    }
}

impl Report for Bytecode {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!("Bytecode of "))?;
        out.styled(Style::Function, &self.function)?;
        out.put(format_args!(" in "))?;
        out.styled(Style::File, &self.file)?;
        out.put(format_args!(":"))?;
        out.end()?;
        let mut targets: Vec<u32> = self
            .lines
            .iter()
            .filter_map(|(instruction, _)| match instruction.meaning {
                Argument::Target(target) => Some(target),
                _ => None,
            })
            .collect();
        targets.sort_unstable();
        let mut line_before = None;
        for (instruction, constant) in &self.lines {
            let line = instruction.line.filter(|_| instruction.line != line_before);
            line_before = instruction.line;
            let line = line.map_or(String::new(), |line| line.to_string());
            let current = if instruction.current { "-->" } else { "" };
            let target = match targets.binary_search(&instruction.offset) {
                Ok(_) => ">>",
                Err(_) => "",
            };
            let (offset, name) = (instruction.offset, instruction.name);
            out.put(format_args!(
                "{line:>5} {current:>3} {target:>2} {offset:>5} "
            ))?;
            let Some(argument) = instruction.argument else {
                out.target(name)?;
                out.end()?;
                continue;
            };
            out.put(format_args!("{name:<27} {argument:>5}"))?;
            if let Some(meaning) = Bytecode::meaning(instruction, constant.as_ref()) {
                out.put(format_args!(" ("))?;
                out.target(&meaning)?;
                out.put(format_args!(")"))?;
            }
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let instructions: Vec<Value> = self
            .lines
            .iter()
            .map(|(instruction, constant)| {
                let (target, word) = match &instruction.meaning {
                    Argument::Target(target) => (Some(target), None),
                    Argument::Word(word) => (None, Some(word)),
                    _ => (None, None),
                };
                json!({
                    "offset": instruction.offset,
                    "line": instruction.line,
                    "opcode": instruction.name,
                    "form": instruction.form,
                    "argument": instruction.argument,
                    "constant": constant,
                    "name": word,
                    "target": target,
                    "current": instruction.current,
                })
            })
            .collect();
        json!({
            "function": self.function,
            "file": self.file,
            "code": self.code,
            "instructions": instructions,
        })
    }

    fn notes(&self) -> Vec<Note> {
        let problem = self.problem.iter();
        problem
            .map(|why| Note::partial(format!("the bytecode ends early: {why}")))
            .collect()
    }
}
