//! From the text of a command to its run: which command it names, the words it gets, what it
//! needs. gdb's habits with options (`bt -full`) are brought into clap's form here.

use super::command::{Command, Needs, Report};
use super::names::{Found, Names};
use super::{Session, help, line};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands that are short for the beginning of another one, as gdb defines them.
const SHORT_FOR: &[(&str, &str)] = &[("taas", "thread apply all -s")];

/// Other names of `info`, which is no command itself.
const GROUP_ALIASES: &[(&str, &str)] = &[("i", "info"), ("inf", "info")];

/// What a text asks for.
pub enum Asked {
    /// A command with its words.
    Call(Call),
    /// Only the first words of several commands, such as `info`.
    Group(String),
}

/// A command with its words, not run yet.
pub struct Call {
    /// The command.
    pub command: Command,
    /// Its words, options in clap's form.
    pub words: Vec<String>,
    /// What was asked for, abbreviations written out.
    pub text: String,
}

/// The names of all commands.
pub fn names(commands: &'static [Command]) -> Names {
    let mut names = Names::new();
    for (entry, command) in commands.iter().enumerate() {
        names.add(command.name, entry);
        for alias in command.aliases {
            names.add_alias(alias, command.name, entry);
        }
    }
    for (alias, group) in GROUP_ALIASES {
        names.add_group_alias(alias, group);
    }
    names
}

impl Session {
    /// Runs one command line and returns its report; used by `thread apply`, by scripts and by
    /// the prompt alike.
    pub fn execute(&mut self, line: &str) -> anyhow::Result<Box<dyn Report>> {
        match self.parse(line)? {
            Asked::Group(group) => Ok(Box::new(help::group(self, &group))),
            Asked::Call(call) => self.run(&call),
        }
    }

    /// What a line asks for.
    pub fn parse(&self, line: &str) -> anyhow::Result<Asked> {
        let line = written_out(line.trim_start());
        let (entry, behind) = match self.names.find(&line)? {
            Found::Entry { entry, tail } => (entry, tail.trim_start()),
            Found::Group(group) => return Ok(Asked::Group(group)),
        };
        let command = *self
            .commands
            .get(entry)
            .ok_or_else(|| anyhow::anyhow!("the registry has no command {entry}"))?;
        let definition = (command.clap)();
        let tail = behind.trim_end();
        let words = if command.raw && command.exact {
            raw_words(&definition, behind)
        } else if command.raw {
            raw_words(&definition, tail)
        } else {
            let words = line::words(tail).map_err(|why| anyhow::anyhow!("{why} in: {line}"))?;
            gdb_options(&definition, words)
        };
        let text = match tail.chars().next() {
            None => command.name.to_owned(),
            Some('/') if is_format(tail) => format!("{}{tail}", command.name),
            Some(_) => format!("{} {tail}", command.name),
        };
        Ok(Asked::Call(Call {
            command,
            words,
            text,
        }))
    }

    /// What a line needs; a line that cannot be parsed needs nothing, because it will not run.
    pub fn needs(&self, line: &str) -> Needs {
        let command = match line::Line::parse(line) {
            line::Line::Command(text) | line::Line::Pipe(text) => text,
            _ => return Needs::Nothing,
        };
        match self.parse(line::split_pipe(command).0) {
            Ok(Asked::Call(call)) => (call.command.needs)(self, &call.words),
            Ok(Asked::Group(_)) | Err(_) => Needs::Nothing,
        }
    }

    /// Whether an empty line repeats `line`.
    pub fn repeats(&self, line: &str) -> bool {
        match line::Line::parse(line) {
            line::Line::Command(text) | line::Line::Pipe(text) => {
                match self.parse(line::split_pipe(text).0) {
                    Ok(Asked::Call(call)) => call.command.repeats,
                    Ok(Asked::Group(_)) | Err(_) => false,
                }
            }
            _ => false,
        }
    }

    /// Runs a call once what it needs is there.
    pub fn run(&mut self, call: &Call) -> anyhow::Result<Box<dyn Report>> {
        match call.command.requires {
            Needs::Nothing => {}
            Needs::Python | Needs::PythonThreads => {
                self.python()?;
            }
            Needs::Target | Needs::NativeStacks | Needs::Waits | Needs::Values | Needs::Memory => {
                self.process()?;
            }
        }
        self.look_if_running(call)?;
        match (call.command.run)(self, &call.words) {
            Ok(report) => Ok(report),
            Err(error) => match error.downcast_ref::<clap::Error>() {
                Some(usage) if usage.kind() == ErrorKind::DisplayHelp => {
                    Ok(Box::new(help::command(&call.command)))
                }
                Some(usage) => Err(anyhow::anyhow!(usage_error(&call.command, usage))),
                None => Err(error),
            },
        }
    }
}

/// `line` with its first word replaced by what it is short for.
pub fn written_out(line: &str) -> String {
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match SHORT_FOR.iter().find(|(short, _)| *short == first) {
        Some((_, long)) => format!("{long} {rest}"),
        None => line.to_owned(),
    }
}

/// `words` with gdb's `-option` in clap's form, `--option`.
fn gdb_options(definition: &clap::Command, mut words: Vec<String>) -> Vec<String> {
    for word in &mut words {
        if word == "--" {
            break;
        }
        if option(definition, word).is_some_and(|option| option.single_dash) {
            word.insert(0, '-');
        }
    }
    words
}

/// Whether a line begins with letters for the format, as in `x/8gx`, and not with a path.
fn is_format(tail: &str) -> bool {
    let word = tail.split_whitespace().next().unwrap_or_default();
    let letters = word.strip_prefix('/').unwrap_or_default();
    letters.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The words of a raw command: its leading options, then the rest of the line as one word.
fn raw_words(definition: &clap::Command, tail: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = tail;
    while rest.starts_with('-') {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if word == "--" {
            rest = after.trim_start();
            break;
        }
        let Some(option) = option(definition, word) else {
            break;
        };
        let dash = if option.single_dash { "-" } else { "" };
        words.push(format!("{dash}{word}"));
        rest = after.trim_start();
        if option.wants_value {
            let (value, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            words.push(value.to_owned());
            rest = after.trim_start();
        }
    }
    if rest.starts_with('-') {
        words.push("--".into());
    }
    if !rest.is_empty() {
        words.push(rest.to_owned());
    }
    words
}

/// An option as written.
struct Written {
    /// `-full`, which clap calls `--full`.
    single_dash: bool,
    /// Its value is the next word.
    wants_value: bool,
}

/// Which option of `definition` the word is, if any.
fn option(definition: &clap::Command, word: &str) -> Option<Written> {
    let dashes = word.len() - word.trim_start_matches('-').len();
    let (name, has_value) = match word.get(dashes..)?.split_once('=') {
        Some((name, _)) => (name, true),
        None => (word.get(dashes..)?, false),
    };
    let mut letters = name.chars();
    let short = letters.next().filter(|_| letters.next().is_none());
    let argument = definition.get_arguments().find(|argument| match short {
        Some(_) if dashes == 1 => argument.get_short() == short,
        _ => argument
            .get_long()
            .is_some_and(|long| (1..=2).contains(&dashes) && long.starts_with(name)),
    });
    let wants_help = !name.is_empty() && "help".starts_with(name);
    match argument {
        Some(argument) => Some(Written {
            single_dash: dashes == 1 && short.is_none(),
            wants_value: argument.get_action().takes_values() && !has_value,
        }),
        None => wants_help.then_some(Written {
            single_dash: dashes == 1 && short.is_none(),
            wants_value: false,
        }),
    }
}

/// clap's error in two lines: what is wrong, and how it is meant to be written.
fn usage_error(command: &Command, error: &clap::Error) -> String {
    let text = error.render().to_string();
    let what: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(|line| line.trim().trim_start_matches("error: "))
        .filter(|line| !line.is_empty())
        .collect();
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => (command.clap)().render_usage().to_string(),
    };
    let usage: Vec<&str> = usage.split_whitespace().collect();
    format!(
        "{}\n{}",
        what.join(" ").replace(" tip: ", "; "),
        usage.join(" ")
    )
}
