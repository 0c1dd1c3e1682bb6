//! `apropos`: finds commands and settings by a word of their help.

use crate::cli::{Class, Needs, Report, Run, Session, help};

/// Search for commands and settings related to a word.
///
/// Names and help texts are searched, without regard to case.
///
/// Examples:
///     apropos thread
///     apropos core file
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Apropos {
    /// The word, or several words as they stand in the text.
    word: String,
}

impl Run for Apropos {
    const NAME: &'static str = "apropos";
    const CLASS: Class = Class::Support;
    const NEEDS: Needs = Needs::Nothing;
    const RAW: bool = true;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        Ok(Box::new(help::apropos(session, &self.word)))
    }
}
