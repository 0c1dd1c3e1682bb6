//! The texts of `help` and `apropos`: classes, commands, groups of commands, settings. The frame
//! around them is gdb's.

use super::command::{Class, Command};
use super::settings::{self, Setting};
use super::{Plain, Session};
use serde_json::json;
use std::fmt::Write;

impl Class {
    /// All classes, in the order `help` lists them.
    pub const ALL: [Class; 6] = [
        Class::Target,
        Class::Stack,
        Class::Python,
        Class::Data,
        Class::Status,
        Class::Support,
    ];

    /// The word after `help`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Target => "target",
            Class::Stack => "stack",
            Class::Python => "python",
            Class::Data => "data",
            Class::Status => "status",
            Class::Support => "support",
        }
    }

    /// What it holds.
    pub fn summary(self) -> &'static str {
        match self {
            Class::Target => "Opening and leaving cores and live processes.",
            Class::Stack => "Threads, and stacks of native and Python frames.",
            Class::Python => "Python stacks, frames and source.",
            Class::Data => "Memory, registers and symbols.",
            Class::Status => "What is known about the target.",
            Class::Support => "Settings, scripts and help.",
        }
    }
}

/// What gdb says below a list of commands.
fn closing(about: &str) -> String {
    format!(
        "Type \"help{about}\" followed by {} for full documentation.\n\
         Type \"apropos word\" to search for commands related to \"word\".\n\
         Command name abbreviations are allowed if unambiguous.",
        if about.is_empty() {
            "command name".to_owned()
        } else {
            format!("{} subcommand name", about.trim_start())
        }
    )
}

/// `help` alone: the classes.
pub fn overview() -> Plain {
    let mut text = String::from("List of classes of commands:\n\n");
    for class in Class::ALL {
        _ = writeln!(text, "{} -- {}", class.name(), class.summary());
    }
    text.push_str(
        "\nType \"help\" followed by a class name for a list of commands in that class.\n\
         Type \"help all\" for the list of all commands.\n\
         Type \"help\" followed by command name for full documentation.\n\
         Type \"apropos word\" to search for commands related to \"word\".\n\
         Command name abbreviations are allowed if unambiguous.",
    );
    let classes: Vec<_> = Class::ALL
        .iter()
        .map(|class| json!({"name": class.name(), "summary": class.summary()}))
        .collect();
    Plain {
        text,
        data: json!({ "classes": classes }),
    }
}

/// `help CLASS`: its commands.
pub fn class(session: &Session, class: Class) -> Plain {
    let commands = of_class(session, class);
    Plain {
        text: format!(
            "{}\n\nList of commands:\n\n{}\n{}",
            class.summary(),
            list(&commands),
            closing("")
        ),
        data: json!({"class": class.name(), "commands": entries(&commands)}),
    }
}

/// `help all`: every command, class by class.
pub fn all(session: &Session) -> Plain {
    let mut text = String::new();
    for class in Class::ALL {
        let commands = of_class(session, class);
        _ = writeln!(
            text,
            "Command class: {}\n\n{}",
            class.name(),
            list(&commands)
        );
    }
    let commands: Vec<&Command> = session.commands.iter().collect();
    Plain {
        text: text.trim_end().to_owned(),
        data: json!({ "commands": entries(&commands) }),
    }
}

/// The answer to `info` alone, or `help info`: the commands whose names begin with these words.
pub fn group(session: &Session, group: &str) -> Plain {
    let commands = below(session, group);
    Plain {
        text: format!(
            "\"{group}\" must be followed by the name of {} {group} command.\n{}",
            if group.starts_with(['a', 'e', 'i', 'o', 'u']) {
                "an"
            } else {
                "a"
            },
            sublist(group, &commands)
        ),
        data: json!({"group": group, "commands": entries(&commands)}),
    }
}

/// `help CMD`: names, description, usage, options, examples, subcommands.
pub fn describe(session: &Session, command: &Command) -> Plain {
    let mut help = self::command(command);
    let below = below(session, command.name);
    if !below.is_empty() {
        help.text.push_str("\n\n");
        help.text.push_str(&sublist(command.name, &below));
    }
    help
}

/// [`describe`] without the subcommands.
pub fn command(command: &Command) -> Plain {
    let about = long_help(command);
    let (description, examples) = match about.split_once("\nExamples:") {
        Some((description, examples)) => (description, Some(examples)),
        None => (about.as_str(), None),
    };
    let mut definition = (command.clap)()
        .disable_help_flag(true)
        .term_width(80)
        .help_template("Usage: {usage}\n\n{all-args}");
    let mut text = names(command);
    _ = write!(text, "\n{}\n\n", description.trim_end());
    let is_long = (definition.get_arguments()).any(|argument| argument.get_long_help().is_some());
    let usage = match is_long {
        true => definition.render_long_help(),
        false => definition.render_help(),
    };
    text.push_str(usage.to_string().trim_end());
    if let Some(examples) = examples {
        _ = write!(text, "\n\nExamples:\n{}", examples.trim_matches('\n'));
    }
    Plain {
        text,
        data: json!({
            "name": command.name,
            "aliases": command.aliases,
            "class": command.class.name(),
            "summary": command.summary(),
            "help": about,
        }),
    }
}

/// The whole help text of a command.
pub fn long_help(command: &Command) -> String {
    let definition = (command.clap)();
    definition
        .get_long_about()
        .or(definition.get_about())
        .map(|about| about.to_string())
        .unwrap_or_default()
}

/// `help set NAME` and `help show NAME`.
pub fn setting(setting: &Setting) -> Plain {
    Plain {
        text: format!(
            "set {0}, show {0}\n{1}\nThe default is \"{2}\".",
            setting.name, setting.help, setting.default
        ),
        data: json!({
            "setting": setting.name,
            "default": setting.default,
            "help": setting.help,
        }),
    }
}

/// The settings whose names begin with `group` and a space, or all: what `set` and `set history`
/// list.
pub fn settings_list(verb: &str, group: &str) -> Plain {
    let below = settings::below(group);
    let about = format!("{verb} {group}");
    let about = about.trim_end();
    let mut text = format!("List of {about} subcommands:\n\n");
    for setting in &below {
        _ = writeln!(
            text,
            "{verb} {} -- {}",
            setting.name,
            first_line(setting.help)
        );
    }
    _ = write!(text, "\n{}", closing(&format!(" {about}")));
    let names: Vec<_> = below.iter().map(|setting| setting.name).collect();
    Plain {
        text,
        data: json!({ "settings": names }),
    }
}

/// `apropos WORD`: commands and settings whose name or help holds the word, in any case.
pub fn apropos(session: &Session, word: &str) -> Plain {
    let word = word.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&word);
    let commands: Vec<&Command> = session
        .commands
        .iter()
        .filter(|command| holds(&names(command)) || holds(&long_help(command)))
        .collect();
    let settings: Vec<&Setting> = settings::ALL
        .iter()
        .filter(|setting| holds(setting.name) || holds(setting.help))
        .collect();
    let mut text = list(&commands);
    for setting in &settings {
        _ = writeln!(text, "set {} -- {}", setting.name, first_line(setting.help));
    }
    let names: Vec<_> = settings.iter().map(|setting| setting.name).collect();
    Plain {
        text,
        data: json!({"commands": entries(&commands), "settings": names}),
    }
}

/// `bt, backtrace, where`: all names of a command.
fn names(command: &Command) -> String {
    let mut names = command.name.to_owned();
    for alias in command.aliases {
        _ = write!(names, ", {alias}");
    }
    names
}

fn list(commands: &[&Command]) -> String {
    let mut text = String::new();
    for command in commands {
        _ = writeln!(text, "{} -- {}.", names(command), command.summary());
    }
    text
}

fn sublist(group: &str, commands: &[&Command]) -> String {
    format!(
        "List of {group} subcommands:\n\n{}\n{}",
        list(commands),
        closing(&format!(" {group}"))
    )
}

fn entries(commands: &[&Command]) -> Vec<serde_json::Value> {
    commands
        .iter()
        .map(|command| {
            json!({
                "name": command.name,
                "aliases": command.aliases,
                "summary": command.summary(),
            })
        })
        .collect()
}

fn of_class(session: &Session, class: Class) -> Vec<&'static Command> {
    session
        .commands
        .iter()
        .filter(|command| command.class == class)
        .collect()
}

fn below(session: &Session, group: &str) -> Vec<&'static Command> {
    session
        .commands
        .iter()
        .filter(|command| {
            command
                .name
                .strip_prefix(group)
                .is_some_and(|rest| rest.starts_with(' '))
        })
        .collect()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}
