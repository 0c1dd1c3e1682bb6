//! The table of descriptors that the kernel keeps for a process: the links of /proc/PID/fd,
//! what /proc/PID/fdinfo adds (Linux fs/proc/fd.c, and each kind's `show_fdinfo`), the sockets of
//! /proc/PID/net, and the limit of /proc/PID/limits.

use super::Kind;
use crate::target::fd_info::FdInfo;
use crate::target::proc_files::ProcFiles;
use crate::target::sockets::Sockets;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::io;

/// The most descriptors of an epoll instance, or of other ends of a pipe, that are named.
const MOST_NAMED: usize = 8;

/// What may be done through a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
    /// Neither: `O_PATH`.
    Path,
}

impl Access {
    /// As the mode of a file.
    pub fn letters(self) -> &'static str {
        match self {
            Access::Read => "r",
            Access::Write => "w",
            Access::ReadWrite => "rw",
            Access::Path => "-",
        }
    }
}

/// One descriptor as the kernel knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) fd: i32,
    pub(super) kind: Kind,
    pub(super) target: String,
    pub(super) access: Option<Access>,
    pub(super) flags: Vec<&'static str>,
    pub(super) position: Option<u64>,
    pub(super) detail: Option<String>,
}

/// How many descriptors a process may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Limit {
    /// What `open` refuses to go beyond; `None` for no limit.
    pub soft: Option<u64>,
    /// What the process may raise that to.
    pub hard: Option<u64>,
}

impl Limit {
    /// `RLIMIT_NOFILE` of a process.
    pub(super) fn of(files: &ProcFiles) -> Option<Limit> {
        Limit::parse(&String::from_utf8_lossy(&files.read("limits").ok()?))
    }

    fn parse(text: &str) -> Option<Limit> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        let mut words = line.split_whitespace();
        let mut next = || match words.next()? {
            "unlimited" => Some(None),
            number => Some(Some(number.parse().ok()?)),
        };
        Some(Limit {
            soft: next()?,
            hard: next()?,
        })
    }
}

/// Every descriptor of a process, by number; `MOST_FDS` at most.
pub(super) fn read(files: &ProcFiles) -> io::Result<Vec<Entry>> {
    let mut sockets = Sockets::of(files.clone());
    let links = files.descriptors()?.into_iter();
    let mut entries: Vec<Entry> = links
        .map(|(fd, link)| entry(files, &mut sockets, fd, link))
        .collect();
    add_ends(&mut entries);
    Ok(entries)
}

fn entry(files: &ProcFiles, sockets: &mut Sockets, fd: i32, link: String) -> Entry {
    let kind = Kind::of_link(&link).unwrap_or_else(|| {
        let file = files.opened(fd);
        Kind::of_file(&link, file.map(|file| file.mode))
    });
    let inode = link.strip_prefix("socket:[");
    let inode = inode.and_then(|rest| rest.strip_suffix(']')?.parse().ok());
    let name = inode.and_then(|inode| sockets.name(inode));
    let (kind, target) = match name {
        Some(name) => (Kind::of_socket(&name), name),
        None => (kind, link),
    };
    let info = FdInfo::of(files, fd).ok();
    let said = |key: &str| info.as_ref()?.lines(key).next().map(str::to_owned);
    let bits = said("flags").and_then(|bits| u32::from_str_radix(&bits, 8).ok());
    let has_position = matches!(kind, Kind::File | Kind::Memfd | Kind::Device);
    let position = said("pos").and_then(|position| position.parse().ok());
    Entry {
        fd,
        kind,
        target,
        access: bits.map(access),
        flags: bits.map(flags).unwrap_or_default(),
        position: position.filter(|_| has_position),
        detail: info.as_ref().and_then(|info| detail(kind, info)),
    }
}

fn access(bits: u32) -> Access {
    match bits as i32 {
        bits if bits & libc::O_PATH != 0 => Access::Path,
        bits if bits & libc::O_ACCMODE == libc::O_RDONLY => Access::Read,
        bits if bits & libc::O_ACCMODE == libc::O_WRONLY => Access::Write,
        _ => Access::ReadWrite,
    }
}

/// The flags that matter, as `open` calls them.
fn flags(bits: u32) -> Vec<&'static str> {
    let named = [
        (libc::O_APPEND, "O_APPEND"),
        (libc::O_NONBLOCK, "O_NONBLOCK"),
        (libc::O_CLOEXEC, "O_CLOEXEC"),
    ];
    let set = named.iter().filter(|(flag, _)| bits as i32 & flag != 0);
    set.map(|(_, name)| *name).collect()
}

/// What a kind of file says of itself.
fn detail(kind: Kind, info: &FdInfo) -> Option<String> {
    let one = |key: &str| info.lines(key).next();
    match kind {
        Kind::Epoll => {
            let fd = |line: &str| line.split_whitespace().next()?.parse().ok();
            let mut watched: Vec<i32> = info.lines("tfd").filter_map(fd).collect();
            watched.sort_unstable();
            Some(match watched.len() {
                0 => "watches nothing".to_owned(),
                count => format!("watches {count}: {}", numbers(&watched)),
            })
        }
        Kind::Eventfd => {
            let count = u64::from_str_radix(one("eventfd-count")?, 16).ok()?;
            Some(format!("count {count}"))
        }
        Kind::Timerfd => match one("it_value")? {
            "(0, 0)" => Some("not set".to_owned()),
            left => {
                let (seconds, rest) = left.trim_matches(['(', ')']).split_once(", ")?;
                let rest: u64 = rest.parse().ok()?;
                Some(format!("fires in {seconds}.{rest:09} s"))
            }
        },
        Kind::Inotify => match info.lines("inotify wd").count() {
            1 => Some("1 watch".to_owned()),
            count => Some(format!("{count} watches")),
        },
        Kind::Pidfd => match one("Pid")? {
            "-1" => Some("its process has ended".to_owned()),
            pid => Some(format!("process {pid}")),
        },
        Kind::Signalfd => Some(format!("signals {}", one("sigmask")?)),
        _ => None,
    }
}

/// Says of each pipe where its other end is within the process.
fn add_ends(entries: &mut [Entry]) {
    let mut ends: FxHashMap<String, Vec<(i32, Access)>> = FxHashMap::default();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Pipe) {
        if let Some(access) = entry.access {
            let own = ends.entry(entry.target.clone()).or_default();
            own.push((entry.fd, access));
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.kind == Kind::Pipe) {
        let (end, other) = match entry.access {
            Some(Access::Read) => ("read end", Access::Write),
            Some(Access::Write) => ("write end", Access::Read),
            _ => continue,
        };
        let all = ends.get(&entry.target).into_iter().flatten();
        let others = all.filter(|(_, access)| *access == other || *access == Access::ReadWrite);
        let others: Vec<i32> = others.map(|(fd, _)| *fd).collect();
        entry.detail = Some(match others.as_slice() {
            [] => format!("{end}; this process does not have the other"),
            others => format!("{end} of fd {}", numbers(others)),
        });
    }
}

/// `1, 2, 3, …`.
fn numbers(numbers: &[i32]) -> String {
    let shown = numbers.iter().take(MOST_NAMED).map(i32::to_string);
    let mut shown: Vec<String> = shown.collect();
    if numbers.len() > MOST_NAMED {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::proc::Task;

    #[test]
    fn limits_as_the_kernel_writes_them() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
                    Max open files            1024                 unlimited            files \n";
        let limit = Limit::parse(text).unwrap();
        assert_eq!((limit.soft, limit.hard), (Some(1024), None));
        assert_eq!(Limit::parse("Max open files"), None);
        assert_eq!(Limit::parse(""), None);
    }

    #[test]
    fn ends_of_pipes() {
        let pipe = |fd, access| Entry {
            fd,
            kind: Kind::Pipe,
            target: "pipe:[1]".to_owned(),
            access: Some(access),
            flags: Vec::new(),
            position: None,
            detail: None,
        };
        let mut entries = vec![
            pipe(3, Access::Read),
            pipe(4, Access::Write),
            pipe(5, Access::Write),
        ];
        add_ends(&mut entries);
        assert_eq!(entries[0].detail.as_deref(), Some("read end of fd 4, 5"));
        assert_eq!(entries[2].detail.as_deref(), Some("write end of fd 3"));
        entries.truncate(1);
        add_ends(&mut entries);
        let alone = "read end; this process does not have the other";
        assert_eq!(entries[0].detail.as_deref(), Some(alone));
    }

    #[test]
    fn the_test_itself() {
        let pid = std::process::id() as i32;
        let files = ProcFiles::Live(Task::of(pid));
        let entries = read(&files).unwrap();
        assert!(entries.iter().any(|entry| entry.fd == 1));
        assert!(Limit::of(&files).is_some());
    }
}
