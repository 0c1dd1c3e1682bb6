//! What /proc tells of a process: of one that lives now, or of one as it was when pydbg wrote its
//! core. Whoever asks here need not know which.

use super::proc::{self, MOST_FDS, Task};
use super::proc_note::{Child, Kept, Opened, names};
use super::{Origin, Target};
use crate::escape;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::sync::Arc;

/// The most children that are looked at.
const MOST_CHILDREN: usize = 4096;

/// Who tells.
#[derive(Clone)]
pub enum ProcFiles {
    /// The kernel, of a process that lives.
    Live(Task),
    /// A core, of the process as it was then.
    Kept(Arc<Kept>),
}

impl Target {
    /// What /proc tells of the process, if anybody knows.
    pub fn proc_files(&self) -> Option<ProcFiles> {
        match self.origin {
            Origin::Live(pid) => Some(ProcFiles::Live(Task::of(pid))),
            Origin::Core(_) | Origin::Snapshot(_) | Origin::Synthetic => {
                self.kept.clone().map(ProcFiles::Kept)
            }
        }
    }
}

impl ProcFiles {
    /// The id of the process in the PID namespace of the pydbg that looked at it.
    pub fn pid(&self) -> Option<i32> {
        match self {
            ProcFiles::Live(task) => Some(task.pid),
            ProcFiles::Kept(kept) => Some(kept.moment()?.pid),
        }
    }

    /// The id of its parent in that namespace.
    pub fn parent(&self) -> Option<i32> {
        let columns = proc::columns(&self.read("status").ok()?, "PPid")?;
        columns.first()?.parse().ok()
    }

    /// The bytes of a file below /proc/PID.
    pub fn read(&self, name: &str) -> io::Result<Cow<'_, [u8]>> {
        match self {
            ProcFiles::Live(task) => task.read(name).map(Cow::Owned),
            ProcFiles::Kept(kept) => kept.file(name).map(Cow::Borrowed),
        }
    }

    /// What a link below /proc/PID leads to.
    pub fn link(&self, name: &str) -> Option<String> {
        match self {
            ProcFiles::Live(task) => task.link(name),
            ProcFiles::Kept(kept) => kept.link(name).map(escape::lossy),
        }
    }

    /// The open files: descriptor and what it leads to (a path, `pipe:[123]`, `socket:[456]`), by
    /// descriptor; [`MOST_FDS`] at most.
    pub fn descriptors(&self) -> io::Result<Vec<(i32, String)>> {
        let kept = match self {
            ProcFiles::Live(task) => return task.descriptors(),
            ProcFiles::Kept(kept) => kept,
        };
        if let Some(why) = kept.why_missing("fd") {
            return Err(io::Error::other(why));
        }
        let numbers = kept.numbers("fd").into_iter().take(MOST_FDS);
        let all = numbers.filter_map(|fd| Some((fd, self.link(&format!("fd/{fd}"))?)));
        Ok(all.collect())
    }

    /// The descriptors of which /proc tells more than where they lead to; [`MOST_FDS`] at most.
    pub(super) fn described(&self) -> io::Result<Vec<i32>> {
        match self {
            ProcFiles::Live(task) => {
                let folder = fs::read_dir(task.path("fdinfo"))?;
                let mut numbers: Vec<i32> = proc::numbered(folder).take(MOST_FDS).collect();
                numbers.sort_unstable();
                Ok(numbers)
            }
            ProcFiles::Kept(kept) => Ok(kept.numbers("fdinfo")),
        }
    }

    /// What stat(2) says of an open file.
    pub fn opened(&self, fd: i32) -> Option<Opened> {
        match self {
            ProcFiles::Live(task) => {
                let file = fs::metadata(task.path(&format!("fd/{fd}"))).ok()?;
                Some(Opened::of(&file))
            }
            ProcFiles::Kept(kept) => kept.opened(fd),
        }
    }

    /// The children that have not been waited for.
    pub fn children(&self) -> Vec<Child> {
        match self {
            ProcFiles::Live(task) => {
                let children = proc::children(task.pid).into_iter();
                let child = |pid: i32| {
                    let task = Task::leader(pid);
                    Child::new(task.innermost_id().unwrap_or(pid), pid, task.stat())
                };
                children.take(MOST_CHILDREN).map(child).collect()
            }
            ProcFiles::Kept(kept) => {
                let mut children = Child::parse(kept.file(names::CHILDREN).unwrap_or_default());
                children.truncate(MOST_CHILDREN);
                children
            }
        }
    }

    /// The text of /proc/locks; of a core those of its lines that matter.
    pub(super) fn locks(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            ProcFiles::Live(_) => fs::read("/proc/locks").map(Cow::Owned),
            ProcFiles::Kept(_) => self.read(names::LOCKS),
        }
    }
}
