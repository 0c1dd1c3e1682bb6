//! What keeps a process, in a word or two: what hangs it, or what its main thread does, or the
//! thread that this one waits for.

use crate::native::doing::{self, Doing};
use crate::python::Python;
use crate::sync::{Lock, Locks, Owner};
use serde::Serialize;

/// The longest chain of threads that wait for the next one that is followed.
const LONGEST_CHAIN: usize = 16;

/// How what a thread waits for tells a socket that takes connections ([`crate::target::sockets`]).
const LISTENING: &str = ", listening)";

/// What keeps a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verdict {
    /// What kind of thing that is.
    pub kind: Kind,
    /// In a word or two.
    pub text: String,
    /// What the thread that matters is doing, at more length.
    pub doing: Option<String>,
    /// That thread (gdb number); the main thread is 1.
    pub thread: Option<usize>,
}

/// The kinds of verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Threads wait for each other.
    Deadlock,
    /// Threads wait for a lock that nobody can release.
    OrphanedLock,
    /// Threads wait for what nobody is left to do.
    LostWakeup,
    /// It waits for a child process.
    WaitsForChild,
    /// It waits for something that another process holds.
    WaitsForProcess,
    /// It waits for a lock, a queue, a thread, a signal.
    Waits,
    /// It is in a system call that reads, writes or does something else.
    InCall,
    /// It waits for events or connections.
    Idle,
    /// It sleeps.
    Sleeping,
    /// A thread of it runs, or would if it had a processor.
    Running,
    /// It is stopped, or traced by another program.
    Stopped,
    /// It has ended, and its parent has not taken note of that.
    Zombie,
    /// Not known, and why.
    Unknown,
}

impl Verdict {
    /// One of which nothing more is to be said.
    pub fn plain(kind: Kind, text: impl Into<String>) -> Verdict {
        Verdict {
            kind,
            text: text.into(),
            doing: None,
            thread: None,
        }
    }

    /// Nothing is known, because `why`.
    pub fn unknown(why: impl Into<String>) -> Verdict {
        Verdict {
            doing: Some(why.into()),
            ..Verdict::plain(Kind::Unknown, "unknown")
        }
    }

    /// Whether it is that something hangs.
    pub fn is_bad(&self) -> bool {
        let bad = [Kind::Deadlock, Kind::OrphanedLock, Kind::LostWakeup];
        bad.contains(&self.kind)
    }

    /// The verdict on a process that stands still, as in a core.
    pub fn at_rest(python: &Python) -> Verdict {
        let locks = Locks::at_once(python);
        let anybody = |_: i32| true;
        Verdict::accused(python, &locks, anybody).unwrap_or_else(|| Verdict::of(python, &locks))
    }

    /// Whether something hangs, as far as these locks tell.
    pub(super) fn accuses(locks: &Locks) -> bool {
        !(locks.deadlocks.is_empty() && locks.orphaned.is_empty() && locks.lost.is_empty())
    }

    /// What hangs, if all threads that it is about have stood `still`.
    pub(super) fn accused(
        python: &Python,
        locks: &Locks,
        still: impl Fn(i32) -> bool,
    ) -> Option<Verdict> {
        let stood = |threads: &[usize]| {
            let all = python.process.threads();
            let tid = |id: &usize| Some(all.get(id.checked_sub(1)?)?.tid);
            !threads.is_empty() && (threads.iter()).all(|id| tid(id).is_some_and(&still))
        };
        let waiters = |at: &usize| locks.all.get(*at).map_or(&[][..], |lock| &lock.waiters);
        let found = |kind, text: &str, threads: &[usize]| {
            stood(threads).then(|| Verdict {
                thread: threads.first().copied(),
                ..Verdict::plain(kind, text)
            })
        };
        let deadlock = locks.deadlocks.iter().find_map(|deadlock| {
            let waits = deadlock.waits.iter().filter_map(|at| locks.waits.get(*at));
            let threads: Vec<usize> = waits.map(|wait| wait.thread).collect();
            found(Kind::Deadlock, "deadlock", &threads)
        });
        let orphaned = || {
            let mut all = locks.orphaned.iter();
            all.find_map(|at| found(Kind::OrphanedLock, "orphaned lock", waiters(at)))
        };
        let lost = || {
            let mut all = locks.lost.iter();
            all.find_map(|lost| found(Kind::LostWakeup, "lost wakeup", waiters(&lost.lock)))
        };
        deadlock.or_else(orphaned).or_else(lost)
    }

    /// What a process does in which nothing hangs.
    pub(super) fn of(python: &Python, locks: &Locks) -> Verdict {
        let threads = &python.process.target.threads;
        if threads.iter().any(|thread| thread.state == Some('R')) {
            return Verdict::plain(Kind::Running, "running");
        }
        let (thread, lock) = Verdict::end_of_chain(locks);
        let state = threads.get(thread.wrapping_sub(1));
        let state = state.and_then(|native| python.thread_of(native.tid));
        let doing = python.doing(Some(thread), state.map(|state| &**state));
        let call = python.process.threads().get(thread.wrapping_sub(1));
        let call = call.and_then(|thread| Some(thread.syscall.as_ref()?.name.clone()));
        let (kind, text) = match lock.map(|lock| &lock.owner) {
            Some(Owner::Process { pid, .. }) => {
                (Kind::WaitsForProcess, format!("waits for process {pid}"))
            }
            _ => in_words(&doing, call.as_deref()),
        };
        Verdict {
            kind,
            text,
            doing: Some(doing.text),
            thread: Some(thread),
        }
    }

    /// The thread that the main thread waits for, through any number of others, and the lock that
    /// it waits for in turn.
    fn end_of_chain(locks: &Locks) -> (usize, Option<&Lock>) {
        let mut thread = 1;
        let mut lock = None;
        for _ in 0..LONGEST_CHAIN {
            let wait = locks.waits.iter().find(|wait| wait.thread == thread);
            lock = wait.and_then(|wait| locks.all.get(wait.lock));
            match lock.and_then(|lock| lock.owner.thread()) {
                Some(owner) => thread = owner,
                None => break,
            }
        }
        (thread, lock)
    }
}

/// What a thread does, in a word or two; `call` is the system call it is in.
fn in_words(doing: &Doing, call: Option<&str>) -> (Kind, String) {
    use doing::Kind as Does;
    let idle = || (Kind::Idle, "idle".to_owned());
    let in_call = || match call {
        // The functions of the C library that people know these by.
        Some("pselect6") => (Kind::InCall, "in select()".to_owned()),
        Some("ppoll") => (Kind::InCall, "in poll()".to_owned()),
        Some(call) => (Kind::InCall, format!("in {call}()")),
        None => (Kind::Unknown, "unknown".to_owned()),
    };
    match doing.kind {
        Does::RunningPython | Does::RunningC | Does::WaitingForGil => {
            (Kind::Running, "running".to_owned())
        }
        Does::WaitingForChild => (Kind::WaitsForChild, waits(&doing.text)),
        Does::WaitingForLock | Does::WaitingForThread | Does::WaitingForSignal => {
            (Kind::Waits, waits(&doing.text))
        }
        Does::Sleeping => (Kind::Sleeping, "sleeping".to_owned()),
        Does::Polling | Does::Connecting => match call {
            Some("epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "accept" | "accept4") => idle(),
            // A server that waits for connections so, as gunicorn's workers do.
            _ if doing.text.contains(LISTENING) => idle(),
            _ => in_call(),
        },
        Does::Reading | Does::Writing | Does::SystemCall => in_call(),
        Does::Stopped => (Kind::Waits, "stopped by a thread".to_owned()),
        Does::Hanging => (Kind::Waits, "shutting down".to_owned()),
        Does::SwitchedAway | Does::Ended | Does::Unknown => (Kind::Unknown, "unknown".to_owned()),
    }
}

/// `waits for child 12` of `waiting for child 12 (make, running)`.
fn waits(doing: &str) -> String {
    const WAITING: &str = "waiting for ";
    let start = doing.find(WAITING).map_or(0, |at| at + WAITING.len());
    let what = doing.get(start..).unwrap_or(doing);
    let end = what.find([':', ',', '(']).unwrap_or(what.len());
    let what = what.get(..end).unwrap_or(what).trim_end();
    format!("waits for {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use doing::Kind as Does;

    #[test]
    fn a_word_or_two() {
        let said = |kind, text: &str, call: &str| in_words(&Doing::plain(kind, text), Some(call));
        let cases = [
            (
                Does::WaitingForChild,
                "waiting for child 77 (make, running)",
                "wait4",
                "waits for child 77",
            ),
            (
                Does::WaitingForLock,
                "waiting for a lock, at most 3 s more: with a:",
                "futex",
                "waits for a lock",
            ),
            (
                Does::Reading,
                "reading fd 3 (pipe:[1])",
                "read",
                "in read()",
            ),
            (Does::Polling, "waiting for fd 3", "poll", "in poll()"),
            (Does::Polling, "waiting for fd 3", "pselect6", "in select()"),
            (
                Does::Polling,
                "waiting for 2 fds: 3 (TCP 127.0.0.1:80, listening), 4 (pipe:[2]), timeout 1 s",
                "pselect6",
                "idle",
            ),
            (Does::Polling, "waiting for events", "epoll_wait", "idle"),
            (
                Does::Sleeping,
                "sleeping 3 s more",
                "clock_nanosleep",
                "sleeping",
            ),
            (Does::RunningC, "in sort()", "", "running"),
        ];
        for (kind, text, call, expected) in cases {
            assert_eq!(said(kind, text, call).1, expected, "{text}");
        }
        let nested = "shutting Python down, waiting for a thread to end";
        assert_eq!(waits(nested), "waits for a thread to end");
    }
}
