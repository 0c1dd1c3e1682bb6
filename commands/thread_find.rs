//! `thread find`: threads by a part of their name.

use crate::cli::render::thread::ThreadView;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use serde_json::{Value, json};
use std::io;

/// Find threads whose name or id holds some text.
///
/// Looks at the names Python and the kernel give them, and at the ids gdb shows. Capital and
/// small letters are the same.
///
/// Examples:
///     thread find worker
///     thread find 9701
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct ThreadFind {
    /// A part of the name or id
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,
}

impl Run for ThreadFind {
    const NAME: &'static str = "thread find";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let text = self.text.join(" ");
        let wanted = text.to_lowercase();
        let holds = |name: &str| name.to_lowercase().contains(&wanted);
        let mut found = Vec::new();
        for view in ThreadView::all(session)? {
            let Some(id) = view.id else { continue };
            if let Some(name) = view.name.as_deref().filter(|name| holds(name)) {
                found.push((id, "Python name", name.to_owned()));
            }
            if let Some(name) = view.os_name.as_deref().filter(|name| holds(name)) {
                found.push((id, "name", name.to_owned()));
            }
            if holds(&view.target_id()) {
                found.push((id, "target id", view.target_id()));
            }
        }
        if found.is_empty() {
            bail!("No threads match '{text}'");
        }
        Ok(Box::new(Found(found)))
    }
}

/// The threads that match: their number, what matched, and its text.
struct Found(Vec<(usize, &'static str, String)>);

impl Report for Found {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (id, what, text) in &self.0 {
            out.put(format_args!("Thread {id} has {what} '"))?;
            out.target(text)?;
            out.put(format_args!("'\n"))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let threads: Vec<Value> = self
            .0
            .iter()
            .map(|(id, what, text)| json!({ "id": id, "matched": what, "text": text }))
            .collect();
        json!({ "threads": threads })
    }
}
