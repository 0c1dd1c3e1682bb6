//! `thread`: shows or selects a thread.

use crate::cli::render::number::number;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::{self, ThreadView};
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use serde_json::json;

/// Select a thread, or print which one is selected.
///
/// The numbers are those of "info threads". Its innermost frame becomes the selected one.
///
/// Examples:
///     thread            which thread is selected
///     thread 2          select thread 2
///     thread apply all py-bt
///     thread find worker
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Thread {
    /// The number of a thread
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

impl Run for Thread {
    const NAME: &'static str = "thread";
    const ALIASES: &'static [&'static str] = &["t"];
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let Some(text) = &self.number else {
            let view = ThreadView::find(session, session.inferior.thread)?;
            let text = format!(
                "[Current thread is {} ({})]",
                session.inferior.thread,
                view.target_id()
            );
            return Ok(Box::new(Plain {
                text,
                data: json!({ "thread": view }),
            }));
        };
        let id = number(text)?;
        let view = ThreadView::find(session, id)?;
        let stack = Stack::of(session, id)?;
        let heading = format!("[Switching to thread {id} ({})]", view.target_id());
        let selected = Selected::frame(session, &stack, 0);
        Ok(Box::new(selected.with_heading(heading)))
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        thread::numbers(session)
    }
}
