//! Locks on files as /proc shows them (Linux fs/locks.c, `lock_get_status` and `show_fd_locks`): all
//! held ones in /proc/locks, by device and inode, and those of one open file in /proc/PID/fdinfo/FD.
//!
//! A lock of a process that this PID namespace does not see is left out by the kernel, and a lock
//! of an open file description (`F_OFD_SETLK`) has no process, which is -1 there.

use super::fd_info::FdInfo;
use super::proc::{self, Task};
use nix::sys::stat::{major, minor};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The most locks, processes and open files of one process that are looked at.
const MOST_LOCKS: usize = 100_000;
const MOST_PROCESSES: usize = 32_768;
const MOST_FILES: usize = 65_536;

/// Which call a lock is made with; locks of different families do not know each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// `flock`: belongs to an open file description.
    Flock,
    /// `fcntl` with `F_SETLK`: belongs to a process.
    Process,
    /// `fcntl` with `F_OFD_SETLK`: belongs to an open file description.
    Description,
}

/// A lock that is held on a part of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileLock {
    /// Which call took it.
    pub family: Family,
    /// Whether nobody else may read.
    pub exclusive: bool,
    /// The process that took it; `None` where the kernel does not say.
    pub pid: Option<i32>,
    /// Device (major, minor) and inode of the file.
    pub file: ((u64, u64), u64),
    /// The first byte.
    pub start: u64,
    /// The last byte.
    pub end: u64,
}

impl FileLock {
    /// From a line of /proc/locks: `1: POSIX  ADVISORY  WRITE 8191 fe:00:10010825 5 14`. The lines
    /// of those who wait have an arrow in second place.
    fn parse(line: &str) -> Option<FileLock> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, family, _, access, pid, file, start, end] = words.as_slice() else {
            return None;
        };
        let family = match *family {
            "FLOCK" => Family::Flock,
            "POSIX" => Family::Process,
            "OFDLCK" => Family::Description,
            _ => return None,
        };
        let mut parts = file.split(':');
        let hex = |part: Option<&str>| u64::from_str_radix(part?, 16).ok();
        let device = (hex(parts.next())?, hex(parts.next())?);
        Some(FileLock {
            family,
            exclusive: *access == "WRITE",
            pid: pid.parse().ok().filter(|pid| *pid > 0),
            file: (device, parts.next()?.parse().ok()?),
            start: start.parse().ok()?,
            end: match *end {
                "EOF" => u64::MAX,
                end => end.parse().ok()?,
            },
        })
    }

    /// Whether this lock, which is asked for, has to wait for one that is held by somebody else.
    pub fn waits_for(&self, held: &FileLock) -> bool {
        let meet = (self.family == Family::Flock) == (held.family == Family::Flock);
        meet && self.file == held.file
            && (self.exclusive || held.exclusive)
            && self.start <= held.end
            && held.start <= self.end
    }
}

/// A file descriptor of a live process.
#[derive(Clone, Copy, Debug)]
pub struct OpenFile {
    /// Device (major, minor) and inode, as /proc/locks writes them.
    pub file: ((u64, u64), u64),
    /// Where it reads and writes next.
    pub position: u64,
    /// Bytes of the file.
    pub size: u64,
}

impl OpenFile {
    /// What file descriptor `fd` of a process leads to.
    pub fn of(pid: i32, fd: i32) -> Option<OpenFile> {
        let task = Task::of(pid);
        let metadata = fs::metadata(task.path(&format!("fd/{fd}"))).ok()?;
        let info = FdInfo::of(task, fd).ok()?;
        let number = |key| info.lines(key).find_map(|value| value.parse::<u64>().ok());
        // What stat says of the device of a file on btrfs or overlayfs is another one.
        let device = number("mnt_id").and_then(|mount| device_of(task, mount));
        let stated = metadata.dev();
        Some(OpenFile {
            file: (
                device.unwrap_or((major(stated), minor(stated))),
                number("ino").unwrap_or(metadata.ino()),
            ),
            position: number("pos").unwrap_or(0),
            size: metadata.len(),
        })
    }
}

/// The device of a mount, by /proc/PID/mountinfo: `27 1 254:0 / / rw…`.
fn device_of(task: Task, mount: u64) -> Option<(u64, u64)> {
    let text = task.read("mountinfo").ok()?;
    String::from_utf8_lossy(&text).lines().find_map(|line| {
        let mut words = line.split(' ');
        let same = words.next()?.parse() == Ok(mount);
        let (major, minor) = words.nth(1).filter(|_| same)?.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

/// The locks that are held through one open file.
pub fn of(info: &FdInfo) -> Vec<FileLock> {
    info.lines("lock").filter_map(FileLock::parse).collect()
}

/// All locks on files that somebody holds; `None` when /proc/locks cannot be read.
pub fn held() -> Option<Vec<FileLock>> {
    let text = fs::read("/proc/locks").ok()?;
    let text = String::from_utf8_lossy(&text);
    let locks = text.lines().filter_map(FileLock::parse);
    Some(locks.take(MOST_LOCKS).collect())
}

/// The file descriptors of a process through which it holds a lock; `None` when that may not be
/// read.
pub fn descriptors(pid: i32, lock: &FileLock) -> Option<Vec<i32>> {
    let task = Task::of(pid);
    let holds = |fd: &i32| {
        let is_it = |line: &str| FileLock::parse(line).as_ref() == Some(lock);
        FdInfo::of(task, *fd).is_ok_and(|info| info.lines("lock").any(is_it))
    };
    let all = proc::numbered(fs::read_dir(task.path("fdinfo")).ok()?);
    let mut found: Vec<i32> = all.take(MOST_FILES).filter(holds).collect();
    found.sort_unstable();
    Some(found)
}

/// The processes that have an open file through which a lock is held, of those that may be asked.
pub fn processes(lock: &FileLock) -> Vec<i32> {
    let ids = proc::process_ids().unwrap_or_default().into_iter();
    let holds = |pid: &i32| descriptors(*pid, lock).is_some_and(|fds| !fds.is_empty());
    ids.take(MOST_PROCESSES).filter(holds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        let lock = FileLock::parse("1: POSIX  ADVISORY  WRITE 8191 fe:00:10010825 5 14").unwrap();
        assert_eq!(lock.family, Family::Process);
        assert_eq!(lock.file, ((0xfe, 0), 10_010_825));
        assert_eq!((lock.pid, lock.exclusive), (Some(8191), true));
        assert_eq!((lock.start, lock.end), (5, 14));
        let lock = "2: OFDLCK ADVISORY  READ -1 fe:00:10010824 0 EOF";
        let lock = FileLock::parse(lock).unwrap();
        assert_eq!((lock.pid, lock.end), (None, u64::MAX));
        assert!(FileLock::parse("1: -> POSIX  ADVISORY  WRITE 1 fe:00:1 0 EOF").is_none());
        assert!(FileLock::parse("1: LEASE  ACTIVE    READ 1 fe:00:1 0 EOF").is_none());
        assert!(FileLock::parse("").is_none());
    }

    #[test]
    fn locks_that_meet_each_other() {
        let lock = |text: &str| FileLock::parse(text).unwrap();
        let asked = lock("1: POSIX ADVISORY WRITE 1 fe:00:7 10 19");
        assert!(asked.waits_for(&lock("1: POSIX ADVISORY READ 2 fe:00:7 19 EOF")));
        assert!(asked.waits_for(&lock("1: OFDLCK ADVISORY READ -1 fe:00:7 0 10")));
        assert!(!asked.waits_for(&lock("1: POSIX ADVISORY READ 2 fe:00:7 20 EOF")));
        assert!(!asked.waits_for(&lock("1: POSIX ADVISORY WRITE 2 fe:00:8 0 EOF")));
        assert!(!asked.waits_for(&lock("1: FLOCK ADVISORY WRITE 2 fe:00:7 0 EOF")));
        let reader = lock("1: FLOCK ADVISORY READ 1 fe:00:7 0 EOF");
        assert!(!reader.waits_for(&reader));
    }
}
