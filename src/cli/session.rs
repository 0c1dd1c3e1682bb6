//! The state between commands: the open target, the selected thread and frame, settings.

use super::{Command, Report};
use pydbg::diag::Cancel;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::Options;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The state between commands.
pub struct Session {
    /// All commands there are.
    pub commands: &'static [Command],
    /// The open target.
    pub process: Option<Arc<Process>>,
    /// CPython in it, or why there is none.
    pub python: Option<Result<Arc<Python>, String>>,
    /// The selected thread (gdb number, from 1).
    pub thread: usize,
    /// The selected frame: an index into the merged stack of that thread.
    pub frame: usize,
    /// `set NAME VALUE`, by name.
    pub settings: BTreeMap<String, String>,
    /// Set by Ctrl-C.
    pub cancel: Cancel,
    /// Where files of the target are looked for.
    pub options: Options,
    /// Whether commands answer in JSON.
    pub json: bool,
    /// Whether to leave after this command.
    pub quit: bool,
}

impl Session {
    /// The open target, or the error every command gives without one.
    pub fn process(&self) -> anyhow::Result<&Arc<Process>> {
        self.process.as_ref().ok_or_else(|| {
            anyhow::anyhow!("no target is open; try \"core FILE\" or \"attach PID\"")
        })
    }

    /// CPython in the target, or why there is none.
    pub fn python(&self) -> anyhow::Result<&Arc<Python>> {
        self.process()?;
        match &self.python {
            Some(Ok(python)) => Ok(python),
            Some(Err(why)) => Err(anyhow::anyhow!("{why}")),
            None => Err(anyhow::anyhow!("no CPython was looked for")),
        }
    }

    /// Runs one command line and returns its report; used by `thread apply`, `source` and the
    /// prompt alike.
    pub fn execute(&mut self, line: &str) -> anyhow::Result<Box<dyn Report>> {
        let _ = line;
        Err(anyhow::anyhow!("not wired yet"))
    }
}
