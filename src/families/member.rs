//! The processes of a family: those that run Python, and those between and below them that do not, of
//! which only the system calls of their threads are known.

use super::still::{self, Switches};
use crate::native::Process;
use crate::python::Python;
use crate::target::proc::{self, Task};
use crate::target::processes::{self, Entry};
use crate::target::{OpenError, Options, Origin, live};
use std::sync::Arc;

/// The most processes of one family.
const MOST_MEMBERS: usize = 4096;

/// The longest name of a process, in characters.
const LONGEST_NAME: u64 = 100;

/// A live process of a family.
#[derive(Clone)]
pub struct Member {
    /// Its id, as pydbg sees it.
    pub pid: i32,
    /// The process.
    pub process: Arc<Process>,
    /// CPython in it, where there is one.
    pub python: Option<Arc<Python>>,
    /// How often its threads had run before anything was read of it, if it was opened for this.
    pub(super) before: Option<Arc<Switches>>,
}

/// A process that has ended and is still to be waited for.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Ended {
    /// Its id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its name.
    pub name: String,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Member {
    /// A process that is open already; `None` when it is not a live one.
    pub fn of(process: Arc<Process>, python: Option<Arc<Python>>) -> Option<Member> {
        match process.target.origin {
            Origin::Live(pid) => Some(Member {
                pid,
                process,
                python,
                before: None,
            }),
            _ => None,
        }
    }

    /// Opens a process without stopping it: what its waiting threads do can be read all the same, and
    /// what was read is kept.
    pub fn open(pid: i32, options: &Options) -> Result<Member, OpenError> {
        let options = Options {
            exe: None,
            no_stop: true,
            ..options.clone()
        };
        let before = Some(Arc::new(still::switches_of(pid)));
        let target = live::rehearse(pid, &options)?;
        let process = Arc::new(Process::new(Arc::new(target)));
        let python = Python::find(Arc::clone(&process)).ok().map(Arc::new);
        Ok(Member {
            pid,
            process,
            python,
            before,
        })
    }

    /// The parent's id.
    pub fn parent(&self) -> Option<i32> {
        self.process.target.process.ppid
    }

    /// What the process is called: the name that multiprocessing gave it, else the kernel's.
    pub fn name(&self) -> String {
        let own = || {
            let python = self.python.as_ref()?;
            let objects = &python.objects;
            let module = python.module("multiprocessing.process")?;
            let current = objects.dict_get(module, "_current_process").ok()??;
            let name = objects.attribute(current, "_name").ok()??;
            let name = objects.text(name, LONGEST_NAME).ok()?.value.to_string();
            (name != "MainProcess").then_some(name)
        };
        let comm = || self.process.target.process.comm.clone();
        own().or_else(comm).unwrap_or_else(|| "?".to_owned())
    }

    /// The LWP ids of all its threads.
    pub(super) fn tids(&self) -> Vec<i32> {
        let threads = self.process.threads().iter();
        threads.map(|thread| thread.tid).collect()
    }

    /// The thread in whose folder of /proc its files are read.
    pub(super) fn task(&self) -> Task {
        Task::of(self.pid)
    }

    /// The name of one of its threads (gdb number).
    pub(super) fn thread_name(&self, thread: usize) -> Option<String> {
        let native = self.process.threads().get(thread.checked_sub(1)?)?;
        let state = self.python.as_ref()?.thread_of(native.tid);
        let own = state.and_then(|state| state.name.clone());
        own.or_else(|| native.os_name.clone())
    }

    /// Whether functions run on signals, of Python or of C: they may write into a pipe by which the
    /// process wakes itself. Those of an interpreter that nobody has set any are not meant.
    pub(super) fn has_handlers(&self) -> bool {
        const HARMLESS: [i32; 8] = [
            libc::SIGINT,
            // faulthandler's.
            libc::SIGSEGV,
            libc::SIGFPE,
            libc::SIGABRT,
            libc::SIGBUS,
            libc::SIGILL,
            // glibc's own.
            32,
            33,
        ];
        let caught = self.caught();
        caught.is_none_or(|caught| caught & !bits(&HARMLESS) != 0)
    }

    /// Whether functions run on signals that come by themselves, when a time is over or something
    /// else happens. `SIGCHLD` is one of them, but not for who waits for the end of a child anyway.
    pub(super) fn has_timed_handlers(&self, child: bool) -> bool {
        const TIMED: [i32; 4] = [libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF, libc::SIGIO];
        const REAL_TIME: u64 = u64::MAX << 33;
        let child = if child { bits(&[libc::SIGCHLD]) } else { 0 };
        let caught = self.caught();
        caught.is_none_or(|caught| caught & (bits(&TIMED) | REAL_TIME | child) != 0)
    }

    /// The signals on which functions run: bit 0 is signal 1.
    fn caught(&self) -> Option<u64> {
        u64::from_str_radix(self.task().status("SigCgt")?.first()?, 16).ok()
    }

    /// Whether it is one of the processes that multiprocessing starts to tidy up, which read from a
    /// pipe until everybody else has ended.
    pub(super) fn tidies_up(&self) -> bool {
        let args = self.process.target.process.args.iter();
        let mut args = args.filter(|arg| arg.contains("_tracker"));
        args.any(|arg| arg.contains("import main") || arg.contains("resource_tracker"))
    }
}

/// The processes below one, parents before their children, but not those that have ended.
pub fn descendants(pid: i32) -> Vec<i32> {
    let all = processes::all().unwrap_or_default();
    let below = processes::descendants(&all, pid).into_iter();
    let below = below.filter(|entry| entry.pid != pid && !entry.is_pydbg() && !has_ended(entry));
    below.take(MOST_MEMBERS).map(|entry| entry.pid).collect()
}

/// Whether no thread of a process is left.
fn has_ended(entry: &Entry) -> bool {
    entry.stat.ended() && proc::living(entry.pid).is_none()
}

/// The children of members that have ended and were not waited for.
pub(super) fn ended(members: &[Member]) -> Vec<Ended> {
    let is_member = |pid: i32| members.iter().any(|member| member.pid == pid);
    let all = processes::all().unwrap_or_default().into_iter();
    let ended = all.filter(|entry| is_member(entry.stat.ppid) && has_ended(entry));
    let told = ended.map(|entry| Ended {
        pid: entry.pid,
        parent: entry.stat.ppid,
        signal: signal(Task::leader(entry.pid)),
        name: entry.stat.name,
    });
    told.collect()
}

/// The signal that ended a process: the low bits of `exit_code`, the last field but none of
/// /proc/PID/stat.
fn signal(task: Task) -> Option<i32> {
    const SIGNAL: i32 = 0x7f;
    let text = task.read("stat").ok()?;
    let text = String::from_utf8_lossy(&text);
    let code: i32 = text.trim_end().rsplit(' ').next()?.parse().ok()?;
    Some(code & SIGNAL).filter(|signal| *signal != 0)
}

/// A set of signals.
fn bits(signals: &[i32]) -> u64 {
    let bits = signals.iter().map(|signal| 1_u64 << (signal - 1));
    bits.fold(0, |all, bit| all | bit)
}
