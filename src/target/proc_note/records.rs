//! What pydbg adds to the note beside texts of the kernel's: lines of words, each read by the
//! function beside the one that writes it.

use crate::escape;
use crate::target::proc::Stat;
use nix::sys::stat::{major, minor};
use rustc_hash::FxHashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// When a process was looked at, by its own clocks, and who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// The process, in the PID namespace of pydbg.
    pub pid: i32,
    /// Since 1970.
    pub realtime: Duration,
    /// On the monotonic clock of its time namespace.
    pub monotonic: Duration,
    /// When it started, since 1970.
    pub started: Option<Duration>,
}

impl Moment {
    /// Lines of a name and a number.
    pub(in crate::target) fn lines(&self) -> String {
        let mut text = format!(
            "pydbg {}\npid {}\nrealtime {}\nmonotonic {}\n",
            env!("CARGO_PKG_VERSION"),
            self.pid,
            self.realtime.as_nanos(),
            self.monotonic.as_nanos()
        );
        if let Some(started) = self.started {
            text.push_str(&format!("started {}\n", started.as_nanos()));
        }
        text
    }

    pub(in crate::target) fn parse(text: &[u8]) -> Option<Moment> {
        let text = std::str::from_utf8(text).ok()?;
        let word = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let time = |name| Some(Duration::from_nanos(word(name)?.parse().ok()?));
        Some(Moment {
            pid: word("pid")?.parse().ok()?,
            realtime: time("realtime")?,
            monotonic: time("monotonic")?,
            started: time("started"),
        })
    }
}

/// What stat(2) says of an open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Type and permissions, `st_mode`.
    pub mode: u32,
    /// Major and minor number of its device.
    pub device: (u64, u64),
    /// Its inode.
    pub inode: u64,
    /// Its bytes.
    pub size: u64,
}

impl Opened {
    /// What there is to know by stat(2).
    pub(in crate::target) fn of(file: &Metadata) -> Opened {
        Opened {
            mode: file.mode(),
            device: (major(file.dev()), minor(file.dev())),
            inode: file.ino(),
            size: file.len(),
        }
    }

    /// `3 100644 fe:0 4711 99`: descriptor, mode (octal), device (hex), inode, size.
    pub(in crate::target) fn line(&self, fd: i32) -> String {
        let Opened { mode, device, .. } = self;
        let (major, minor) = device;
        format!(
            "{fd} {mode:o} {major:x}:{minor:x} {} {}\n",
            self.inode, self.size
        )
    }

    /// All that the lines say, by descriptor; what makes no sense is left out.
    pub(in crate::target) fn parse(text: &[u8]) -> FxHashMap<i32, Opened> {
        let text = String::from_utf8_lossy(text);
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let opened = |line: &str| {
            let mut words = line.split(' ');
            let fd = words.next()?.parse().ok()?;
            let mode = u32::from_str_radix(words.next()?, 8).ok()?;
            let (major, minor) = words.next()?.split_once(':')?;
            let opened = Opened {
                mode,
                device: (hex(major)?, hex(minor)?),
                inode: words.next()?.parse().ok()?,
                size: words.next()?.parse().ok()?,
            };
            Some((fd, opened))
        };
        text.lines().filter_map(opened).collect()
    }
}

/// A child that has not been waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    /// Its id in the innermost PID namespace it is in, which is what the process knows it by.
    pub own: i32,
    /// Its id in the PID namespace of pydbg.
    pub seen: i32,
    /// The kernel's name for it and its state letter.
    pub is: Option<(String, char)>,
}

impl Child {
    /// Of a process that is seen by this id.
    pub(in crate::target) fn new(own: i32, seen: i32, stat: Option<Stat>) -> Child {
        Child {
            own,
            seen,
            is: stat.map(|stat| (stat.name, stat.state)),
        }
    }

    /// `7 4711 S name`.
    pub(in crate::target) fn line(&self) -> String {
        let Child { own, seen, is } = self;
        match is {
            Some((name, state)) => format!("{own} {seen} {state} {}\n", escape::escape(name)),
            None => format!("{own} {seen}\n"),
        }
    }

    /// All that the lines say; what makes no sense is left out.
    pub(in crate::target) fn parse(text: &[u8]) -> Vec<Child> {
        let text = String::from_utf8_lossy(text);
        let child = |line: &str| {
            let mut words = line.splitn(4, ' ');
            Some(Child {
                own: words.next()?.parse().ok()?,
                seen: words.next()?.parse().ok()?,
                is: match (words.next(), words.next()) {
                    (Some(state), Some(name)) => Some((name.to_owned(), state.chars().next()?)),
                    _ => None,
                },
            })
        };
        text.lines().filter_map(child).collect()
    }
}

/// A thread as it was before the stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::target) struct ThreadState {
    /// The thread, in the PID namespace of pydbg.
    pub(in crate::target) tid: i32,
    /// Its id in its own PID namespace, which is what a core knows it by.
    pub(in crate::target) own: i32,
    /// The state letter, if it is known.
    pub(in crate::target) state: Option<char>,
    /// Whether all its registers are known: those of a thread that did not stop are not.
    pub(in crate::target) whole: bool,
}

impl ThreadState {
    /// `7 7 S stopped`.
    pub(in crate::target) fn line(&self) -> String {
        let held = if self.whole { "stopped" } else { "running" };
        let state = self.state.unwrap_or('?');
        format!("{} {} {state} {held}\n", self.tid, self.own)
    }

    /// All that the lines say; what makes no sense is left out.
    pub(in crate::target) fn parse(text: &[u8]) -> Vec<ThreadState> {
        let text = String::from_utf8_lossy(text);
        let thread = |line: &str| {
            let mut words = line.split(' ');
            let (tid, own) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let state = words.next()?.chars().next()?;
            let known = state.is_ascii_alphabetic();
            Some(ThreadState {
                tid,
                own,
                state: known.then_some(state),
                whole: words.next()? == "stopped",
            })
        };
        text.lines().filter_map(thread).collect()
    }
}

/// A process that may hold a lock on a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The process, in the PID namespace of pydbg.
    pub pid: i32,
    /// The kernel's name for it.
    pub name: Option<String>,
    /// Whether it has the open file through which the lock is held, if that may be known.
    pub has_file: Option<bool>,
}

impl Holder {
    /// `2 4711 yes name`: the position of the lock among those that are kept, the process, whether
    /// it has the file, its name.
    pub(in crate::target) fn line(&self, lock: usize) -> String {
        let has = match self.has_file {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let name = self.name.as_deref().unwrap_or_default();
        format!("{lock} {} {has} {}\n", self.pid, escape::escape(name))
    }

    /// The holders of the lock at a position.
    pub(in crate::target) fn parse(text: &[u8], lock: usize) -> Vec<Holder> {
        let text = String::from_utf8_lossy(text);
        let holder = |line: &str| {
            let mut words = line.splitn(4, ' ');
            (words.next()?.parse() == Ok(lock)).then_some(())?;
            Some(Holder {
                pid: words.next()?.parse().ok()?,
                has_file: match words.next()? {
                    "yes" => Some(true),
                    "no" => Some(false),
                    _ => None,
                },
                name: words.next().filter(|n| !n.is_empty()).map(str::to_owned),
            })
        };
        text.lines().filter_map(holder).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let moment = Moment {
            pid: 7,
            realtime: Duration::from_nanos(1_763_000_000_123_456_789),
            monotonic: Duration::from_millis(5),
            started: None,
        };
        assert_eq!(Moment::parse(moment.lines().as_bytes()), Some(moment));
        let opened = Opened {
            mode: 0o100_644,
            device: (254, 17),
            inode: u64::MAX,
            size: 9,
        };
        let text = ["nonsense\n".to_owned(), opened.line(30), opened.line(3)].concat();
        let all = Opened::parse(text.as_bytes());
        assert_eq!((all.len(), all.get(&3)), (2, Some(&opened)));
        let children = [
            Child {
                own: 2,
                seen: 4711,
                is: Some(("a b".into(), 'S')),
            },
            Child {
                own: 3,
                seen: 3,
                is: None,
            },
        ];
        let text: String = children.iter().map(Child::line).collect();
        assert_eq!(Child::parse(text.as_bytes()), children);
        let threads = [('S', true), ('R', false)].map(|(state, whole)| ThreadState {
            tid: 4711,
            own: 7,
            state: Some(state),
            whole,
        });
        let text: String = threads.iter().map(ThreadState::line).collect();
        assert_eq!(ThreadState::parse(text.as_bytes()), threads);
    }

    #[test]
    fn holders_belong_to_locks() {
        let holder = |pid, has_file, name: Option<&str>| Holder {
            pid,
            name: name.map(str::to_owned),
            has_file,
        };
        let first = holder(1, Some(true), Some("a b"));
        let second = holder(2, None, None);
        let text = first.line(0) + &second.line(1);
        assert_eq!(Holder::parse(text.as_bytes(), 0), [first]);
        assert_eq!(Holder::parse(text.as_bytes(), 1), [second]);
        assert_eq!(Holder::parse(b"0 x yes\n\n9", 0), []);
    }
}
