//! `detach`: leaves the target.

use crate::cli::render::inferiors::left;
use crate::cli::{Class, Needs, Plain, Report, Run, Session, ask};

/// Leave the target; a live process runs on.
///
/// Of several processes that is the current one, and the first of the others becomes that.
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
        let number = session.inferior.number;
        Ok(Box::new(Plain::said(left(session, &[number]).text)))
    }
}
