//! What a command is: a clap parser whose doc comment is its help, and a function from the
//! session to a report.

use super::{Out, Session};
use pydbg::diag::Note;
use std::io;

/// The classes of `help`, in the order they are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Opening and leaving targets.
    Target,
    /// Native and merged stacks.
    Stack,
    /// Python stacks and source.
    Python,
    /// Memory, registers, files.
    Data,
    /// Information about the target.
    Status,
    /// Settings, scripts, help.
    Support,
}

/// What a command needs before it can run; checked in one place, with one wording.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Needs {
    /// Nothing: works without a target.
    Nothing,
    /// A target; a live one need not be stopped any more once its stacks were captured.
    Target,
    /// CPython found in the target; likewise.
    Python,
    /// A live target must be stopped while the command runs, because it reads memory that was
    /// not captured.
    Memory,
}

/// The answer of a command: one result, walked twice.
pub trait Report {
    /// As text for a person.
    fn text(&self, out: &mut Out<'_>) -> io::Result<()>;

    /// As the `data` of a JSON document.
    fn json(&self) -> serde_json::Value;

    /// What this answer lacks, beyond the notes of the target.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }
}

/// A command: `impl Run` for its clap parser. The parser's doc comment is the help text; a
/// section `Examples:` in it is shown as such.
pub trait Run: clap::Parser + 'static {
    /// The full name; a space makes a subcommand (`info threads`).
    const NAME: &'static str;
    /// Further names, such as `where` for `bt`.
    const ALIASES: &'static [&'static str] = &[];
    /// Where `help` lists it.
    const CLASS: Class;
    /// What it needs.
    const NEEDS: Needs;
    /// Whether the tail of the line is one raw argument (`py-print a["x y"]`, `shell ls -l`).
    const RAW: bool = false;
    /// Whether an empty line repeats it (all but the ones that would surprise).
    const REPEATS: bool = true;

    /// Runs it.
    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>>;

    /// Words that may complete the `word` under the cursor, beyond options.
    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A command as the registry holds it.
#[derive(Clone, Copy)]
pub struct Command {
    /// The full name.
    pub name: &'static str,
    /// Further names.
    pub aliases: &'static [&'static str],
    /// Where `help` lists it.
    pub class: Class,
    /// What it needs.
    pub needs: Needs,
    /// Whether the tail of the line is one raw argument.
    pub raw: bool,
    /// Whether an empty line repeats it.
    pub repeats: bool,
    /// Its clap definition: help, options.
    pub clap: fn() -> clap::Command,
    /// Parses the words after the name and runs.
    pub run: fn(&mut Session, &[String]) -> anyhow::Result<Box<dyn Report>>,
    /// Completion of its arguments.
    pub complete: fn(&Session, &str) -> Vec<String>,
}

impl Command {
    /// The registry's entry for `C`.
    pub const fn of<C: Run>() -> Command {
        Command {
            name: C::NAME,
            aliases: C::ALIASES,
            class: C::CLASS,
            needs: C::NEEDS,
            raw: C::RAW,
            repeats: C::REPEATS,
            clap: || C::command().name(C::NAME).no_binary_name(true),
            run: |session, words| {
                let matches = C::command()
                    .name(C::NAME)
                    .no_binary_name(true)
                    .try_get_matches_from(words)?;
                C::from_arg_matches(&matches)?.run(session)
            },
            complete: C::complete,
        }
    }
}
