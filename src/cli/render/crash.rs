//! A crash as `signal` explains it, and as the banner sums it up.

use super::frame;
use super::row::Row;
use super::stack::Stack;
use crate::cli::{Out, Report, Session, Style};
use pydbg::native::crash::{AddressSource, Crash, Instruction};
use serde_json::{Value, json};
use std::io;

/// The crash of the target that is open; `None` when no signal ended it.
pub fn crash(session: &Session) -> anyhow::Result<Option<Crash>> {
    let process = session.process()?;
    Ok(match session.inferior.found() {
        Some(python) => python.crash(),
        None => process.crash(&|thread| process.called(thread)),
    })
}

/// The answer of `signal`.
pub struct CrashReport {
    crash: Option<Crash>,
    /// Whether the target is a live process, which has no signal.
    live: bool,
    /// The frame that took the signal.
    frame: Vec<Row>,
    intel: bool,
}

impl CrashReport {
    /// The crash of the target that is open.
    pub fn of(session: &Session, intel: bool) -> anyhow::Result<CrashReport> {
        let crash = crash(session)?;
        let frame = crash.as_ref().and_then(|crash| {
            let stack = Stack::of(session, crash.thread).ok()?;
            let first = stack.native.as_ref()?.frames.first()?;
            Some(stack.native_rows(0, first))
        });
        Ok(CrashReport {
            crash,
            live: session.process()?.target.is_live(),
            frame: frame.unwrap_or_default(),
            intel,
        })
    }
}

impl Report for CrashReport {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Some(crash) = &self.crash else {
            let text = match self.live {
                true => "No signal: the process is alive.\n",
                false => "No signal: the core was written while the process was running.\n",
            };
            return out.put(format_args!("{text}"));
        };
        out.put(format_args!("Program terminated with signal "))?;
        out.styled(Style::Strong, &crash.signal.name)?;
        out.put(format_args!(", {}.\n", crash.signal.description))?;
        match (&crash.signal.cause, crash.signal.code) {
            (Some(cause), _) => line(out, "Cause: ", cause)?,
            (None, Some(code)) => out.put(format_args!("si_code {code}.\n"))?,
            (None, None) => out.put(format_args!("The core does not tell the cause.\n"))?,
        }
        out.put(format_args!(
            "Thread {} (LWP {}):\n",
            crash.thread, crash.tid
        ))?;
        for row in &self.frame {
            frame::line(out, row)?;
        }
        if let Some(instruction) = &crash.instruction {
            self.instruction(out, instruction)?;
        }
        if let Some(problem) = &crash.instruction_problem {
            line(out, "There is no instruction to show: ", problem)?;
        }
        if let (Some(address), Some(place)) = (crash.address, &crash.place) {
            line(out, &format!("Address {address}: "), &place.text)?;
        } else if let (Some(address), Some(AddressSource::Operand)) =
            (crash.address, crash.address_source)
        {
            out.put(format_args!(
                "Address {address}, by the operand; the kernel gives none.\n"
            ))?;
        }
        if let Some(message) = &crash.message {
            line(out, "Message: ", message)?;
        }
        out.styled(Style::Strong, "Meaning")?;
        line(out, ": ", &crash.meaning.text)?;
        for evidence in &crash.meaning.evidence {
            line(out, "  because ", evidence)?;
        }
        for hint in &crash.hints {
            line(out, "  hint: ", hint)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "crash": self.crash, "live": self.live })
    }
}

impl CrashReport {
    fn instruction(&self, out: &mut Out<'_>, instruction: &Instruction) -> io::Result<()> {
        let text = match self.intel {
            true => &instruction.intel,
            false => &instruction.att,
        };
        out.put(format_args!("=> {}:  ", instruction.pc))?;
        out.styled(Style::Marked, text)?;
        out.end()?;
        for access in &instruction.accesses {
            out.put(format_args!("   {} ", access.verb()))?;
            match access.size {
                0 => out.put(format_args!("memory"))?,
                size => out.put(format_args!("{size} bytes"))?,
            }
            match access.address {
                Some(address) => out.put(format_args!(" at {address}"))?,
                None => out.put(format_args!(" at an address that is not known"))?,
            }
            out.put(format_args!(" ({})\n", access.expression))?;
        }
        for register in &instruction.registers {
            match register.value {
                Some(value) => out.put(format_args!("   {} = {value}\n", register.name))?,
                None => out.put(format_args!("   {} is not known\n", register.name))?,
            }
        }
        Ok(())
    }
}

/// One line of the target's words, with a full stop.
fn line(out: &mut Out<'_>, label: &str, text: &str) -> io::Result<()> {
    out.put(format_args!("{label}"))?;
    out.target(text)?;
    let stop = if text.ends_with(['.', '!']) { "" } else { "." };
    out.put(format_args!("{stop}\n"))
}
