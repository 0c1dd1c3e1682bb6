//! What a thread is doing, in a few words, as far as the kernel's side of it tells: the system
//! call it sits in, and how long that still takes where the target's clock is known.

use super::syscall::SyscallState;
use crate::addr::Addr;
use crate::bytes;
use crate::target::proc_files::ProcFiles;
use crate::target::{Memory, clocks};
use serde::Serialize;
use std::time::Duration;

/// What a thread is doing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Doing {
    /// What kind of thing that is.
    pub kind: Kind,
    /// In a few words: `sleeping 3.2 s more`.
    pub text: String,
    /// What it is in the middle of, outermost first: a signal handler that a collection of
    /// garbage was interrupted by, and so on.
    pub within: Vec<Context>,
}

/// The kinds of things that threads do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Python's bytecode.
    RunningPython,
    /// A function of CPython, an extension or another library.
    RunningC,
    /// Waits for the GIL.
    WaitingForGil,
    /// Waits for a lock or for something made of locks, such as a queue.
    WaitingForLock,
    /// Waits for another thread to end.
    WaitingForThread,
    /// Waits for a child process.
    WaitingForChild,
    /// Waits for a signal.
    WaitingForSignal,
    /// Reads or receives.
    Reading,
    /// Writes or sends.
    Writing,
    /// Waits until one of some file descriptors is ready.
    Polling,
    /// Accepts or makes a connection.
    Connecting,
    /// Sleeps.
    Sleeping,
    /// Any other system call.
    SystemCall,
    /// Stopped by a thread that stops the world (free-threaded builds).
    Stopped,
    /// A daemon thread that hangs for good because Python is shutting down.
    Hanging,
    /// Another interpreter runs in the same thread.
    SwitchedAway,
    /// The thread has ended, its Python thread state is still there.
    Ended,
    /// There is nothing that tells.
    Unknown,
}

/// What a thread can be in the middle of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// The thread is being born and runs no Python yet.
    Starting,
    /// The thread has run its Python and is about to end.
    Ending,
    /// It collects garbage.
    CollectingGarbage,
    /// It waits until all other threads have stopped.
    StoppingTheWorld,
    /// It runs a handler that `signal.signal` has set.
    PythonSignalHandler,
    /// It runs a handler of the kernel's kind.
    SignalHandler,
    /// It shuts Python down.
    Exiting,
    /// It ends an interpreter.
    EndingInterpreter,
}

impl Context {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Context::Starting => "starting",
            Context::Ending => "ending",
            Context::CollectingGarbage => "collecting garbage",
            Context::StoppingTheWorld => "stopping the world",
            Context::PythonSignalHandler => "in a Python signal handler",
            Context::SignalHandler => "in a signal handler",
            Context::Exiting => "shutting Python down",
            Context::EndingInterpreter => "ending an interpreter",
        }
    }
}

impl Doing {
    /// A thing done in the middle of nothing else.
    pub fn plain(kind: Kind, text: impl Into<String>) -> Doing {
        Doing {
            kind,
            text: text.into(),
            within: Vec::new(),
        }
    }

    /// The same thing in the middle of others.
    pub fn within(mut self, contexts: Vec<Context>) -> Doing {
        let words = contexts.iter().map(|context| context.words());
        let all: Vec<&str> = words.chain([self.text.as_str()]).collect();
        self.text = all.join(", ");
        self.within = contexts;
        self
    }
}

/// How a summary of a system call begins, what kind of thing that is, and how it is said of a
/// thread.
#[rustfmt::skip]
const PHRASES: &[(&str, Kind, &str)] = &[
    ("read from ", Kind::Reading, "reading "),
    ("recv from ", Kind::Reading, "receiving from "),
    ("getdents64 from ", Kind::Reading, "listing "),
    ("write to ", Kind::Writing, "writing "),
    ("send to ", Kind::Writing, "sending to "),
    ("send from ", Kind::Writing, "copying from "),
    ("sync of ", Kind::Writing, "writing to disk "),
    ("accept on ", Kind::Connecting, "accepting on "),
    ("connect of ", Kind::Connecting, "connecting "),
    ("poll of ", Kind::Polling, "waiting for "),
    ("select on ", Kind::Polling, "waiting for "),
    ("epoll_wait on ", Kind::Polling, "waiting for events of "),
    ("completion wait on ", Kind::Polling, "waiting for completions of "),
    ("semaphore wait on ", Kind::WaitingForLock, "waiting for a semaphore of "),
    ("wait for a signal", Kind::WaitingForSignal, "waiting for a signal"),
    ("wait for ", Kind::WaitingForChild, "waiting for "),
    ("futex lock ", Kind::WaitingForLock, "waiting for a lock "),
    ("futex wait ", Kind::WaitingForLock, "waiting for a lock (futex) "),
    ("sleep ", Kind::Sleeping, "sleeping "),
    ("openat of ", Kind::SystemCall, "opening "),
    ("open of ", Kind::SystemCall, "opening "),
    ("file lock of ", Kind::WaitingForLock, "waiting for a lock on "),
];

/// What a thread does in a system call.
pub fn in_call(call: &SyscallState, memory: &dyn Memory, files: Option<&ProcFiles>) -> Doing {
    if let Some(sleep) = sleep(call, memory, files) {
        return Doing::plain(Kind::Sleeping, sleep);
    }
    let phrase = PHRASES.iter().find_map(|(start, kind, words)| {
        let rest = call.summary.strip_prefix(start)?;
        Some((*kind, *words, rest))
    });
    match phrase {
        Some((Kind::WaitingForLock, _, _)) if call.number == libc::SYS_futex => {
            let time = time_left(call, 3, memory, files)
                .map_or(String::new(), |time| format!(", at most {time}"));
            Doing::plain(Kind::WaitingForLock, format!("waiting for a lock{time}"))
        }
        Some((kind, words, rest)) => {
            let rest = rest.strip_suffix(", no timeout").unwrap_or(rest);
            Doing::plain(kind, format!("{words}{rest}"))
        }
        None => Doing::plain(Kind::SystemCall, format!("in system call {}", call.summary)),
    }
}

/// A sleep: how much of it is left.
fn sleep(call: &SyscallState, memory: &dyn Memory, files: Option<&ProcFiles>) -> Option<String> {
    let [first, second, ..] = call.args;
    let at = match call.number {
        libc::SYS_clock_nanosleep => 2,
        libc::SYS_nanosleep => 0,
        // A wait for no file descriptors at all, as time.sleep() does up to 3.10.
        libc::SYS_select | libc::SYS_pselect6 if first == 0 => 4,
        libc::SYS_poll if second == 0 => {
            let milliseconds = *call.args.get(2)? as i32;
            let length = Duration::from_millis(u64::try_from(milliseconds).ok()?);
            return Some(format!("sleeping, {} in all", seconds(length)));
        }
        _ => return None,
    };
    if let Some(left) = time_left(call, at, memory, files) {
        return Some(format!("sleeping {left}"));
    }
    let unit = match call.number {
        libc::SYS_select => 1000,
        _ => 1,
    };
    let length = time_at(Addr(*call.args.get(at)?), memory, unit)?;
    // A relative sleep tells what is left where its caller wants to know that.
    let rest_at = match (call.number, second & 1) {
        (libc::SYS_clock_nanosleep, 0) => call.args.get(3).copied(),
        (libc::SYS_nanosleep, _) => Some(second),
        _ => None,
    };
    if let Some(rest) = rest_at.filter(|at| *at != 0)
        && let Some(left) = time_at(Addr(rest), memory, 1)
        && left <= length
    {
        return Some(format!("sleeping {} more", seconds(left)));
    }
    match (call.number, second & 1) {
        // The kernel writes the rest back when a stop or a signal interrupts the call
        // (fs/select.c, poll_select_finish), and without either there are no registers.
        (libc::SYS_select | libc::SYS_pselect6, _) => {
            Some(format!("sleeping {} more", seconds(length)))
        }
        (libc::SYS_clock_nanosleep, 1) => {
            let clock = match first {
                0 => "wall",
                1 => "monotonic",
                _ => "thread's",
            };
            let time = seconds(length);
            Some(format!("sleeping until {time} of the {clock} clock"))
        }
        _ => Some(format!("sleeping, {} in all", seconds(length))),
    }
}

/// `3.2 s more` of a wait that ends at an absolute time, where the clock is known; argument `at`
/// points to that time. A relative wait does not tell when it began.
fn time_left(
    call: &SyscallState,
    at: usize,
    memory: &dyn Memory,
    files: Option<&ProcFiles>,
) -> Option<String> {
    let [first, second, ..] = call.args;
    // TIMER_ABSTIME; FUTEX_WAIT_BITSET, which alone takes an absolute time.
    let clock = match call.number {
        libc::SYS_clock_nanosleep if second & 1 == 1 => first as i32,
        libc::SYS_futex if second & 127 == 9 => match second & 256 {
            0 => libc::CLOCK_MONOTONIC,
            _ => libc::CLOCK_REALTIME,
        },
        _ => return None,
    };
    let end = time_at(Addr(*call.args.get(at)?), memory, 1)?;
    let left = end.saturating_sub(clocks::now(files?, clock)?);
    Some(format!("{} more", seconds(left)))
}

/// A `struct timespec`, or with a `unit` of 1000 nanoseconds a `struct timeval`.
fn time_at(at: Addr, memory: &dyn Memory, unit: u64) -> Option<Duration> {
    let raw = memory.array::<16>(at).ok()?;
    let (whole, part) = (bytes::u64_at(&raw, 0)?, bytes::u64_at(&raw, 8)?);
    let nanoseconds = part
        .checked_mul(unit)
        .filter(|part| *part < 1_000_000_000)?;
    i64::try_from(whole).ok()?;
    Some(Duration::new(whole, nanoseconds as u32))
}

/// `3.2 s`, with one digit that matters.
fn seconds(time: Duration) -> String {
    let text = format!("{:.1}", time.as_secs_f64());
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::proc::Task;
    use crate::target::synth::Synth;
    use nix::time::{ClockId, clock_gettime};

    fn call(number: libc::c_long, args: [u64; 6], summary: &str) -> SyscallState {
        SyscallState {
            number,
            name: String::new(),
            args,
            summary: summary.to_owned(),
        }
    }

    fn said(call: &SyscallState, files: Option<&ProcFiles>) -> (Kind, String) {
        let mut memory = Synth::default();
        let mut words = 5_u64.to_le_bytes().to_vec();
        words.extend(250_000_u64.to_le_bytes());
        memory.add(0x1000, words);
        let far = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_secs() + 100;
        let mut words = far.to_le_bytes().to_vec();
        words.extend(0_u64.to_le_bytes());
        memory.add(0x2000, words);
        let doing = in_call(call, &memory, files);
        (doing.kind, doing.text)
    }

    #[test]
    fn sleeps_say_how_long_they_still_take() {
        let live = Some(&ProcFiles::Live(Task::leader(std::process::id() as i32)));
        let until = call(libc::SYS_clock_nanosleep, [1, 1, 0x2000, 0, 0, 0], "sleep");
        let (kind, text) = said(&until, live);
        assert_eq!(kind, Kind::Sleeping);
        // The time was rounded down to a second, and the machine may be slow.
        let left = text.strip_prefix("sleeping ").unwrap();
        let left: f64 = left.strip_suffix(" s more").unwrap().parse().unwrap();
        assert!((80.0..=100.0).contains(&left), "{text}");
        let until = call(libc::SYS_clock_nanosleep, [1, 1, 0x1000, 0, 0, 0], "sleep");
        assert_eq!(said(&until, live).1, "sleeping 0 s more");
        assert_eq!(
            said(&until, None).1,
            "sleeping until 5 s of the monotonic clock"
        );
        let old = call(
            libc::SYS_select,
            [0, 0, 0, 0, 0x1000, 0],
            "select on no fds",
        );
        assert_eq!(said(&old, live).1, "sleeping 5.2 s more");
    }

    #[test]
    fn other_waits_are_said_of_a_thread() {
        let read = call(
            libc::SYS_read,
            [9, 0, 0, 0, 0, 0],
            "read from fd 9 (pipe:[1])",
        );
        assert_eq!(
            said(&read, None),
            (Kind::Reading, "reading fd 9 (pipe:[1])".to_owned())
        );
        let poll = call(
            libc::SYS_poll,
            [1, 2, 0, 0, 0, 0],
            "poll of 2 fds: 5, 9, no timeout",
        );
        assert_eq!(said(&poll, None).1, "waiting for 2 fds: 5, 9");
        let other = call(libc::SYS_madvise, [0; 6], "madvise");
        assert_eq!(
            said(&other, None),
            (Kind::SystemCall, "in system call madvise".to_owned())
        );
    }
}
