//! `py-bt-full`: Python stacks with the variables of each frame.

use crate::cli::render::number::Extent;
use crate::cli::{Class, Needs, Report, Run, Session};

/// Print the Python stack with the variables of each frame.
///
/// The same as "py-bt -l": COUNT is the number of innermost frames to print, or with a minus sign
/// of outermost ones; "all" prints the stacks of all threads.
///
/// Examples:
///     py-bt-full         the Python stack of the selected thread
///     py-bt-full 3       its three innermost frames
///     py-bt-full all     the Python stacks of all threads
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyBtFull {
    /// How many innermost frames (-COUNT: outermost), or "all" threads
    #[arg(value_name = "COUNT")]
    extent: Option<String>,
}

impl Run for PyBtFull {
    const NAME: &'static str = "py-bt-full";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Values
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        // A count that is none must not become an option of the other command.
        Extent::parse(self.extent.as_deref())?;
        let extent = self.extent.unwrap_or_default();
        session.execute(&format!("py-bt -l {extent}"))
    }

    fn complete(_session: &Session, _word: &str) -> Vec<String> {
        vec!["all".to_owned()]
    }
}
