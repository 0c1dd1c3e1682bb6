//! `help`: classes, commands, settings.

use crate::cli::call::Asked;
use crate::cli::names::Found;
use crate::cli::{Class, Needs, Plain, Report, Run, Session, complete, help, settings};

/// Print list of commands, or the help of one.
///
/// Without an argument it lists the classes of commands; with a class, its commands; with a
/// command or setting, what it does.
///
/// Examples:
///     help              list the classes
///     help stack        list the commands that show stacks
///     help all          list every command
///     help info thr     abbreviations work here too
///     help set width    what a setting means
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Help {
    /// A class, a command or "all".
    #[arg(value_name = "CLASS|COMMAND")]
    topic: Option<String>,
}

impl Run for Help {
    const NAME: &'static str = "help";
    const ALIASES: &'static [&'static str] = &["h"];
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(about(session, self.topic.as_deref())?))
    }

    fn complete(session: &Session, word: &str) -> Vec<String> {
        let classes = Class::ALL.iter().map(|class| class.name().to_owned());
        classes
            .chain(complete::complete(session, word).words)
            .collect()
    }

    fn nested(tail: &str) -> Option<&str> {
        (!tail.trim().is_empty()).then_some(tail)
    }
}

fn about(session: &Session, topic: Option<&str>) -> anyhow::Result<Plain> {
    let Some(topic) = topic else {
        return Ok(help::overview());
    };
    if topic == "all" {
        return Ok(help::all(session));
    }
    let asked = session.parse(topic);
    // A class gives way to a command of exactly this name.
    let is_command = matches!(&asked, Ok(Asked::Call(call)) if call.command.name.split(' ').eq(topic.split(' ')));
    let class = Class::ALL.iter().find(|class| class.name() == topic);
    if let (Some(class), false) = (class, is_command) {
        return Ok(help::class(session, *class));
    }
    match asked? {
        Asked::Group(group) => Ok(help::group(session, &group)),
        Asked::Call(call) => {
            let verb = call.command.name;
            let rest = call.text.strip_prefix(verb).unwrap_or("").trim();
            if matches!(verb, "set" | "show") && !rest.is_empty() {
                return Ok(
                    match settings::names().find(rest).map_err(|e| e.below(verb))? {
                        Found::Entry { entry, .. } => match settings::ALL.get(entry) {
                            Some(setting) => help::setting(setting),
                            None => help::settings_list(verb, ""),
                        },
                        Found::Group(group) => help::settings_list(verb, &group),
                    },
                );
            }
            Ok(help::describe(session, &call.command))
        }
    }
}
