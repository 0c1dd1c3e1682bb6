//! `info signals`: the signal that killed the process, and those of its threads.

use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::native::Process;
use pydbg::native::crash::codes::cause;
use pydbg::native::place::permissions;
use pydbg::target::{SignalInfo, signal};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Print the signal the process died of and what caused it.
///
/// Names the signal, where it came from, the address that could not be accessed and what is
/// mapped there; then the signals that the core has for single threads.
///
/// Examples:
///     info signals
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoSignals {}

impl Run for InfoSignals {
    const NAME: &'static str = "info signals";
    const ALIASES: &'static [&'static str] = &["info handle"];
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Signals(session.process()?.clone())))
    }
}

/// The signals of the process.
struct Signals(Arc<Process>);

impl Signals {
    fn one(&self, out: &mut Out<'_>, info: &SignalInfo) -> io::Result<()> {
        out.styled(Style::Strong, &info.name())?;
        let description = signal::description(info.signo);
        out.put(format_args!(" ({}), {description}", info.signo))?;
        if let Some(code) = info.code {
            out.put(format_args!(", si_code {code}"))?;
        }
        out.end()?;
        if let Some(words) = cause(info, self.0.target.process.pid) {
            out.put(format_args!("  cause: "))?;
            out.target(&words)?;
            out.end()?;
        }
        if let Some(fault) = info.fault {
            out.put(format_args!("  fault address: {fault}"))?;
            match self.0.target.mapping(fault) {
                Some(mapping) => {
                    out.put(format_args!(" in "))?;
                    out.target(mapping.path.as_deref().unwrap_or("anonymous memory"))?;
                    out.put(format_args!(", {}", permissions(mapping)))?;
                }
                None => out.put(format_args!(", nothing is mapped there"))?,
            }
            out.end()?;
        }
        Ok(())
    }
}

impl Report for Signals {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let target = &self.0.target;
        match &target.signal {
            Some(info) => {
                out.put(format_args!("The process died of "))?;
                self.one(out, info)?;
            }
            None if target.is_live() => out.put(format_args!("The process is alive.\n"))?,
            None => out.put(format_args!(
                "No signal: the core was written while the process was running.\n"
            ))?,
        }
        for thread in &target.threads {
            if let Some(info) = thread.signal.filter(|info| Some(*info) != target.signal) {
                out.put(format_args!("LWP {}: ", thread.tid))?;
                self.one(out, &info)?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let target = &self.0.target;
        let whole = |info: &SignalInfo| {
            json!({
                "name": info.name(),
                "description": signal::description(info.signo),
                "number": info.signo,
                "code": info.code,
                "cause": cause(info, target.process.pid),
                "fault": info.fault,
                "sender": info.sender,
                "mapping": info.fault.and_then(|fault| target.mapping(fault)),
            })
        };
        let threads: Vec<Value> = target
            .threads
            .iter()
            .filter_map(|thread| Some((thread, thread.signal.as_ref()?)))
            .map(|(thread, info)| json!({ "tid": thread.tid, "signal": whole(info) }))
            .collect();
        json!({ "signal": target.signal.as_ref().map(whole), "threads": threads })
    }
}
