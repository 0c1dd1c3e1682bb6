//! One process image, from a core file or a live process: memory, registers, mappings, threads.
//! Nothing here knows about ELF symbols, DWARF or Python.

pub mod build_id;
pub mod clocks;
mod cmdline;
pub mod core;
#[cfg(test)]
mod core_tests;
pub mod coredumpctl;
mod corefile;
mod crew;
pub mod debuginfod;
pub mod dumped;
pub mod ends;
pub mod family;
pub mod fd_info;
pub mod file_locks;
pub mod files;
pub mod forked;
pub mod free_memory;
mod inject;
pub mod left_out;
pub mod live;
#[cfg(test)]
mod live_tests;
mod maps;
pub mod memory;
mod minding;
mod mirror;
mod notes;
mod ntfile;
pub mod packed;
pub mod pages;
pub mod proc;
pub mod proc_files;
pub mod proc_note;
pub mod processes;
mod ptrace;
pub mod reader;
mod refusal;
pub mod register_sets;
pub mod registers;
mod remote;
pub mod resident;
mod rooted;
mod roster;
pub(crate) mod scratch;
mod segments;
pub mod sharing;
pub mod shelf;
pub mod signal;
pub mod smaps;
mod snapshot;
pub mod socket_peers;
pub mod sockets;
pub mod sparse;
mod splice;
pub mod synth;
pub mod synth_core;
pub mod synth_random;
pub mod tcp_peers;
mod tracer;
mod unstated;
mod window;
pub mod write;

pub use build_id::{build_id_in_memory, build_id_of};
pub use files::{FileProblem, Files, MappedFile, Place};
pub use memory::{Fault, Memory, Why};
pub use registers::Registers;
pub use signal::SignalInfo;

use crate::addr::Addr;
use crate::diag::{Cancel, Notes, Progress};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a target came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A core file at this path.
    Core(PathBuf),
    /// A live process with this PID (in pydbg's own PID namespace).
    Live(i32),
    /// A copy of a live process, which runs on.
    Snapshot(Taken),
    /// Built in memory by a test.
    Synthetic,
}

/// When and of what a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The process, in pydbg's own PID namespace.
    pub pid: i32,
    /// When its memory was copied, in microseconds since 1970.
    pub taken_us: u64,
    /// How long it stood still for that, in microseconds.
    pub pause_us: u64,
}

/// What the user said about where files are and what they may cost.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The executable, when the core's own idea of it is not to be used (`--exe`).
    pub exe: Option<PathBuf>,
    /// A folder under which the target's paths are looked for first (`--sysroot`).
    pub sysroot: Option<PathBuf>,
    /// Folders with separate debug files (`--debug-dir`); `/usr/lib/debug` is always tried.
    pub debug_dirs: Vec<PathBuf>,
    /// Live targets: read without stopping (`--no-stop`).
    pub no_stop: bool,
    /// The folder in which packed cores are unpacked (`--scratch`, else $TMPDIR); /var/tmp and
    /// /tmp are tried behind it.
    pub scratch: Option<PathBuf>,
    /// What a packed core may grow to, in bytes; [`packed::MOST_UNPACKED`] when not given.
    pub max_unpacked: Option<u64>,
    /// Whom to ask for files that are not here; by default nobody.
    pub debuginfod: debuginfod::Servers,
    /// Interrupts unpacking and fetching.
    pub cancel: Cancel,
    /// Hears how far unpacking and fetching have come.
    pub progress: Progress,
    /// What was made of files for other targets.
    pub shelf: shelf::Shelf,
}

/// One mapping of the target's address space, as in /proc/PID/maps or NT_FILE + PT_LOAD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// First address.
    pub start: Addr,
    /// First address behind it.
    pub end: Addr,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// Shared with other processes; of the cores only those that pydbg wrote say so.
    pub shared: bool,
    /// Offset into `path`, in bytes.
    pub offset: u64,
    /// The file, or a name in brackets such as `[heap]`; as the target's mount namespace has it,
    /// without " (deleted)".
    pub path: Option<String>,
    /// The file was deleted or replaced since it was mapped.
    pub deleted: bool,
}

impl Mapping {
    /// Whether `addr` lies in it.
    pub fn contains(&self, addr: Addr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// The path when it is a file of the file system (not `[heap]`, not anonymous).
    pub fn file(&self) -> Option<&str> {
        self.path.as_deref().filter(|path| path.starts_with('/'))
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One kernel thread of the target.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetThread {
    /// The LWP id (in the target's own PID namespace for a core, in pydbg's for a live process).
    pub tid: i32,
    /// Its id in the innermost PID namespace it is in, when that is another one than `tid`: a live
    /// process in a container. See [`TargetThread::own_id`].
    pub ns_tid: Option<i32>,
    /// Its registers; `None` when the note is damaged or the thread could not be stopped.
    pub registers: Option<Registers>,
    /// The signal information that belongs to this thread alone, if the core has any.
    pub signal: Option<SignalInfo>,
    /// The kernel's name for it (comm). Of the cores only those that pydbg wrote have it; others
    /// have one for the process.
    pub name: Option<String>,
    /// The state letter of /proc/PID/stat before the stop (`R`, `S`, `D`, `Z`…), of a live process
    /// and of a core that pydbg wrote.
    pub state: Option<char>,
}

impl TargetThread {
    /// The id that gettid() returns in the target itself: what Python calls the native thread id.
    pub fn own_id(&self) -> i32 {
        self.ns_tid.unwrap_or(self.tid)
    }
}

/// What is known about the process as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProcessInfo {
    /// The process id (in the namespace of [`TargetThread::tid`]).
    pub pid: i32,
    /// The parent's process id.
    pub ppid: Option<i32>,
    /// The real user id.
    pub uid: Option<u32>,
    /// The kernel's name for the process (comm), 15 bytes at most.
    pub comm: Option<String>,
    /// The command line. A core's NT_PRPSINFO holds 80 bytes of it, so the whole is read from the
    /// target's stack when it is there.
    pub args: Vec<String>,
    /// The executable's path as the target sees it.
    pub exe: Option<String>,
}

/// One process image.
pub struct Target {
    /// Where it came from.
    pub origin: Origin,
    /// Its memory.
    pub memory: Arc<dyn Memory>,
    /// Its mappings, sorted by address, without overlaps.
    pub mappings: Vec<Mapping>,
    /// Its threads: for a kernel core the one that took the signal first.
    pub threads: Vec<TargetThread>,
    /// Who it is.
    pub process: ProcessInfo,
    /// The auxiliary vector: pairs of type (AT_*) and value.
    pub auxv: Vec<(u64, u64)>,
    /// The signal it died of; `None` for a live process and for gcore's cores.
    pub signal: Option<SignalInfo>,
    /// Opens the files that are mapped in it.
    pub files: Arc<Files>,
    /// What was noticed while opening.
    pub notes: Notes,
    /// What a core holds, by address, apart; of other targets nothing is said here.
    pub(crate) dumped: Vec<dumped::Dumped>,
    /// What /proc told of the process when pydbg wrote its core.
    pub(crate) kept: Option<Arc<proc_note::Kept>>,
    /// Keeps a live process stopped; dropping it lets the process go on.
    pub(crate) live: Option<live::LiveHold>,
}

impl Target {
    /// The mapping that holds `addr`.
    pub fn mapping(&self, addr: Addr) -> Option<&Mapping> {
        let index = self.mappings.partition_point(|m| m.end <= addr);
        self.mappings.get(index).filter(|m| m.contains(addr))
    }

    /// The value of an auxiliary vector entry.
    pub fn aux(&self, kind: u64) -> Option<u64> {
        self.auxv
            .iter()
            .find(|(k, _)| *k == kind)
            .map(|(_, value)| *value)
    }

    /// What a core holds, by address, apart; nothing for other targets.
    pub fn dumped(&self) -> &[dumped::Dumped] {
        &self.dumped
    }

    /// Whether this is a live process.
    pub fn is_live(&self) -> bool {
        matches!(self.origin, Origin::Live(_))
    }

    /// The hold on a live process; `None` for a core.
    pub fn live(&self) -> Option<&live::LiveHold> {
        self.live.as_ref()
    }

    /// Lets a live process run on; later reads that are not cached see it running. Does nothing
    /// for a core.
    pub fn resume(&self) {
        if let Some(live) = &self.live {
            live.resume();
        }
    }
}

/// Why a target could not be opened. Messages say what was tried and what to try next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be opened or is not a regular file.
    #[error("{path}: {why}")]
    File {
        /// The path that was tried.
        path: PathBuf,
        /// Why, and what to try.
        why: String,
    },
    /// The file is not a core that pydbg can read.
    #[error("{path}: {why}")]
    NotACore {
        /// The path that was tried.
        path: PathBuf,
        /// Why, and what to try.
        why: String,
    },
    /// The live process cannot be read.
    #[error("cannot attach to process {pid}: {why}")]
    Attach {
        /// The process.
        pid: i32,
        /// The one cause that was found, and the fix.
        why: String,
    },
}
