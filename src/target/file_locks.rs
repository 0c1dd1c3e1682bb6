//! Locks on files as /proc shows them (Linux fs/locks.c, `lock_get_status` and `show_fd_locks`): all
//! held ones in /proc/locks, by device and inode, and those of one open file in /proc/PID/fdinfo/FD.
//!
//! A lock of a process that this PID namespace does not see is left out by the kernel, and a lock
//! of an open file description (`F_OFD_SETLK`) has no process, which is -1 there.

use super::fd_info::FdInfo;
use super::proc::{self, Task};
use super::proc_files::ProcFiles;
use super::proc_note::{Holder, names};
use rustc_hash::FxHashSet;
use std::time::{Duration, Instant};

/// The most locks, processes and open files of one process that are looked at.
const MOST_LOCKS: usize = 100_000;
const MOST_PROCESSES: usize = 32_768;

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

/// A file descriptor of a process.
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
    pub fn of(files: &ProcFiles, fd: i32) -> Option<OpenFile> {
        let opened = files.opened(fd)?;
        let info = FdInfo::of(files, fd).ok()?;
        let number = |key| info.lines(key).find_map(|value| value.parse::<u64>().ok());
        // What stat says of the device of a file on btrfs or overlayfs is another one.
        let device = number("mnt_id").and_then(|mount| device_of(files, mount));
        Some(OpenFile {
            file: (
                device.unwrap_or(opened.device),
                number("ino").unwrap_or(opened.inode),
            ),
            position: number("pos").unwrap_or(0),
            size: opened.size,
        })
    }
}

/// The device of a mount, by /proc/PID/mountinfo: `27 1 254:0 / / rw…`.
fn device_of(files: &ProcFiles, mount: u64) -> Option<(u64, u64)> {
    let text = files.read("mountinfo").ok()?;
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

/// All locks on files that somebody holds; `None` when /proc/locks cannot be read. Of a core those
/// on files that the process had open.
pub fn held(files: &ProcFiles) -> Option<Vec<FileLock>> {
    Some(parse(&files.locks().ok()?))
}

/// The locks in the text of /proc/locks, without those that are waited for.
pub(super) fn parse(text: &[u8]) -> Vec<FileLock> {
    let text = String::from_utf8_lossy(text);
    let locks = text.lines().filter_map(FileLock::parse);
    locks.take(MOST_LOCKS).collect()
}

/// The lines of the text of /proc/locks that are of files with these inodes, on whatever device.
pub(super) fn of_files(text: &[u8], inodes: &FxHashSet<u64>) -> String {
    let text = String::from_utf8_lossy(text);
    let is_theirs = |line: &&str| {
        let inode = line.split_whitespace().find_map(|word| {
            let (_, inode) = word.split_once(':')?.1.split_once(':')?;
            inode.parse().ok()
        });
        inode.is_some_and(|inode: u64| inodes.contains(&inode))
    };
    let lines = text.split_inclusive('\n').take(MOST_LOCKS);
    lines.filter(is_theirs).collect()
}

/// The locks that the text of /proc/PID/fdinfo/FD tells.
pub(super) fn of_descriptor(text: &[u8]) -> Vec<FileLock> {
    of(&FdInfo::parse(text))
}

/// The file descriptors of a process through which it holds a lock; `None` when that may not be
/// read.
pub fn descriptors(files: &ProcFiles, lock: &FileLock) -> Option<Vec<i32>> {
    let holds = |fd: &i32| locks_of(files, *fd).contains(lock);
    Some(files.described().ok()?.into_iter().filter(holds).collect())
}

fn locks_of(files: &ProcFiles, fd: i32) -> Vec<FileLock> {
    let text = files.read(&format!("fdinfo/{fd}"));
    text.map_or_else(|_| Vec::new(), |text| of_descriptor(&text))
}

/// The process that the kernel names as the one that took a lock, if there is such a process.
pub fn named(files: &ProcFiles, lock: &FileLock) -> Option<Holder> {
    let pid = lock.pid?;
    match files {
        ProcFiles::Live(_) => Some(Holder {
            pid,
            name: Some(Task::leader(pid).name()?),
            has_file: descriptors(&ProcFiles::Live(Task::of(pid)), lock).map(|fds| !fds.is_empty()),
        }),
        ProcFiles::Kept(_) => kept_holders(files, lock)
            .into_iter()
            .find(|one| one.pid == pid),
    }
}

/// The processes that have an open file through which a lock is held, of those that may be asked.
pub fn processes(files: &ProcFiles, lock: &FileLock) -> Vec<Holder> {
    let all = match files {
        ProcFiles::Live(_) => who_has(std::slice::from_ref(lock), None)
            .into_iter()
            .flatten()
            .collect(),
        ProcFiles::Kept(_) => kept_holders(files, lock),
    };
    let has = |holder: &Holder| holder.has_file == Some(true);
    all.into_iter().filter(has).collect()
}

/// The processes that have the open files through which locks are held, for each lock, and those
/// that the kernel names. After some time no more processes are asked.
pub(super) fn who_has(locks: &[FileLock], patience: Option<Duration>) -> Vec<Vec<Holder>> {
    let start = Instant::now();
    let mut found: Vec<Vec<Holder>> = locks.iter().map(|_| Vec::new()).collect();
    for pid in proc::process_ids()
        .unwrap_or_default()
        .into_iter()
        .take(MOST_PROCESSES)
    {
        if patience.is_some_and(|patience| start.elapsed() > patience) {
            break;
        }
        let files = ProcFiles::Live(Task::of(pid));
        let described = files.described();
        let fds = described.iter().flatten();
        let own: Vec<FileLock> = fds.flat_map(|fd| locks_of(&files, *fd)).collect();
        for (lock, holders) in locks.iter().zip(&mut found) {
            let has = own.contains(lock);
            if has || lock.pid == Some(pid) {
                holders.push(Holder {
                    pid,
                    name: Task::leader(pid).name(),
                    has_file: described.is_ok().then_some(has),
                });
            }
        }
    }
    found
}

/// Who could hold a lock when the core was written.
fn kept_holders(files: &ProcFiles, lock: &FileLock) -> Vec<Holder> {
    let all = held(files).unwrap_or_default();
    let position = all.iter().position(|one| one == lock);
    let text = files.read(names::LOCK_HOLDERS).unwrap_or_default();
    position.map_or_else(Vec::new, |position| Holder::parse(&text, position))
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
