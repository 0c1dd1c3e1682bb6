//! `info registers`: the registers of the selected frame.

use crate::cli::render::stack::Stack;
use crate::cli::render::{register, symbol};
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::{Context, bail};
use pydbg::Addr;
use serde_json::{Map, Value, json};
use std::io;

/// Print the registers of the selected frame.
///
/// In an outer frame these are the values the registers had there, as far as the frames inside
/// have saved them. A Python frame has those of the evaluation loop that runs it.
///
/// Examples:
///     info registers
///     info registers rip rsp
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoRegisters {
    /// Names of registers, with or without "$"
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// gdb's order.
const ORDER: &[&str] = &[
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15", "rip", "eflags", "fs_base", "orig_rax",
];

/// Registers that hold an address: gdb shows them in hex twice.
const POINTERS: &[&str] = &["rbp", "rsp", "rip", "pc", "sp", "fp"];

impl Run for InfoRegisters {
    const NAME: &'static str = "info registers";
    const CLASS: Class = Class::Data;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let stack = Stack::selected(session)?;
        let frame = stack
            .native_frame(session.inferior.frame)
            .with_context(|| format!("frame {} has no registers", session.inferior.frame))?;
        let process = session.process()?;
        let asked: Vec<&str> = self
            .names
            .iter()
            .map(|n| n.trim_start_matches('$'))
            .collect();
        let names = if asked.is_empty() {
            ORDER.to_vec()
        } else {
            asked.clone()
        };
        let mut lines = Vec::with_capacity(names.len());
        for name in names {
            let Some(value) = register::value(&frame.registers, name) else {
                bail!("Invalid register `{name}'");
            };
            // Only the innermost frame has the registers that no function saves.
            if value.is_none() && asked.is_empty() && matches!(name, "fs_base" | "orig_rax") {
                continue;
            }
            let near = value
                .filter(|_| matches!(name, "rip" | "pc"))
                .and_then(|value| symbol::near(process, Addr(value)));
            lines.push(Line {
                name: name.to_owned(),
                value,
                symbol: near.map(|near| near.bracketed()),
            });
        }
        Ok(Box::new(Registers(lines)))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        ORDER.iter().map(|name| (*name).to_owned()).collect()
    }
}

struct Line {
    name: String,
    value: Option<u64>,
    symbol: Option<String>,
}

/// The registers asked for.
struct Registers(Vec<Line>);

impl Report for Registers {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for Line {
            name,
            value,
            symbol,
        } in &self.0
        {
            let Some(value) = *value else {
                out.put(format_args!("{name:<15}<not saved>\n"))?;
                continue;
            };
            out.put(format_args!("{name:<15}{:<19}", format!("{value:#x}")))?;
            match name.as_str() {
                "eflags" => out.put(format_args!("{}", register::flags(value)))?,
                name if POINTERS.contains(&name) => out.put(format_args!("{value:#x}"))?,
                _ => out.put(format_args!("{}", value as i64))?,
            }
            if let Some(symbol) = symbol {
                out.put(format_args!(" "))?;
                out.target(symbol)?;
            }
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let registers: Map<String, Value> = self
            .0
            .iter()
            .map(|line| (line.name.clone(), json!(line.value.map(Addr))))
            .collect();
        json!({ "registers": registers })
    }
}
