//! A change of a core that is whole and has no name yet, so that nobody ever sees what it takes out.

use crate::diag::Note;
use crate::sum::Sum;
use crate::target::Options;
use serde::Serialize;
use std::fs::File;

/// Changes a core file, which is open for reading and writing. The options say where the files of the
/// process are, and what ends the work. An error says why the core cannot be changed; then there is none.
#[derive(Clone, Copy, Debug)]
pub struct Pass(pub fn(&File, &Options) -> Result<Blanked, String>);

/// What was blanked in a core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blanked {
    /// Strings and byte strings.
    pub strings: Sum,
    /// Buffers of byte arrays, arrays, files and mappings.
    pub buffers: Sum,
    /// Arguments and environment, buffers of C streams, and text in memory that no object has.
    pub texts: Sum,
    /// What looks like text in memory of which nobody tells.
    pub loose: Sum,
    /// Memory that was given back to allocators.
    pub free: Sum,
    /// What finished calls have left on stacks.
    pub stacks: Sum,
    /// What was left as it is because nothing tells where it ends.
    pub left: u64,
    /// What else is not as it should be.
    #[serde(skip)]
    pub notes: Vec<Note>,
}
