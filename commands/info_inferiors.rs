//! `info inferiors`: the processes of the session.

use crate::cli::render::inferiors::Inferiors;
use crate::cli::{Class, Needs, Report, Run, Session};

/// List the targets that are open, several after "attach --tree".
///
/// "*" marks the current one, which commands work on; "inferior" selects another one. The verdict
/// says in a word or two what keeps each, as in "ps".
///
/// Examples:
///     info inferiors
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoInferiors {}

impl Run for InfoInferiors {
    const NAME: &'static str = "info inferiors";
    const CLASS: Class = Class::Target;
    const NEEDS: Needs = Needs::Nothing;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(Inferiors::of(session)))
    }
}
