//! `info layout`: every offset into CPython's structures, and where it is known from.

use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::python::layout::{FieldReport, Source};
use serde_json::{Value, json};
use std::io;

/// Print the offsets used to read CPython's structures and where each comes from.
///
/// An offset comes from the debug offsets that CPython itself publishes (3.13 and later), from
/// the debug information of the very binary, or from the built-in table of the version.
///
/// Examples:
///     info layout
///     info layout thread       one structure
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoLayout {
    /// The name of a structure
    #[arg(value_name = "GROUP")]
    group: Option<String>,
}

impl Run for InfoLayout {
    const NAME: &'static str = "info layout";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let layout = &session.python()?.layout;
        let fields: Vec<FieldReport> = layout
            .describe()
            .into_iter()
            .filter(|field| {
                self.group
                    .as_deref()
                    .is_none_or(|group| group == field.group)
            })
            .collect();
        if let (Some(group), true) = (&self.group, fields.is_empty()) {
            let mut groups: Vec<&str> = layout.describe().iter().map(|f| f.group).collect();
            groups.dedup();
            bail!(
                "there is no structure \"{group}\"; there are {}",
                groups.join(", ")
            );
        }
        Ok(Box::new(Offsets {
            measured: layout.measured,
            free_threaded: layout.free_threaded,
            fields,
        }))
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        let Ok(python) = session.python() else {
            return Vec::new();
        };
        let fields = python.layout.describe();
        fields.iter().map(|field| field.group.to_owned()).collect()
    }
}

/// The offsets asked for.
struct Offsets {
    measured: &'static str,
    free_threaded: bool,
    fields: Vec<FieldReport>,
}

fn words(source: Option<Source>) -> &'static str {
    match source {
        Some(Source::DebugOffsets) => "debug offsets",
        Some(Source::Dwarf) => "DWARF",
        Some(Source::Table) => "table",
        None => "",
    }
}

impl Report for Offsets {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let build = if self.free_threaded {
            " free-threaded"
        } else {
            ""
        };
        out.put(format_args!(
            "Built-in table: CPython {}{build}\n",
            self.measured
        ))?;
        let name = |field: &FieldReport| format!("{}.{}", field.group, field.name);
        let column = self.fields.iter().map(|f| name(f).len()).max().unwrap_or(0);
        for field in &self.fields {
            match field.value {
                Some(value) => out.put(format_args!(
                    "{:column$}  {value:>6}  {:>7}  {}\n",
                    name(field),
                    format!("{value:#06x}"),
                    words(field.source)
                ))?,
                None => out.put(format_args!("{:column$}       -  none\n", name(field)))?,
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "table": self.measured,
            "free_threaded": self.free_threaded,
            "fields": self.fields,
        })
    }
}
