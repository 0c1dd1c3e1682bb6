//! `continue`: lets a live target run on, and keeps it at hand.

use crate::cli::{Class, Needs, Plain, Report, Run, Session};
use serde_json::json;

/// Let the live process run on, and look at it anew for each command.
///
/// From then on each command stops the process for no longer than it needs to copy what it
/// shows, mostly a few milliseconds, and shows it as it is at that moment. The selected thread
/// stays selected; frames and numbered values do not outlive a command. "interrupt" holds the
/// process again, "watch" repeats a command, "detach" leaves the process.
///
/// Examples:
///     continue
///     c
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Continue {}

impl Run for Continue {
    const NAME: &'static str = "continue";
    const ALIASES: &'static [&'static str] = &["c", "fg"];
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let pid = session.running_pid()?;
        let stopped = session.let_run()?;
        let micros = stopped.map(|stopped| stopped.as_micros() as u64);
        let text = match stopped {
            Some(stopped) => format!(
                "Continuing. Process {pid} was stopped for {:.1} s.",
                stopped.as_secs_f64()
            ),
            None => format!("Process {pid} runs already."),
        };
        let data = json!({"pid": pid, "stopped_us": micros});
        Ok(Box::new(Plain { text, data }))
    }
}
