//! Source lines of Python files: from disk when the file is safe to open, else from `linecache`
//! in the target's memory.

use serde::Serialize;

/// Lines of one source file.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Line 1 is element 0, without line ends.
    pub lines: Vec<String>,
    /// `disk` or `linecache`.
    pub origin: &'static str,
    /// What the reader should know, such as that the file is newer than the process.
    pub note: Option<String>,
}

/// Why there is no source.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoSource(pub String);
