//! What a system call waits for, in a few words.

use super::outside::Outside;
use super::syscall::name;
use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;

/// The longest path shown.
const MOST_PATH: usize = 256;

/// The arguments of one call, and what helps to read them.
pub(super) struct Call<'a> {
    args: &'a [u64; 6],
    pub(super) memory: &'a dyn Memory,
    pub(super) outside: &'a dyn Outside,
}

/// What call `number` with `args` does.
pub(super) fn summary(
    number: i64,
    args: &[u64; 6],
    memory: &dyn Memory,
    outside: &dyn Outside,
) -> String {
    let call = Call {
        args,
        memory,
        outside,
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
        "connect" => format!("connect of {}{}", call.fd(0), call.to(1, 2)),
        "flock" => call.flock(),
        "fcntl" => call.fcntl(),
        "close" | "ioctl" | "ftruncate" | "fallocate" | "lseek" => {
            format!("{name} of {}", call.fd(0))
        }
        "fsync" | "fdatasync" | "syncfs" | "sync_file_range" => format!("sync of {}", call.fd(0)),
        "sync" => "sync of all file systems".into(),
        "msync" => "sync of mapped memory".into(),
        "sendfile" => format!("send from {} to {}", call.fd(1), call.fd(0)),
        "splice" | "copy_file_range" => format!("send from {} to {}", call.fd(0), call.fd(2)),
        "tee" => format!("send from {} to {}", call.fd(0), call.fd(1)),
        "getrandom" => "read from the random number source".into(),
        "io_uring_enter" => call.io_uring(),
        "io_getevents" | "io_pgetevents" => "completion wait on an AIO context".into(),
        "poll" => format!("poll of {}, {}", call.polled(), call.milliseconds(2)),
        "ppoll" => format!("poll of {}, {}", call.polled(), call.relative(2)),
        "select" => format!("select on {}, {}", call.selected(), call.timeval(4)),
        "pselect6" => format!("select on {}, {}", call.selected(), call.relative(4)),
        "epoll_wait" | "epoll_pwait" => {
            format!("epoll_wait on {}, {}", call.epoll(), call.milliseconds(3))
        }
        "epoll_pwait2" => format!("epoll_wait on {}, {}", call.epoll(), call.relative(3)),
        "semop" => format!("semaphore wait on System V set {}", args[0] as i32),
        "semtimedop" => format!(
            "semaphore wait on System V set {}, {}",
            args[0] as i32,
            call.relative(3)
        ),
        "msgrcv" => format!("recv from System V message queue {}", args[0] as i32),
        "msgsnd" => format!("send to System V message queue {}", args[0] as i32),
        "mq_timedreceive" => format!(
            "recv from message queue {}, {}",
            call.fd(0),
            call.absolute(4)
        ),
        "mq_timedsend" => format!("send to message queue {}, {}", call.fd(0), call.absolute(4)),
        "vfork" => "wait for child of vfork, until it runs a program or ends".into(),
        "nanosleep" => format!(
            "sleep of {}",
            call.seconds_at(0).unwrap_or("unknown length".into())
        ),
        "clock_nanosleep" => call.clock_nanosleep(),
        "futex" => call.futex(),
        "futex_wait" => format!("futex wait on {}, {}", Addr(args[0]), call.absolute(4)),
        "futex_waitv" => format!("futex wait on one of {}", args[1]),
        "wait4" => format!("wait for {}", call.waited()),
        "waitid" => format!("wait for {}", call.waited_by_id()),
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

fn seconds(seconds: i64, nanoseconds: i64) -> String {
    let text = format!("{seconds}.{:03}", nanoseconds / 1_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

impl Call<'_> {
    pub(super) fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or_default()
    }

    fn flock(&self) -> String {
        // LOCK_SH, LOCK_EX, LOCK_UN.
        match self.arg(1) {
            wanted if wanted & 8 != 0 => format!("flock of {}", self.fd(0)),
            wanted if wanted & 2 != 0 => format!("file lock of {}, exclusive", self.fd(0)),
            _ => format!("file lock of {}, shared", self.fd(0)),
        }
    }

    fn io_uring(&self) -> String {
        const GETEVENTS: u64 = 1;
        match (self.arg(2), self.arg(3) & GETEVENTS) {
            (1.., 1) => format!("completion wait on {}", self.fd(0)),
            _ => format!("io_uring_enter of {}", self.fd(0)),
        }
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
