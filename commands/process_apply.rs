//! `process apply`: one command for several processes, its answers in one.

use crate::cli::render::applied::{self, Applied};
use crate::cli::render::inferiors;
use crate::cli::render::number::inferior_list;
use crate::cli::render::request::Request;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;

/// Apply a command to a list of processes.
///
/// The list is "all" or numbers and ranges of "info inferiors", such as "1-3 5"; "all" goes from
/// parents to children. With -q the processes have no headers, with -s the ones for which the
/// command fails are left out, with -m processes with the same answer are shown as one. The
/// selected process stays. To see which stacks many threads of many processes have in common, try
/// "stacks".
///
/// Examples:
///     process apply all py-bt
///     process apply 2-3 thread apply all py-bt
///     process apply all -m info python
///     process apply all -s -q py-print jobs
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct ProcessApply {
    /// The processes, flags and the command
    #[arg(value_name = "LIST [-q] [-s] [-m] COMMAND")]
    tail: Option<String>,
}

impl Run for ProcessApply {
    const NAME: &'static str = "process apply";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const RAW: bool = true;

    fn needs(session: &Session, words: &[String]) -> Needs {
        Request::needs(session, words).max(Self::NEEDS)
    }

    fn nested(tail: &str) -> Option<&str> {
        Request::parse(tail).nested()
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        let mut words = inferiors::numbers(session);
        words.extend(["all", "-q", "-s", "-m"].map(str::to_owned));
        words
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let tail = self.tail.unwrap_or_default();
        let request = Request::parse(&tail);
        if request.list.is_empty() {
            bail!("Please specify a list of processes, or \"all\"");
        }
        if request.line.is_empty() {
            bail!("Please specify a command to apply on all processes");
        }
        let numbers = inferior_list(session, &request.list)?;
        let selected = session.inferior.number;
        let mut answers = Vec::with_capacity(numbers.len());
        for number in numbers {
            // The command itself may have left some.
            if session.cancel.is_cancelled() || session.quit || !session.select_inferior(number) {
                continue;
            }
            let answer = applied::Answer::of(session, request.line);
            if answer.is_whole() || !request.silent {
                answers.push(answer);
            }
        }
        session.select_inferior(selected);
        session.again = None;
        Ok(Box::new(Applied::new(
            answers,
            request.quiet,
            request.merge,
        )?))
    }
}
