//! `x`: memory, as gdb examines it.

use crate::cli::render::memory::{Format, Letter, quoted};
use crate::cli::render::{address, symbol};
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use anyhow::{anyhow, bail};
use pydbg::Addr;
use pydbg::diag::Note;
use pydbg::native::Process;
use serde_json::{Value, json};
use std::io;

/// Examine memory: x/FMT ADDRESS.
///
/// FMT is a count, a format and a size. The formats are x (hex), z (the same), d (signed),
/// u (unsigned), o (octal), t (binary), a (address with symbol), c (character), f (float) and
/// s (string); the sizes b (1 byte), h (2), w (4) and g (8). A negative count goes backwards.
/// ADDRESS is a sum of numbers, registers of the selected frame ($sp, $pc, $rdi) and symbols.
/// An empty line after it goes on where it ended.
///
/// Examples:
///     x/8gx $sp
///     x/s 0x7f8d5ffff880
///     x/4a $rsp+16
///     x/2dw _PyRuntime
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct X {
    /// Format and address
    #[arg(value_name = "/FMT ADDRESS", allow_hyphen_values = true)]
    tail: Option<String>,
}

/// The longest string shown at once; the rest follows as further strings, as in gdb.
const MOST_STRING: usize = 200;

impl Run for X {
    const NAME: &'static str = "x";
    const CLASS: Class = Class::Data;
    const NEEDS: Needs = Needs::Memory;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let tail = self.tail.unwrap_or_default();
        let tail = tail.trim();
        let (format, expression) = match tail.strip_prefix('/') {
            Some(rest) => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            None => ("", tail),
        };
        let format = Format::parse(format)?;
        let mut at = address::evaluate(session, expression)?;
        let process = session.process()?;
        if format.count < 0 {
            if format.letter == Letter::String {
                bail!("strings cannot be examined backwards");
            }
            at = at.sub(format.count.unsigned_abs() * format.size as u64);
        }
        let count = format.count.unsigned_abs() as usize;
        let examined = examine(process, at, format, count);
        if examined.lines.is_empty()
            && let Some(fault) = &examined.fault
        {
            return Err(anyhow!("{fault}"));
        }
        session.again = Some(format!("x/{count}{} {}", format.letters(), examined.next));
        Ok(Box::new(examined))
    }
}

/// Reads `count` units from `at`.
fn examine(process: &Process, at: Addr, format: Format, count: usize) -> Examined {
    let mut lines = Vec::new();
    let mut next = at;
    let mut fault = None;
    let mut left = count;
    while left > 0 && fault.is_none() {
        let start = next;
        let mut units = Vec::new();
        for _ in 0..left.min(format.per_line()) {
            match unit(process, next, format) {
                Ok((text, length)) => {
                    units.push(text);
                    next = next.add(length);
                    left -= 1;
                }
                Err(why) => {
                    fault = Some(why);
                    break;
                }
            }
        }
        if !units.is_empty() {
            lines.push(Line {
                at: start,
                symbol: symbol::near(process, start).map(|near| near.bracketed()),
                units,
            });
        }
    }
    Examined { lines, next, fault }
}

/// One unit at `at` as text, and its length in bytes.
fn unit(process: &Process, at: Addr, format: Format) -> Result<(String, u64), String> {
    let memory = &*process.target.memory;
    if format.letter == Letter::String {
        return string(process, at);
    }
    let raw = memory
        .bytes(at, format.size)
        .map_err(|fault| fault.to_string())?;
    let mut text = format.show(&raw);
    if format.letter == Letter::Address {
        let value = pydbg::bytes::u64_at(&raw, 0).map(Addr);
        if let Some(near) = value.and_then(|value| symbol::near(process, value)) {
            text.push(' ');
            text.push_str(&near.bracketed());
        }
    }
    Ok((text, format.size as u64))
}

/// The C string at `at`, cut at the longest shown.
fn string(process: &Process, at: Addr) -> Result<(String, u64), String> {
    let memory = &*process.target.memory;
    let mut bytes = Vec::new();
    while bytes.len() < MOST_STRING {
        match memory.u8(at.add(bytes.len() as u64)) {
            Ok(0) => {
                let length = bytes.len() as u64 + 1;
                return Ok((format!("\"{}\"", quoted(&bytes, '"')), length));
            }
            Ok(byte) => bytes.push(byte),
            Err(fault) if bytes.is_empty() => return Err(fault.to_string()),
            Err(fault) => {
                let text = format!("\"{}\"<{fault}>", quoted(&bytes, '"'));
                return Ok((text, bytes.len() as u64));
            }
        }
    }
    let length = bytes.len() as u64;
    Ok((format!("\"{}\"...", quoted(&bytes, '"')), length))
}

/// Memory as examined.
struct Examined {
    lines: Vec<Line>,
    next: Addr,
    fault: Option<String>,
}

struct Line {
    at: Addr,
    symbol: Option<String>,
    units: Vec<String>,
}

impl Report for Examined {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for line in &self.lines {
            out.styled(Style::Address, &line.at.to_string())?;
            if let Some(symbol) = &line.symbol {
                out.put(format_args!(" "))?;
                out.styled(Style::Function, symbol)?;
            }
            out.put(format_args!(":"))?;
            for unit in &line.units {
                out.put(format_args!("\t"))?;
                out.target(unit)?;
            }
            out.end()?;
        }
        if let Some(fault) = &self.fault {
            out.styled(Style::Faint, fault)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| json!({ "address": line.at, "symbol": line.symbol, "values": line.units }))
            .collect();
        json!({ "lines": lines, "next": self.next })
    }

    fn notes(&self) -> Vec<Note> {
        self.fault
            .iter()
            .map(|text| Note::partial(text.clone()))
            .collect()
    }
}
