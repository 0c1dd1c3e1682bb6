//! pydbg's own note in the cores that it writes: what /proc tells of the process, which a core
//! otherwise loses. The note is of owner [`OWNER`] and type [`TYPE`], and its content is a tar
//! archive that any tar can list. Readers of cores pass over notes that they do not know.
//!
//! Entries are named as below /proc/PID (`status`, `smaps`, `fdinfo/3`, `task/7/comm`; links `exe`,
//! `fd/3`), and hold what the kernel said. `locks` has the lines of /proc/locks that matter. Below
//! `pydbg/` is what pydbg found out itself (see `records.rs`), and `missing` says what could not be
//! read, and why.

pub(super) mod apply;
mod archive;
mod gather;
mod pack;
pub(super) mod records;

pub use archive::Kept;
pub use gather::{Before, Gathered};
pub use records::{Child, Holder, Moment, Opened};

/// The owner of the note, without its NUL.
pub const OWNER: &str = "pydbg";

/// The type of the note: "pydb".
pub const TYPE: u32 = 0x7079_6462;

/// The most bytes of the content.
pub const MOST_BYTES: usize = 48 << 20;

/// The most bytes of what is said of missing entries.
const MOST_MISSING: usize = 4 << 10;

/// The names of entries that more than one file here knows.
pub(super) mod names {
    /// What could not be read, and why: `NAME: WHY` in each line.
    pub(in crate::target) const MISSING: &str = "missing";
    /// Lines of /proc/locks.
    pub(in crate::target) const LOCKS: &str = "locks";
    /// The moment of the copy.
    pub(in crate::target) const ABOUT: &str = "pydbg/about";
    /// The threads, and their states before the stop.
    pub(in crate::target) const THREADS: &str = "pydbg/threads";
    /// Which pages were in RAM.
    pub(in crate::target) const RESIDENT: &str = "pydbg/resident";
    /// What stat(2) says of open files.
    pub(in crate::target) const OPENED: &str = "pydbg/opened";
    /// The children.
    pub(in crate::target) const CHILDREN: &str = "pydbg/children";
    /// Which other processes share memory.
    pub(in crate::target) const SHARERS: &str = "pydbg/sharers";
    /// Which other processes may hold locks.
    pub(in crate::target) const LOCK_HOLDERS: &str = "pydbg/lock-holders";
}
