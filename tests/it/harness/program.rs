//! Running the program under test.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One finished run of pydbg.
pub(crate) struct Pydbg {
    /// Its exit status; `None` when a signal ended it.
    pub(crate) status: Option<i32>,
    /// What it printed.
    pub(crate) stdout: Vec<u8>,
    /// What it complained about.
    pub(crate) stderr: Vec<u8>,
}

impl Pydbg {
    /// Runs `pydbg ARGS` in batch mode with these commands.
    pub(crate) fn run(args: &[&str], commands: &[&str]) -> Pydbg {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydbg"));
        command.args(args).args(["--batch", "-nx"]);
        for line in commands {
            command.args(["-ex", line]);
        }
        command.stdin(Stdio::null()).env_remove("DEBUGINFOD_URLS");
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("pydbg cannot be run");
        Pydbg {
            status: status.code(),
            stdout,
            stderr,
        }
    }

    /// Opens a core and runs one command in JSON; its document.
    pub(crate) fn core(core: &Path, extra: &[&str], command: &str) -> Result<Value, String> {
        let path = core.to_str().ok_or("the core's path is not UTF-8")?;
        let mut args = vec!["core", path, "--json", "-q"];
        args.extend(extra);
        Pydbg::run(&args, &[command]).document(command)
    }

    /// Attaches to a process and runs one command in JSON; its document.
    pub(crate) fn live(pid: i32, extra: &[&str], command: &str) -> Result<Value, String> {
        let pid = pid.to_string();
        let mut args = vec!["attach", &pid, "--json", "-q"];
        args.extend(extra);
        Pydbg::run(&args, &[command]).document(command)
    }

    /// The JSON document of `command`.
    pub(crate) fn document(&self, command: &str) -> Result<Value, String> {
        let text = String::from_utf8_lossy(&self.stdout);
        let told = || {
            format!(
                "status {:?}, {}",
                self.status,
                String::from_utf8_lossy(&self.stderr)
            )
        };
        for line in text.lines() {
            let document: Value =
                serde_json::from_str(line).map_err(|e| format!("not JSON: {e}: {line}"))?;
            if document["command"] == command {
                if let Some(error) = document["error"].as_str() {
                    return Err(format!("error: {error}; {}", told()));
                }
                return Ok(document);
            }
        }
        Err(format!("no answer: {}", told()))
    }
}
