//! `info frame`: all about the selected frame.

use crate::cli::render::row::{Row, kind_word, trust_mark};
use crate::cli::render::stack::Stack;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::{Context, bail};
use pydbg::Addr;
use pydbg::python::MergedFrame;
use pydbg::unwind::{NativeFrame, Trust};
use serde_json::{Value, json};
use std::io;

/// Print all about the selected stack frame.
///
/// For a native frame: its address, what it runs, how it was found, the saved rip and the
/// neighbours. For a Python frame: the objects behind it, line, columns and instruction, and the
/// native activation of the evaluation loop that runs it.
///
/// Examples:
///     info frame
///     info frame 7
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoFrame {
    /// The number of another frame
    #[arg(value_name = "NUMBER")]
    number: Option<usize>,
}

impl Run for InfoFrame {
    const NAME: &'static str = "info frame";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let stack = Stack::selected(session)?;
        let index = self.number.unwrap_or(session.inferior.frame);
        if stack.len() == 0 {
            bail!("No stack.");
        }
        let rows = stack.rows_with_source(index);
        let row = rows
            .last()
            .with_context(|| format!("No frame at level {index}."))?
            .clone();
        let neighbour = |index: Option<usize>| {
            let index = index?;
            stack.merged.frames.get(index).map(|frame| match frame {
                MergedFrame::Native(frame) => Neighbour {
                    index,
                    at: frame.cfa,
                },
                MergedFrame::Python(frame) => Neighbour {
                    index,
                    at: Some(frame.addr),
                },
            })
        };
        let saved = saved_pc(&stack, index);
        Ok(Box::new(Details {
            index,
            inlined: rows.len() - 1,
            native: stack.native_frame(index).copied(),
            row,
            saved,
            caller: neighbour(index.checked_add(1)),
            callee: neighbour(index.checked_sub(1)),
        }))
    }
}

/// The pc of the native frame that called frame `index`.
fn saved_pc(stack: &Stack, index: usize) -> Option<Addr> {
    let frame = stack.native_frame(index)?;
    let all = &stack.native.as_ref()?.frames;
    let at = all
        .iter()
        .position(|other| other.sp == frame.sp && other.pc == frame.pc)?;
    all.get(at + 1).map(|caller| caller.pc.addr())
}

struct Neighbour {
    index: usize,
    at: Option<Addr>,
}

impl Neighbour {
    fn text(&self, what: &str, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(" {what} frame #{}", self.index))?;
        match self.at {
            Some(at) => out.put(format_args!(" at {at}\n")),
            None => out.end(),
        }
    }
}

/// One frame in full.
struct Details {
    index: usize,
    inlined: usize,
    row: Row,
    native: Option<NativeFrame>,
    saved: Option<Addr>,
    caller: Option<Neighbour>,
    callee: Option<Neighbour>,
}

impl Report for Details {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        match &self.row {
            Row::Native(row) => {
                match row.cfa {
                    Some(cfa) => out.put(format_args!(
                        "Stack level {}, frame at {cfa}:\n rip = {}",
                        self.index, row.pc
                    ))?,
                    None => out.put(format_args!(
                        "Stack level {}, frame at an unknown address:\n rip = {}",
                        self.index, row.pc
                    ))?,
                }
                if let Some(function) = &row.function {
                    out.put(format_args!(" in "))?;
                    out.target(function)?;
                }
                if let (Some(file), Some(line)) = (&row.file, row.line) {
                    out.put(format_args!(" ("))?;
                    out.target(file)?;
                    out.put(format_args!(":{line})"))?;
                }
                match self.saved {
                    Some(saved) => out.put(format_args!("; saved rip = {saved}\n"))?,
                    None => out.put(format_args!("; saved rip = <not saved>\n"))?,
                }
                if let Some(module) = &row.module {
                    out.put(format_args!(" from "))?;
                    out.target(module)?;
                    out.end()?;
                }
                let found = match row.trust {
                    Trust::Context => "the registers of the thread",
                    Trust::Cfi => "call frame information",
                    Trust::SignalFrame => "the registers the kernel saved for a signal handler",
                    trust => trust_mark(trust).unwrap_or("unknown means"),
                };
                out.put(format_args!(" found by {found}\n"))?;
                match self.inlined {
                    0 => {}
                    1 => out.put(format_args!(" with 1 inlined function\n"))?,
                    count => out.put(format_args!(" with {count} inlined functions\n"))?,
                }
            }
            Row::Python(row) => {
                out.put(format_args!(
                    "Stack level {}, Python frame at {}:\n ",
                    self.index, row.address
                ))?;
                out.target(row.name())?;
                out.put(format_args!(" in "))?;
                out.target(&row.file)?;
                if let Some(line) = row.position.line {
                    out.put(format_args!(", line {line}"))?;
                }
                if let (Some(from), Some(to)) = (row.position.column, row.position.end_column) {
                    out.put(format_args!(", columns {from}-{to}"))?;
                }
                out.put(format_args!(
                    "\n code object at {}, first line {}, last instruction at byte {}\n",
                    row.code, row.first_line, row.lasti
                ))?;
                if let Some(word) = kind_word(row.kind) {
                    out.put(format_args!(" runs a {word}\n"))?;
                }
                if let Some(problem) = &row.problem {
                    out.put(format_args!(" problem: "))?;
                    out.target(problem)?;
                    out.end()?;
                }
                if let Some(native) = &self.native {
                    out.put(format_args!(
                        " run by the evaluation loop with rip = {}, rsp = {}\n",
                        native.pc.addr(),
                        native.sp
                    ))?;
                }
            }
        }
        if let Some(caller) = &self.caller {
            caller.text("called by", out)?;
        } else {
            out.put(format_args!(" outermost frame\n"))?;
        }
        if let Some(callee) = &self.callee {
            callee.text("caller of", out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "frame": self.row,
            "registers": self.native.as_ref().map(|frame| frame.registers),
            "saved_pc": self.saved,
            "function_start": self.native.as_ref().and_then(|frame| frame.function_start),
        })
    }
}
