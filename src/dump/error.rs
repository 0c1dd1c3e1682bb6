//! Why a core was not written.

use crate::diag::human;
use crate::target::OpenError;
use crate::target::forked::ForkProblem;
use std::path::PathBuf;

/// Why there is no core.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The process cannot be stopped.
    #[error(transparent)]
    Attach(#[from] OpenError),
    /// The file is there already.
    #[error("{path} exists already", path = .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {path}: {1}", path = .0.display())]
    Place(PathBuf, String),
    /// It would fill the file system.
    #[error(
        "cannot write {}: about {} are needed and {} are free; name a file on another file system",
        .path.display(), human(*.wanted), human(*.free)
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// The bytes that are needed.
        wanted: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// The process is not held, and may not be.
    #[error("the core of a process that was not stopped would be torn; leave out --no-stop")]
    NotStopped,
    /// The process is gone.
    #[error("process {0} ended while it was dumped; nothing was written")]
    Died(i32),
    /// The process cannot be made to fork.
    #[error("process {0} was not made to fork: {1}; without --fork it can be dumped")]
    Fork(i32, ForkProblem),
    /// It is held anyway.
    #[error("the process is held anyway, so that --fork gains nothing; leave it out")]
    Held,
    /// The core cannot be changed as was asked for.
    #[error("{0}; nothing was written")]
    Pass(String),
    /// The core cannot be packed.
    #[error("the core cannot be packed: {0}")]
    Pack(String),
    /// The user asked for it.
    #[error("interrupted; nothing was written")]
    Interrupted,
}
