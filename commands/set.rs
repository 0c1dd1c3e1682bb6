//! `set`: changes a setting.

use crate::cli::names::Found;
use crate::cli::{Class, Needs, Plain, Report, Run, Session, help, settings};
use anyhow::anyhow;

/// Change a setting.
///
/// "set" alone lists the settings, "help set NAME" tells what one means, and "show" prints their
/// values. Names may be abbreviated.
///
/// Examples:
///     set pagination off
///     set width 120
///     set sysroot /var/lib/containers/image
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Set {
    /// The setting's name and its value.
    #[arg(value_name = "NAME VALUE")]
    words: Option<String>,
}

impl Run for Set {
    const NAME: &'static str = "set";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;
    const REPEATS: bool = false;

    fn needs(_session: &Session, words: &[String]) -> Needs {
        // With other limits, values are read further than they were captured.
        let name = match settings::names().find(&words.join(" ")) {
            Ok(Found::Entry { entry, .. }) => settings::ALL.get(entry).map(|setting| setting.name),
            _ => None,
        };
        match name.is_some_and(|name| name.starts_with("print ")) {
            true => Needs::Memory,
            false => Self::NEEDS,
        }
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let words = self.words.unwrap_or_default();
        match settings::names().find(&words).map_err(|e| e.below("set"))? {
            Found::Group(group) => Ok(Box::new(help::settings_list("set", &group))),
            Found::Entry { entry, tail } => {
                let setting = settings::ALL
                    .get(entry)
                    .ok_or_else(|| anyhow!("there is no setting {entry}"))?;
                (session.settings.set(setting.name, tail)).map_err(anyhow::Error::msg)?;
                Ok(Box::new(Plain::silent()))
            }
        }
    }

    fn complete_after(_: &Session, before: &str, word: &str) -> Vec<String> {
        settings::complete(before, word, true)
    }
}
