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
    /// CPython found in the target, with the native stacks of all its threads, of which those that
    /// Python does not know need not be whole (`py-bt all`).
    PythonThreads,
    /// A target with the native stacks of all its threads (`bt`). A live one need not be stopped
    /// any more once these were captured; Python is looked at where there is one.
    NativeStacks,
    /// The same, and what each thread waits for (`info threads`). A live one need not be stopped
    /// any more once these were captured.
    Waits,
    /// A target with the stacks of all its threads and the variables of their Python frames
    /// (`py-locals`). A live one need not be stopped any more once these were captured.
    Values,
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

    /// A text that is the same for answers that `thread apply -m` shows as one; `None` when it is
    /// the answer's own text that must be the same.
    fn sameness(&self) -> Option<String> {
        None
    }

    /// Whether the text says already what this note of the target says.
    fn covers(&self, _note: &Note) -> bool {
        false
    }

    /// What this answer lacks, beyond the notes of the target.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }
}

/// What a command gives: its answer, or why there is none.
pub type Answer = anyhow::Result<Box<dyn Report>>;

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
    /// Whether spaces at the end of a raw line matter, as they do to `complete`.
    const EXACT: bool = false;
    /// Whether an empty line repeats it (all but the ones that would surprise).
    const REPEATS: bool = true;
    /// Whether `NAME … | shell command` pipes the answer; not for those to whose tail a `|`
    /// belongs, such as `shell`.
    const PIPES: bool = true;

    /// What these very words need of a live target, where that depends on them: `thread apply all
    /// CMD` needs what CMD needs. Only [`Run::NEEDS`] is required before it runs.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Self::NEEDS
    }

    /// Runs it.
    fn run(self, session: &mut Session) -> Answer;

    /// Words that may complete the `word` under the cursor, beyond options.
    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        Vec::new()
    }

    /// The same for a command whose words depend on the words `before` the one under the cursor
    /// (`set style ` is followed by `enabled`).
    fn complete_after(session: &Session, _before: &str, word: &str) -> Vec<String> {
        Self::complete(session, word)
    }

    /// For a command that runs another one: the part of `tail` that is that other command's line
    /// (`all py-bt` of `thread apply` holds `py-bt`), so that it is completed as such.
    fn nested(_tail: &str) -> Option<&str> {
        None
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
    /// What must be there before it runs.
    pub requires: Needs,
    /// What it and the commands it runs need, given its words.
    pub needs: fn(&Session, &[String]) -> Needs,
    /// Whether the tail of the line is one raw argument.
    pub raw: bool,
    /// Whether spaces at the end of a raw line matter.
    pub exact: bool,
    /// Whether an empty line repeats it.
    pub repeats: bool,
    /// Whether `| shell command` pipes its answer.
    pub pipes: bool,
    /// Its clap definition: help, options.
    pub clap: fn() -> clap::Command,
    /// Parses the words after the name and runs.
    pub run: fn(&mut Session, &[String]) -> Answer,
    /// Completion of its arguments: the words before, and the word under the cursor.
    pub complete: fn(&Session, &str, &str) -> Vec<String>,
    /// The part of its tail that is another command's line.
    pub nested: fn(&str) -> Option<&str>,
}

impl Command {
    /// The registry's entry for `C`.
    pub const fn of<C: Run>() -> Command {
        Command {
            name: C::NAME,
            aliases: C::ALIASES,
            class: C::CLASS,
            requires: C::NEEDS,
            needs: C::needs,
            raw: C::RAW,
            exact: C::EXACT,
            repeats: C::REPEATS,
            pipes: C::PIPES,
            clap: definition::<C>,
            run: |session, words| {
                let matches = definition::<C>().try_get_matches_from(words)?;
                C::from_arg_matches(&matches)?.run(session)
            },
            complete: C::complete_after,
            nested: C::nested,
        }
    }

    /// The first paragraph of its help: one sentence, without the full stop.
    pub fn summary(&self) -> String {
        (self.clap)()
            .get_about()
            .map(|about| about.to_string().trim_end_matches('.').to_owned())
            .unwrap_or_default()
    }
}

/// The clap definition of `C`, with gdb's habits: `bt -5` is a number and `--fu` is `--full`.
fn definition<C: Run>() -> clap::Command {
    C::command()
        .name(C::NAME)
        .no_binary_name(true)
        .allow_negative_numbers(true)
        .infer_long_args(true)
        .disable_version_flag(true)
}
