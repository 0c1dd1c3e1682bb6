//! What a system call waits for, in a few words.

use super::syscall::name;
use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;

/// The most file descriptors listed.
const MOST_LISTED: usize = 8;
/// The longest path shown.
const MOST_PATH: usize = 256;

/// The arguments of one call, and what helps to read them.
struct Call<'a> {
    args: &'a [u64; 6],
    memory: &'a dyn Memory,
    fd_name: &'a dyn Fn(i32) -> Option<String>,
}

/// What call `number` with `args` does.
pub(super) fn summary(
    number: i64,
    args: &[u64; 6],
    memory: &dyn Memory,
    fd_name: &dyn Fn(i32) -> Option<String>,
) -> String {
    let call = Call {
        args,
        memory,
        fd_name,
    };
    let Some(name) = name(number) else {
        return format!("system call {number}");
    };
    match name {
        "read" | "pread64" | "readv" | "preadv" | "preadv2" | "recvfrom" | "recvmsg"
        | "recvmmsg" | "getdents64" => format!("{} from {}", verb(name), call.fd(0)),
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "sendto" | "sendmsg"
        | "sendmmsg" => format!("{} to {}", verb(name), call.fd(0)),
        "accept" | "accept4" => format!("accept on {}", call.fd(0)),
        "connect" | "fsync" | "fdatasync" | "close" | "ioctl" | "flock" | "ftruncate" => {
            format!("{name} of {}", call.fd(0))
        }
        "fcntl" => call.fcntl(),
        "poll" => format!("poll of {}, {}", call.polled(), call.milliseconds(2)),
        "ppoll" => format!("poll of {}, {}", call.polled(), call.relative(2)),
        "select" => format!("select on {}, {}", call.selected(), call.timeval(4)),
        "pselect6" => format!("select on {}, {}", call.selected(), call.relative(4)),
        "epoll_wait" | "epoll_pwait" => {
            format!("epoll_wait on {}, {}", call.fd(0), call.milliseconds(3))
        }
        "epoll_pwait2" => format!("epoll_wait on {}, {}", call.fd(0), call.relative(3)),
        "nanosleep" => format!(
            "sleep of {}",
            call.seconds_at(0).unwrap_or("unknown length".into())
        ),
        "clock_nanosleep" => call.clock_nanosleep(),
        "futex" => call.futex(),
        "futex_wait" => format!("futex wait on {}, {}", Addr(args[0]), call.absolute(4)),
        "futex_waitv" => format!("futex wait on one of {}", args[1]),
        "wait4" => format!("wait for {}", child(args[0] as i32)),
        "waitid" => call.waitid(),
        "pause" | "rt_sigsuspend" => "wait for a signal".into(),
        "rt_sigtimedwait" => format!("wait for a signal, {}", call.relative(2)),
        "restart_syscall" => "continued sleep, poll or futex wait".into(),
        "openat" | "openat2" | "newfstatat" | "faccessat2" => format!("{name} of {}", call.path(1)),
        "open" | "stat" | "lstat" | "access" | "execve" => format!("{name} of {}", call.path(0)),
        _ => name.to_owned(),
    }
}

/// `recv` for `recvfrom` and so on: the preposition follows anyway.
fn verb(name: &str) -> &str {
    ["read", "recv", "write", "send"]
        .into_iter()
        .find(|verb| name.trim_start_matches('p').starts_with(verb))
        .unwrap_or(name)
}

/// Which child `wait4` waits for.
fn child(pid: i32) -> String {
    match pid {
        -1 => "any child".into(),
        0 => "any child of its process group".into(),
        ..0 => format!("any child of process group {}", i64::from(pid).abs()),
        _ => format!("child {pid}"),
    }
}

fn seconds(seconds: i64, nanoseconds: i64) -> String {
    let text = format!("{seconds}.{:03}", nanoseconds / 1_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

impl Call<'_> {
    fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or_default()
    }

    fn fd(&self, index: usize) -> String {
        let fd = self.arg(index) as i32;
        match (self.fd_name)(fd) {
            Some(name) => format!("fd {fd} ({name})"),
            None => format!("fd {fd}"),
        }
    }

    fn fds(&self, fds: &[i32]) -> String {
        let listed: Vec<String> = fds.iter().take(MOST_LISTED).map(i32::to_string).collect();
        match fds {
            [] => "no fds".into(),
            [fd] => match (self.fd_name)(*fd) {
                Some(name) => format!("fd {fd} ({name})"),
                None => format!("fd {fd}"),
            },
            _ if fds.len() > MOST_LISTED => format!("{} fds ({}, …)", fds.len(), listed.join(", ")),
            _ => format!("{} fds ({})", fds.len(), listed.join(", ")),
        }
    }

    /// The `struct pollfd` array of poll: int fd, short events, short revents.
    fn polled(&self) -> String {
        let count = self.arg(1).min(65_536) as usize;
        match self.memory.bytes(Addr(self.arg(0)), count * 8) {
            Ok(raw) => {
                let fds: Vec<i32> = (0..count)
                    .filter_map(|index| bytes::i32_at(&raw, index * 8))
                    .filter(|&fd| fd >= 0)
                    .collect();
                self.fds(&fds)
            }
            Err(_) => format!("{count} fds"),
        }
    }

    /// The three `fd_set`s of select.
    fn selected(&self) -> String {
        let count = self.arg(0).min(1024) as usize;
        let mut fds = Vec::new();
        for set in 1..=3 {
            let at = Addr(self.arg(set));
            let raw = match at.is_null() {
                true => continue,
                false => self.memory.bytes(at, count.div_ceil(64) * 8),
            };
            let Ok(raw) = raw else {
                return format!("fds below {count}");
            };
            let is_set = |fd: &usize| {
                raw.get(fd / 8)
                    .is_some_and(|byte| byte >> (fd % 8) & 1 == 1)
            };
            fds.extend((0..count).filter(is_set).map(|fd| fd as i32));
        }
        fds.sort_unstable();
        fds.dedup();
        self.fds(&fds)
    }

    fn fcntl(&self) -> String {
        // F_SETLKW and F_OFD_SETLKW wait for a lock on a part of the file.
        match self.arg(1) {
            7 | 38 => format!("file lock of {}", self.fd(0)),
            _ => format!("fcntl of {}", self.fd(0)),
        }
    }

    fn futex(&self) -> String {
        let at = Addr(self.arg(0));
        // FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME do not matter here.
        match self.arg(1) & 127 {
            0 => format!("futex wait on {at}, {}", self.relative(3)),
            9 => format!("futex wait on {at}, {}", self.absolute(3)),
            6 | 13 => format!(
                "futex lock (priority inheritance) of {at}, {}",
                self.absolute(3)
            ),
            11 => format!(
                "futex wait (priority inheritance) on {at}, {}",
                self.absolute(3)
            ),
            1 | 10 => format!("futex wake of {at}"),
            _ => format!("futex operation on {at}"),
        }
    }

    fn clock_nanosleep(&self) -> String {
        let time = self.seconds_at(2).unwrap_or("an unknown time".into());
        // TIMER_ABSTIME
        match self.arg(1) & 1 {
            1 => format!("sleep until {time} of {}", clock(self.arg(0) as i32)),
            _ => format!("sleep of {time}"),
        }
    }

    fn waitid(&self) -> String {
        let id = self.arg(1) as i32;
        // P_PID, P_PGID, P_PIDFD; else P_ALL.
        match self.arg(0) {
            1 => format!("wait for child {id}"),
            2 => format!("wait for any child of process group {id}"),
            3 => format!("wait for the child of {}", self.fd(1)),
            _ => "wait for any child".into(),
        }
    }

    fn milliseconds(&self, index: usize) -> String {
        match self.arg(index) as i32 {
            ..0 => "no timeout".into(),
            ms => {
                let ms = i64::from(ms);
                format!("timeout {}", seconds(ms / 1000, ms % 1000 * 1_000_000))
            }
        }
    }

    /// A `struct timespec` in seconds.
    fn seconds_at(&self, index: usize) -> Option<String> {
        let raw = self.memory.array::<16>(Addr(self.arg(index))).ok()?;
        let (s, ns) = (
            bytes::u64_at(&raw, 0)? as i64,
            bytes::u64_at(&raw, 8)? as i64,
        );
        let valid = s >= 0 && (0..1_000_000_000).contains(&ns);
        valid.then(|| seconds(s, ns))
    }

    fn relative(&self, index: usize) -> String {
        self.time("timeout", self.seconds_at(index), index)
    }

    fn absolute(&self, index: usize) -> String {
        self.time("until clock time", self.seconds_at(index), index)
    }

    /// A `struct timeval`.
    fn timeval(&self, index: usize) -> String {
        let raw = self.memory.array::<16>(Addr(self.arg(index))).ok();
        let time = raw.and_then(|raw| {
            let (s, us) = (
                bytes::u64_at(&raw, 0)? as i64,
                bytes::u64_at(&raw, 8)? as i64,
            );
            let valid = s >= 0 && (0..1_000_000).contains(&us);
            valid.then(|| seconds(s, us * 1000))
        });
        self.time("timeout", time, index)
    }

    fn time(&self, what: &str, time: Option<String>, index: usize) -> String {
        match time {
            _ if self.arg(index) == 0 => "no timeout".into(),
            Some(time) => format!("{what} {time}"),
            None => "unknown timeout".into(),
        }
    }

    fn path(&self, index: usize) -> String {
        match self.memory.cstr(Addr(self.arg(index)), MOST_PATH) {
            Ok(path) => format!("\"{}\"", String::from_utf8_lossy(&path)),
            Err(_) => "an unknown path".into(),
        }
    }
}

fn clock(id: i32) -> &'static str {
    match id {
        0 => "the wall clock",
        1 => "the monotonic clock",
        _ => "another clock",
    }
}
