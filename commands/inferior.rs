//! `inferior`: shows or selects one of several processes.

use crate::cli::render::inferiors;
use crate::cli::render::number::number;
use crate::cli::render::selected::Selected;
use crate::cli::render::stack::Stack;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::thread_id;
use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use serde_json::json;

/// Select one of several processes, or print which one is selected.
///
/// The numbers are those of "info inferiors". The thread and the frame that were selected in that
/// process are so again.
///
/// Examples:
///     inferior      which process is selected
///     inferior 2    select process 2
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InferiorCommand {
    /// The number of a process
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

impl Run for InferiorCommand {
    const NAME: &'static str = "inferior";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::NativeStacks;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let Some(text) = &self.number else {
            let title = inferiors::title(&session.inferior);
            return Ok(Box::new(Plain {
                text: format!("[Current inferior is {title}]"),
                data: json!({ "inferior": session.inferior.number, "pid": session.inferior.pid() }),
            }));
        };
        let number = number(text)?;
        if !session.select_inferior(number) {
            anyhow::bail!("Inferior ID {number} not known.");
        }
        let (thread, frame) = (session.inferior.thread, session.inferior.frame);
        let title = inferiors::title(&session.inferior);
        let view = ThreadView::find(session, thread)?;
        let stack = Stack::of(session, thread)?;
        let name = thread_id::name(session, thread);
        let heading = format!(
            "[Switching to inferior {title}]\n[Switching to thread {name} ({})]",
            view.target_id()
        );
        let selected = Selected::frame(session, &stack, frame);
        Ok(Box::new(selected.with_heading(heading)))
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        inferiors::numbers(session)
    }
}
