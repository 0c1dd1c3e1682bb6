//! `thread`: shows or selects a thread.

use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::thread_id;
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use serde_json::json;

/// Select a thread, or print which one is selected.
///
/// The numbers are those of "info threads". Its innermost frame becomes the selected one. Of several
/// processes ("info inferiors"), 2.1 is thread 1 of process 2, which becomes the current one.
///
/// Examples:
///     thread            which thread is selected
///     thread 2          select thread 2
///     thread 2.1        select thread 1 of process 2
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
                thread_id::name(session, session.inferior.thread),
                view.target_id()
            );
            return Ok(Box::new(Plain {
                text,
                data: json!({ "thread": view }),
            }));
        };
        let id = thread_id::one(session, text)?;
        session.select_inferior(id.inferior);
        let view = ThreadView::find(session, id.thread)?;
        let stack = Stack::of(session, id.thread)?;
        let name = thread_id::name(session, id.thread);
        let heading = format!("[Switching to thread {name} ({})]", view.target_id());
        let selected = Selected::frame(session, &stack, 0);
        Ok(Box::new(selected.with_heading(heading)))
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        thread_id::completions(session)
    }
}
