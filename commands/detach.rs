//! `detach`: leaves the target.

use crate::cli::{Class, Needs, Plain, Report, Run, Session, ask};

/// Leave the target; a live process runs on.
///
/// Examples:
///     detach
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Detach {}

impl Run for Detach {
    const NAME: &'static str = "detach";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Target;
    const REPEATS: bool = false;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if !ask::may_leave(session) {
            anyhow::bail!("Not confirmed.");
        }
        Ok(Box::new(Plain::said(session.close().unwrap_or_default())))
    }
}
