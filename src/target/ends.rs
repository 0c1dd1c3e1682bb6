//! Which processes have which pipes and sockets open: the links of /proc/PID/fd of all processes, and
//! the flags in /proc/PID/fdinfo (Linux fs/proc/fd.c). Whoever has an end open may use it, and as long
//! as somebody has the writing end, a reader does not see the end of the data.

use super::fd_info::FdInfo;
use super::proc::{self, Task};
use super::proc_files::ProcFiles;
use rustc_hash::FxHashMap;
use std::fs;
use std::io;

/// The most processes that are looked at.
const MOST_PROCESSES: usize = 32_768;

/// A descriptor by which a process has a pipe or a socket open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The process.
    pub pid: i32,
    /// The descriptor.
    pub fd: i32,
    /// Whether it can be read from.
    pub reads: bool,
    /// Whether it can be written to.
    pub writes: bool,
}

/// Who has what.
#[derive(Default, Debug)]
pub struct Ends {
    /// Process and descriptor, by link: `pipe:[77]`.
    by_link: FxHashMap<String, Vec<(i32, i32)>>,
    /// Processes that may not be looked at, and the session each belongs to.
    pub unreadable: Vec<(i32, i32)>,
}

impl Ends {
    /// Looks at all processes there are.
    pub fn of_all() -> Ends {
        let mut ends = Ends::default();
        let all = proc::process_ids().unwrap_or_default().into_iter();
        for pid in all.take(MOST_PROCESSES) {
            ends.look(pid);
        }
        ends
    }

    fn look(&mut self, pid: i32) {
        let links = match Task::of(pid).descriptors() {
            Ok(links) => links,
            Err(error) => {
                let refused = error.kind() == io::ErrorKind::PermissionDenied;
                let stat = refused.then(|| Task::leader(pid).stat()).flatten();
                if let Some(stat) = stat.filter(|stat| !stat.kernel && !stat.ended()) {
                    self.unreadable.push((pid, stat.session));
                }
                return;
            }
        };
        for (fd, link) in links {
            if link.starts_with("pipe:[") || link.starts_with("socket:[") {
                self.by_link.entry(link).or_default().push((pid, fd));
            }
        }
    }

    /// Who has what this link leads to.
    pub fn of(&self, link: &str) -> Vec<End> {
        let all = self.by_link.get(link).into_iter().flatten();
        all.filter_map(|(pid, fd)| End::of(*pid, *fd)).collect()
    }
}

impl End {
    fn of(pid: i32, fd: i32) -> Option<End> {
        let info = FdInfo::of(&ProcFiles::Live(Task::of(pid)), fd).ok()?;
        let flags = info.lines("flags").next()?;
        let mode = i32::from_str_radix(flags, 8).ok()? & libc::O_ACCMODE;
        Some(End {
            pid,
            fd,
            reads: mode != libc::O_WRONLY,
            writes: mode != libc::O_RDONLY,
        })
    }
}

/// The inode in a link such as `socket:[77]`.
pub fn inode(link: &str) -> Option<u64> {
    let (_, inode) = link.split_once(":[")?;
    inode.strip_suffix(']')?.parse().ok()
}

/// The link of a descriptor, if it is a pipe without a name or a socket.
pub fn link(task: Task, fd: i32) -> Option<String> {
    let link = fs::read_link(task.path(&format!("fd/{fd}"))).ok()?;
    let link = link.into_os_string().into_string().ok()?;
    inode(&link).map(|_| link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn both_ends_of_a_pipe_are_found() {
        let (reader, writer) = std::io::pipe().unwrap();
        let me = std::process::id() as i32;
        let link = link(Task::leader(me), reader.as_raw_fd()).unwrap();
        let all = Ends::of_all().of(&link);
        let mut own: Vec<_> = all.iter().filter(|end| end.pid == me).collect();
        own.sort_by_key(|end| end.fd != reader.as_raw_fd());
        let told = own.iter().map(|end| (end.fd, end.reads, end.writes));
        let expected = [
            (reader.as_raw_fd(), true, false),
            (writer.as_raw_fd(), false, true),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(inode("socket:[7]"), Some(7));
        assert_eq!(inode("/a:[7]x"), None);
    }
}
