//! `watch`: runs a command again and again on a live target.

use crate::cli::call::Asked;
use crate::cli::line::{Line, split_pipe};
use crate::cli::watch;
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use anyhow::bail;
use std::time::Duration;

/// Run a command every few seconds, on a live process that runs on in between.
///
/// Each round shows the process as it is then, and stops it for no longer than the command
/// needs; the rest of the time pydbg does not touch it. On a terminal each round begins on an
/// empty screen. Ctrl-C ends it, and so does the end of the process, or -c COUNT rounds. The
/// process runs on afterwards, as after "continue". With --json each round is a document, and a
/// last one says how many there were and why it ended.
///
/// Examples:
///     watch py-bt
///     watch -n 0.5 info threads
///     watch -n 10 -c 6 locks
///     watch -n 60 heap | head -20
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Watch {
    /// Seconds between two rounds, at least 0.1.
    #[arg(short = 'n', long, value_name = "SECONDS", default_value_t = 2.0)]
    interval: f64,

    /// How many rounds; without it, until Ctrl-C.
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// The command.
    #[arg(value_name = "COMMAND")]
    line: Option<String>,
}

/// Seconds between two rounds.
const LEAST: f64 = 0.1;
const MOST: f64 = 86_400.0;

/// Commands that would have no second round, or no end.
const NEVER: [&str; 3] = ["quit", "source", "shell"];

impl Run for Watch {
    const NAME: &'static str = "watch";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const RAW: bool = true;
    const REPEATS: bool = false;
    const PIPES: bool = false;

    fn nested(tail: &str) -> Option<&str> {
        let mut rest = tail.trim_start();
        while rest.starts_with('-') {
            let (option, after) = rest.split_once(char::is_whitespace)?;
            rest = after.trim_start();
            if !option.contains('=') {
                rest = rest.split_once(char::is_whitespace)?.1.trim_start();
            }
        }
        Some(rest)
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        session.running_pid()?;
        let Some(line) = self.line else {
            bail!("Please specify a command to repeat.");
        };
        if !(LEAST..=MOST).contains(&self.interval) {
            bail!("the interval is {LEAST} to {MOST} seconds");
        }
        let text = match Line::parse(&line) {
            Line::Command(text) | Line::Pipe(text) => split_pipe(text).0,
            Line::Empty | Line::Comment | Line::Shell(_) => {
                bail!("Please specify a command to repeat.")
            }
        };
        if let Asked::Call(call) = session.parse(text)? {
            let name = call.command.name;
            if call.command.class == Class::Target || NEVER.contains(&name) {
                bail!("watch does not repeat \"{name}\"");
            }
        }
        for inferior in session.inferiors_mut().filter(|one| one.pid().is_some()) {
            inferior.resume();
            inferior.running = true;
        }
        session.watch = Some(watch::Watch {
            every: Duration::from_secs_f64(self.interval),
            count: self.count,
            line,
        });
        Ok(Box::new(Plain::silent()))
    }
}
