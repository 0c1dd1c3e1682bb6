//! What the kernel tells of a process beyond its memory and registers: what its file descriptors
//! lead to, and how its children are. Of a core nothing of it is known, unless pydbg wrote it.

use crate::target::fd_info::FdInfo;
use crate::target::proc_files::ProcFiles;
use crate::target::proc_note::Child;
use crate::target::sockets::Sockets;
use std::cell::{OnceCell, RefCell};

/// The most file descriptors of one epoll instance that are listed.
const MOST_WATCHED: usize = 4096;

/// What lies outside of the process; the methods know nothing where nobody says otherwise.
pub trait Outside {
    /// What a file descriptor is: a path, `pipe:[1]`, `TCP 10.0.0.1:4711 to 10.0.0.2:443`.
    fn fd(&self, _fd: i32) -> Option<String> {
        None
    }

    /// The file descriptors that an epoll instance watches.
    fn watched(&self, _epoll: i32) -> Vec<i32> {
        Vec::new()
    }

    /// A child by the id that the process knows it by: its name and what it is doing.
    fn child(&self, _pid: i32) -> Option<String> {
        None
    }

    /// The child that a pidfd is for.
    fn child_of_fd(&self, _fd: i32) -> Option<i32> {
        None
    }

    /// The children that live, by the ids that the process knows them by.
    fn children(&self) -> Vec<i32> {
        Vec::new()
    }
}

/// A core that does not tell.
pub struct Nothing;

impl Outside for Nothing {}

/// What /proc tells.
pub struct Told {
    files: ProcFiles,
    sockets: RefCell<Sockets>,
    children: OnceCell<Vec<Child>>,
}

impl Told {
    /// By these files.
    pub fn by(files: ProcFiles) -> Told {
        Told {
            sockets: RefCell::new(Sockets::of(files.clone())),
            files,
            children: OnceCell::new(),
        }
    }

    fn all_children(&self) -> &[Child] {
        self.children.get_or_init(|| self.files.children())
    }
}

impl Outside for Told {
    fn fd(&self, fd: i32) -> Option<String> {
        let link = self.files.link(&format!("fd/{fd}"))?;
        let inode = link
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        let name = inode.and_then(|inode| self.sockets.borrow_mut().name(inode));
        Some(name.unwrap_or(link))
    }

    fn watched(&self, epoll: i32) -> Vec<i32> {
        let Ok(info) = FdInfo::of(&self.files, epoll) else {
            return Vec::new();
        };
        let lines = info.lines("tfd").take(MOST_WATCHED);
        let fd = |line: &str| line.split_whitespace().next()?.parse().ok();
        let mut watched: Vec<i32> = lines.filter_map(fd).collect();
        watched.sort_unstable();
        watched
    }

    fn child(&self, pid: i32) -> Option<String> {
        let mut children = self.all_children().iter();
        let child = children.find(|child| child.own == pid)?;
        let (name, state) = child.is.as_ref()?;
        let state = match state {
            'R' => "running",
            'S' | 'I' => "sleeping",
            'D' => "in uninterruptible sleep",
            'T' => "stopped",
            't' => "stopped by a debugger",
            'Z' | 'X' | 'x' => "ended",
            _ => "in an unknown state",
        };
        Some(format!("{name}, {state}"))
    }

    fn child_of_fd(&self, fd: i32) -> Option<i32> {
        // Ids of all PID namespaces, the innermost one last.
        let info = FdInfo::of(&self.files, fd).ok()?;
        let ids = info.lines("NSpid").next()?;
        ids.split_whitespace().last()?.parse().ok()
    }

    fn children(&self) -> Vec<i32> {
        self.all_children().iter().map(|child| child.own).collect()
    }
}
