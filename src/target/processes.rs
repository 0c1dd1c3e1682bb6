//! The processes of the machine, as /proc lists them, and which of them are likely to run Python.
//! That is answered without attaching to any: by the name of the executable, else by the files
//! that are mapped (libpython, extension modules of the standard library), which embedding
//! programs have too.

use super::proc::{self, Stat, Task};
use crate::escape;
use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// What the files that are mapped in a process with Python have in their paths.
const MAPPED: [&[u8]; 2] = [b"libpython", b"/lib-dynload/"];

/// One process.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id.
    pub pid: i32,
    /// What its main thread's entry says.
    pub stat: Stat,
}

/// What the cheap look says of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guess {
    /// Its executable is named after Python.
    Python,
    /// Files of Python are mapped in it.
    Embeds,
    /// Nothing of Python is seen.
    Other,
    /// It may not be looked at.
    Hidden {
        /// Whether its name or command line is Python's.
        named: bool,
    },
}

impl Entry {
    /// The process with this id.
    pub fn of(pid: i32) -> Option<Entry> {
        let stat = Task::leader(pid).stat()?;
        Some(Entry { pid, stat })
    }

    /// Whether it is likely to run Python.
    pub fn guess(&self) -> Guess {
        if self.stat.kernel || self.stat.ended() && self.stat.threads <= 1 {
            return Guess::Other;
        }
        // The files of a main thread that has ended while others go on are empty.
        let task = match self.stat.ended() {
            true => Task::of(self.pid),
            false => Task::leader(self.pid),
        };
        let maps = match fs::read_link(task.path("exe")) {
            Ok(exe) if is_python(exe.as_os_str().as_bytes()) => return Guess::Python,
            Ok(_) => task.read("maps"),
            Err(error) => Err(error),
        };
        match maps {
            Ok(maps) if MAPPED.iter().any(|part| contains(&maps, part)) => Guess::Embeds,
            Err(error) if is_refusal(&error) => Guess::Hidden {
                named: self.is_named(task),
            },
            Ok(_) | Err(_) => Guess::Other,
        }
    }

    /// Whether its main thread has the name of a Python.
    pub fn is_called_python(&self) -> bool {
        is_python(self.stat.name.as_bytes())
    }

    /// Whether what everybody may read of it names Python.
    fn is_named(&self, task: Task) -> bool {
        let program = task.command_line().into_iter().next().unwrap_or_default();
        self.is_called_python() || is_python(program.as_bytes())
    }

    /// Whether it is the process that asks.
    pub fn is_pydbg(&self) -> bool {
        u32::try_from(self.pid) == Ok(std::process::id())
    }

    /// How much memory it has resident, in bytes.
    pub fn resident(&self) -> u64 {
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        let page = page.and_then(|size| u64::try_from(size).ok());
        self.stat.resident.saturating_mul(page.unwrap_or(4096))
    }

    /// The user it runs as.
    pub fn uid(&self) -> Option<u32> {
        // The folder itself is always its user's; the files in it are root's when it is protected.
        let folder = fs::metadata(format!("/proc/{}", self.pid)).ok()?;
        Some(folder.uid())
    }

    /// Its command line; its name in brackets where there is none, as ps(1) has it.
    pub fn command(&self) -> String {
        let words = Task::of(self.pid).command_line();
        match words.is_empty() {
            true => format!("[{}]", self.stat.name),
            false => words.join(" "),
        }
    }

    /// The path of its executable.
    pub fn exe(&self) -> Option<String> {
        let link = fs::read_link(Task::of(self.pid).path("exe")).ok()?;
        Some(escape::lossy(link.as_os_str().as_bytes()))
    }
}

/// All processes that /proc shows but threads of the kernel, by id.
pub fn all() -> io::Result<Vec<Entry>> {
    let mut ids = proc::process_ids()?;
    ids.sort_unstable();
    // One that has ended meanwhile has no entry.
    let entries = ids.into_iter().filter_map(Entry::of);
    Ok(entries.filter(|entry| !entry.stat.kernel).collect())
}

/// Of these processes, `root` and all that descend from it, parents before their children.
pub fn descendants(all: &[Entry], root: i32) -> Vec<&Entry> {
    let mut children: FxHashMap<i32, Vec<&Entry>> = FxHashMap::default();
    for entry in all {
        children.entry(entry.stat.ppid).or_default().push(entry);
    }
    let mut found: Vec<&Entry> = all.iter().filter(|entry| entry.pid == root).collect();
    // What was read at different moments may say that two processes descend from each other.
    let mut seen: FxHashSet<i32> = [root].into_iter().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|entry| entry.pid) {
        let born = children.get(&parent).into_iter().flatten().copied();
        let fresh: Vec<&Entry> = born.filter(|child| seen.insert(child.pid)).collect();
        found.extend(fresh);
        next += 1;
    }
    found
}

/// Whether the last part of a path begins like the name of a Python.
fn is_python(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next();
    name.is_some_and(|name| name.to_ascii_lowercase().starts_with(b"python"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn is_refusal(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EACCES | Errno::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, ppid: i32) -> Entry {
        let text = format!("{pid} (x) S {ppid} 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0");
        let stat = Stat::parse(text.as_bytes()).unwrap();
        Entry { pid, stat }
    }

    #[test]
    fn parents_come_before_their_children() {
        let all = [
            entry(2, 9),
            entry(3, 1),
            entry(4, 2),
            entry(9, 3),
            entry(7, 1),
        ];
        let pids = |root| -> Vec<i32> {
            let found = descendants(&all, root);
            found.iter().map(|entry| entry.pid).collect()
        };
        assert_eq!(pids(3), [3, 9, 2, 4]);
        assert_eq!(pids(4), [4]);
        assert_eq!(pids(100), [0; 0]);
        let ring = [entry(1, 2), entry(2, 1)];
        assert_eq!(descendants(&ring, 1).len(), 2);
    }

    #[test]
    fn names_of_pythons() {
        for name in ["/usr/bin/python3.11", "python", "Python"] {
            assert!(is_python(name.as_bytes()), "{name}");
        }
        for name in ["/usr/lib/python3/tool", "ipython3", "/opt/python/bash", ""] {
            assert!(!is_python(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_test_itself_is_no_python() {
        let own = Entry::of(std::process::id() as i32).unwrap();
        assert_eq!(own.guess(), Guess::Other);
        assert!(own.resident() > 0 && own.stat.threads >= 1);
        assert!(all().unwrap().iter().any(|entry| entry.pid == own.pid));
    }
}
