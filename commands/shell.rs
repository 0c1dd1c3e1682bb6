//! `shell`: runs a shell command.

use crate::cli::interrupt::Mode;
use crate::cli::{Class, Needs, Plain, Report, Run, Session, complete};
use anyhow::Context;
use pydbg::escape::lossy;
use serde_json::json;
use std::process::Command;

/// Run a shell command.
///
/// "!" at the start of a line is short for it. To pipe an answer of pydbg to a shell command,
/// write the command, a | between spaces, and the shell command; gdb's own form, "pipe COMMAND |
/// SHELL_COMMAND", works too.
///
/// Examples:
///     shell ls -l
///     !ps -ef | grep python
///     py-bt all | grep -A3 worker
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Shell {
    /// The command; without one, a shell starts.
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl Run for Shell {
    const NAME: &'static str = "shell";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;
    const REPEATS: bool = false;
    const PIPES: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let mut shell = match &self.command {
            Some(command) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(command);
                shell
            }
            None => Command::new(std::env::var_os("SHELL").unwrap_or_else(|| "sh".into())),
        };
        session.interrupt.enter(Mode::Lent);
        // JSON must stay one document a line, so the output becomes part of the document.
        if session.json {
            let output = shell.output().context("cannot start the shell")?;
            let data = json!({"status": output.status.code(), "output": lossy(&output.stdout)});
            return Ok(Box::new(Plain {
                text: String::new(),
                data,
            }));
        }
        shell.status().context("cannot start the shell")?;
        Ok(Box::new(Plain::silent()))
    }

    fn complete(_: &Session, word: &str) -> Vec<String> {
        complete::files(word)
    }
}
