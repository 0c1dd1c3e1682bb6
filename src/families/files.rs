//! Files that several processes have open at once, at least one of them for writing, and files that one
//! still writes after another has put a new one in their place. Whether two processes share one open
//! file, or opened it each for itself, the kernel does not tell others; but where their positions
//! differ, they did the latter (Linux fs/proc/fd.c `seq_show`).

use super::words;
use crate::descriptors::Access;
use crate::target::fd_info::FdInfo;
use crate::target::file_locks::{self, Family};
use crate::target::proc::{self, Task};
use crate::target::proc_files::ProcFiles;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What the kernel writes behind the path of a file that has none any more.
const DELETED: &str = " (deleted)";

/// The most processes that are looked at.
const MOST_PROCESSES: usize = 32_768;

/// A descriptor by which a process has a file open.
#[derive(Clone, Debug, Serialize)]
pub struct OpenBy {
    /// The process.
    pub pid: i32,
    /// The kernel's name of it.
    pub name: Option<String>,
    /// The descriptor.
    pub fd: i32,
    /// What may be done through it.
    pub access: Access,
    /// Where it reads and writes next.
    pub position: u64,
    /// Whether everything is written behind the end, wherever that is.
    pub append: bool,
    /// The locks that are held through it, in words.
    pub locks: Vec<String>,
}

/// A file that several processes have open.
#[derive(Clone, Debug, Serialize)]
pub struct SharedFile {
    /// Its path, as the process sees it that has it open.
    pub path: String,
    /// Its inode.
    pub inode: u64,
    /// Bytes of it.
    pub size: u64,
    /// Whether it has no path any more.
    pub deleted: bool,
    /// Whether another file has its path now.
    pub replaced: bool,
    /// Who has it open.
    pub open: Vec<OpenBy>,
    #[serde(skip)]
    id: Id,
    /// What its path leads to now, if that is another file.
    #[serde(skip)]
    successor: Option<Id>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum FileVerdict {
    /// Several processes write it, each where it was itself.
    Overwritten {
        /// The file: a position among the files.
        file: usize,
        /// The processes.
        pids: Vec<i32>,
        /// In words.
        text: String,
    },
    /// What is written into it is lost: another process writes another file of the same path.
    Replaced {
        /// The file that is gone: a position among the files.
        file: usize,
        /// The one that has its path: the same.
        by: usize,
        /// Who writes the one that is gone, and who the other.
        pids: [Vec<i32>; 2],
        /// In words.
        text: String,
    },
}

impl FileVerdict {
    /// In words.
    pub fn text(&self) -> &str {
        match self {
            FileVerdict::Overwritten { text, .. } | FileVerdict::Replaced { text, .. } => text,
        }
    }
}

/// Files that processes use together.
#[derive(Clone, Default, Debug, Serialize)]
pub struct SharedFiles {
    /// What is wrong.
    pub verdicts: Vec<FileVerdict>,
    /// By path.
    pub files: Vec<SharedFile>,
    /// Processes that may not be looked at.
    pub unreadable: Vec<i32>,
}

/// A file by device and inode.
type Id = (u64, u64);

impl SharedFiles {
    /// The files that these processes have open, of those that another process has open, too.
    pub fn of(pids: &[i32]) -> SharedFiles {
        let mut looking = Looking::default();
        for pid in pids {
            looking.process(*pid, &|_| true);
        }
        let own = looking.files.values().map(|file| file.path.clone());
        let own: FxHashSet<String> = own.collect();
        let others = proc::process_ids().unwrap_or_default().into_iter();
        let others = others.filter(|other| !pids.contains(other) && !own.is_empty());
        // To ask for the state of a file may take for ever where it lies on another machine.
        for other in others.take(MOST_PROCESSES) {
            looking.process(other, &|path| own.contains(path));
        }
        looking.end()
    }
}

#[derive(Default)]
struct Looking {
    files: FxHashMap<Id, SharedFile>,
    unreadable: Vec<i32>,
}

impl Looking {
    /// Adds the files of a process with such paths.
    fn process(&mut self, pid: i32, wanted: &dyn Fn(&str) -> bool) {
        let links = match Task::of(pid).descriptors() {
            Ok(links) => links,
            Err(error) => {
                let refused = error.kind() == io::ErrorKind::PermissionDenied;
                let stat = refused.then(|| Task::leader(pid).stat()).flatten();
                if stat.is_some_and(|stat| !stat.kernel && !stat.ended()) {
                    self.unreadable.push(pid);
                }
                return;
            }
        };
        let task = Task::of(pid);
        for (fd, link) in links {
            let deleted = link.ends_with(DELETED);
            let path = link.strip_suffix(DELETED).unwrap_or(&link);
            let has_path = path.starts_with('/') && !path.starts_with("/memfd:");
            if has_path && wanted(path) {
                self.descriptor(task, fd, path, deleted);
            }
        }
    }

    fn descriptor(&mut self, task: Task, fd: i32, path: &str, deleted: bool) -> Option<()> {
        let metadata = fs::metadata(task.path(&format!("fd/{fd}"))).ok()?;
        if !metadata.is_file() {
            return None;
        }
        let open = open_by(task, fd)?;
        let id = (metadata.dev(), metadata.ino());
        let file = self.files.entry(id).or_insert_with(|| {
            let successor = deleted.then(|| file_at(task, path, id)).flatten();
            SharedFile {
                path: path.to_owned(),
                inode: metadata.ino(),
                size: metadata.len(),
                deleted,
                replaced: successor.is_some(),
                open: Vec::new(),
                id,
                successor,
            }
        });
        file.open.push(open);
        Some(())
    }

    /// What of that is shared, and what is wrong with it.
    fn end(self) -> SharedFiles {
        let are_rivals = |gone: &SharedFile, new: &SharedFile| {
            gone.successor == Some(new.id) && gone.is_written() && new.is_written()
        };
        let has_rival = |file: &SharedFile| {
            let mut all = self.files.values();
            all.any(|other| are_rivals(file, other) || are_rivals(other, file))
        };
        let is_shared =
            |file: &&SharedFile| file.is_written() && (file.pids().len() > 1 || has_rival(file));
        let mut files: Vec<SharedFile> = self.files.values().filter(is_shared).cloned().collect();
        files.sort_by(|a, b| (&a.path, !a.deleted, a.inode).cmp(&(&b.path, !b.deleted, b.inode)));
        for file in &mut files {
            file.open.sort_by_key(|open| (open.pid, open.fd));
        }
        let mut verdicts: Vec<FileVerdict> = Vec::new();
        for (at, file) in files.iter().enumerate() {
            verdicts.extend(overwritten(at, file));
            verdicts.extend(replaced(at, file, &files));
        }
        let mut unreadable = self.unreadable;
        unreadable.sort_unstable();
        SharedFiles {
            verdicts,
            files,
            unreadable,
        }
    }
}

impl OpenBy {
    fn writes(&self) -> bool {
        matches!(self.access, Access::Write | Access::ReadWrite)
    }
}

impl SharedFile {
    fn is_written(&self) -> bool {
        self.open.iter().any(OpenBy::writes)
    }

    fn pids(&self) -> Vec<i32> {
        pids(self.open.iter())
    }

    fn writers(&self) -> Vec<i32> {
        pids(self.open.iter().filter(|open| open.writes()))
    }
}

fn pids<'o>(all: impl Iterator<Item = &'o OpenBy>) -> Vec<i32> {
    let mut pids: Vec<i32> = all.map(|open| open.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

fn open_by(task: Task, fd: i32) -> Option<OpenBy> {
    let info = FdInfo::of(&ProcFiles::Live(task), fd).ok()?;
    let flags = i32::from_str_radix(info.lines("flags").next()?, 8).ok()?;
    let access = match flags & libc::O_ACCMODE {
        _ if flags & libc::O_PATH != 0 => Access::Path,
        libc::O_RDONLY => Access::Read,
        libc::O_WRONLY => Access::Write,
        _ => Access::ReadWrite,
    };
    let held = file_locks::of(&info);
    let locks = held.iter().map(|lock| {
        let family = match lock.family {
            Family::Flock => "flock",
            Family::Process => "fcntl",
            Family::Description => "fcntl of the open file",
        };
        let kind = if lock.exclusive {
            "exclusive"
        } else {
            "shared"
        };
        format!("{family}, {kind}")
    });
    Some(OpenBy {
        pid: task.pid,
        name: Task::leader(task.pid).name(),
        fd,
        access,
        position: info.lines("pos").next()?.parse().ok()?,
        append: flags & libc::O_APPEND != 0,
        locks: locks.collect(),
    })
}

/// The file that a path of a process leads to, if it is another one than `id`. The kernel writes paths
/// as pydbg sees them, but for a process with other mounts as that one does.
fn file_at(task: Task, path: &str, id: Id) -> Option<Id> {
    let mounts = |path: PathBuf| fs::read_link(path).ok();
    let path = match mounts("/proc/self/ns/mnt".into()) == mounts(task.path("ns/mnt")) {
        true => PathBuf::from(path),
        false => task.path("root").join(path.trim_start_matches('/')),
    };
    let metadata = fs::symlink_metadata(path).ok()?;
    let found = (metadata.dev(), metadata.ino());
    (metadata.is_file() && found != id).then_some(found)
}

/// Whether two descriptors are of files that were opened one by one. Of one open file the position is
/// the same, if perhaps it moves while it is read.
fn are_apart(one: &OpenBy, other: &OpenBy) -> bool {
    const TRIES: usize = 3;
    let position = |open: &OpenBy| {
        let info = FdInfo::of(&ProcFiles::Live(Task::of(open.pid)), open.fd).ok()?;
        info.lines("pos").next()?.parse::<u64>().ok()
    };
    let apart = || {
        let before = position(one)?;
        let between = position(other)?;
        let after = position(one)?;
        Some(between < before.min(after) || between > before.max(after))
    };
    (0..TRIES).all(|_| apart() == Some(true))
}

/// Two processes that write a file each for itself.
fn overwritten(at: usize, file: &SharedFile) -> Option<FileVerdict> {
    if file.open.iter().any(|open| !open.locks.is_empty()) {
        return None;
    }
    let writers = || file.open.iter().filter(|open| open.writes());
    let pairs = writers().flat_map(|one| writers().map(move |other| (one, other)));
    let mut fighting = FxHashSet::default();
    let mut first = None;
    for (one, other) in pairs {
        let fights = one.pid < other.pid && !(one.append && other.append) && are_apart(one, other);
        if fights {
            fighting.extend([one.pid, other.pid]);
            first.get_or_insert((one, other));
        }
    }
    let (one, other) = first?;
    let mut pids: Vec<i32> = fighting.into_iter().collect();
    pids.sort_unstable();
    let how = match (one.append, other.append) {
        (false, false) => "each at a position of its own and",
        _ => "one of them at a position of its own and",
    };
    let text = format!(
        "Processes {} have {} open for writing, {how} without a lock (fd {} of {} is at {}, fd {} of {} \
         at {}): what one writes, the other overwrites.",
        words::pids(&pids),
        file.path,
        one.fd,
        one.pid,
        one.position,
        other.fd,
        other.pid,
        other.position
    );
    Some(FileVerdict::Overwritten {
        file: at,
        pids,
        text,
    })
}

/// A file that is gone and still written, while another process writes the one in its place.
fn replaced(at: usize, file: &SharedFile, all: &[SharedFile]) -> Option<FileVerdict> {
    let mut others = all.iter().enumerate();
    let (by, other) = others.find(|(_, other)| Some(other.id) == file.successor)?;
    let others = other.writers();
    // Who has both open writes the new one, and has only not closed the other.
    let writers = file.writers().into_iter();
    let writers: Vec<i32> = writers.filter(|pid| !others.contains(pid)).collect();
    if writers.is_empty() || others.is_empty() {
        return None;
    }
    let text = format!(
        "{} still {} {}, which was deleted; there is another file of that path, which {} open for \
         writing: what goes into the deleted one is lost.",
        words::capital(&processes(&writers)),
        if writers.len() == 1 {
            "writes"
        } else {
            "write"
        },
        file.path,
        match others.len() {
            1 => format!("process {} has", words::pids(&others)),
            _ => format!("processes {} have", words::pids(&others)),
        },
    );
    Some(FileVerdict::Replaced {
        file: at,
        by,
        pids: [writers, others],
        text,
    })
}

fn processes(pids: &[i32]) -> String {
    match pids {
        [one] => format!("process {one}"),
        several => format!("processes {}", words::pids(several)),
    }
}
