//! `show`: prints settings.

use crate::cli::names::Found;
use crate::cli::settings::{self, Setting};
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use serde_json::{Map, Value};

/// Show settings and their values.
///
/// Examples:
///     show               all of them
///     show pagination
///     show history
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Show {
    /// The setting's name, or the first word of several.
    name: Option<String>,
}

impl Run for Show {
    const NAME: &'static str = "show";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let name = self.name.unwrap_or_default();
        let (shown, alone) = match settings::names().find(&name).map_err(|e| e.below("show"))? {
            Found::Entry { entry, .. } => (settings::ALL.get(entry).into_iter().collect(), true),
            Found::Group(group) => (settings::below(&group), false),
        };
        Ok(Box::new(listed(session, &shown, alone)))
    }

    fn complete_after(_: &Session, before: &str, word: &str) -> Vec<String> {
        settings::complete(before, word, false)
    }
}

/// The values as sentences; several have their names before them.
fn listed(session: &Session, shown: &[&Setting], alone: bool) -> Plain {
    let mut text = String::new();
    let mut data = Map::new();
    for setting in shown {
        let value = session.settings.get(setting.name);
        if !alone {
            text.push_str(setting.name);
            text.push_str(":  ");
        }
        text.push_str(&setting.sentence(value));
        text.push('\n');
        data.insert(setting.name.to_owned(), Value::String(value.to_owned()));
    }
    Plain {
        text,
        data: Value::Object(data),
    }
}
