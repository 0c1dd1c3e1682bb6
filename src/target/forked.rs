//! A copy of a live process that it was made to fork, so that it stands still no longer than that
//! takes. The copy shares the table of open files and the working directory with the process
//! (CLONE_FILES, CLONE_FS), so that nothing of these is held open for it; no signal tells of its
//! end (exit signal 0), and what waits for any child does not see it. It never runs: it is born
//! stopped, and killed when it is no longer needed or when pydbg ends (PTRACE_O_EXITKILL). Then the
//! process is made to wait for it, or a zombie would stay.

use super::crew::{Crew, Hold};
use super::inject;
use super::proc::{self, Task};
use super::ptrace;
use super::reader::Reader;
use super::remote::Remote;
use super::tracer::Tracer;
use nix::errno::Errno;
use nix::sys::ptrace::Options;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the copy would find its stack if it ever ran: nowhere, so that it could only end.
const NO_STACK: u64 = 0x10;
/// `syscall`.
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
/// The most bytes of code in which it is looked for.
const MOST_CODE: u64 = 4 << 20;
/// How often the process is made to ask for the copy's end.
const TRIES: usize = 20;
/// How long a thread is waited for that is to take note of the copy's end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a process cannot be made to fork.
#[derive(Debug, thiserror::Error)]
pub enum ForkProblem {
    /// A filter of its system calls might kill it.
    #[error(
        "a seccomp filter watches its system calls, and might kill it for one it does not expect"
    )]
    Filtered,
    /// It is stopped (SIGSTOP).
    #[error("it is stopped (state T), so that nothing is gained")]
    Stopped,
    /// Some thread is not held.
    #[error("some of its threads did not stop (asleep in the kernel, such as in vfork)")]
    Running,
    /// There is no instruction to do it by.
    #[error("its code has no instruction `syscall` in reach")]
    NoInstruction,
    /// The kernel refuses.
    #[error("the kernel refuses: {}", .0.desc())]
    Refused(Errno),
}

/// What the process made.
#[derive(Clone, Copy, Debug)]
struct Copy {
    /// In pydbg's PID namespace.
    pid: i32,
    /// In that of the process.
    own_id: i32,
    /// The `syscall` by which it was made.
    instruction: u64,
    /// The thread that made it.
    parent: i32,
}

/// A copy before it is kept.
pub(super) struct Fresh {
    copy: Copy,
    remote: Remote,
}

/// A copy that stands still; dropping it ends it.
pub struct Forked {
    copy: Copy,
    remote: Remote,
    tracer: Tracer,
}

impl Forked {
    /// Has a stopped process fork, and lets it go.
    pub(super) fn make(tracer: &mut Tracer, pid: i32) -> Result<Fresh, ForkProblem> {
        let made = tracer.ask(move |crew| {
            let made = fork(crew, pid);
            crew.let_go();
            made
        });
        let copy = made.unwrap_or(Err(ForkProblem::Refused(Errno::ESRCH)))?;
        // Nobody else ends the copy.
        let (remote, _) = Remote::open(Task::leader(copy.pid), Arc::default());
        Ok(Fresh { copy, remote })
    }

    /// The copy's id, in pydbg's own PID namespace.
    pub fn pid(&self) -> i32 {
        self.copy.pid
    }

    /// The way into its memory.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.copy.pid, &self.remote)
    }
}

impl Fresh {
    /// With the tracer that has made it, which alone may end it.
    pub(super) fn kept_by(self, tracer: Tracer) -> Forked {
        Forked {
            copy: self.copy,
            remote: self.remote,
            tracer,
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        let copy = self.copy;
        self.tracer.ask(move |crew| end(crew, copy));
    }
}

/// Has one thread of a stopped process fork.
fn fork(crew: &mut Crew, pid: i32) -> Result<Copy, ForkProblem> {
    let task = Task::of(pid);
    if task
        .status_number("Seccomp", 0)
        .is_some_and(|mode| mode != 0)
    {
        return Err(ForkProblem::Filtered);
    }
    let runs = |hold| matches!(hold, Hold::Running | Hold::Spared);
    if crew.tracees.iter().any(|tracee| runs(tracee.hold)) {
        return Err(ForkProblem::Running);
    }
    let instruction = instruction(task).ok_or(ForkProblem::NoInstruction)?;
    // One that sleeps in a system call is in no piece of code that must not be interrupted (rseq).
    let fit = |index: &usize| {
        let tracee = crew.tracees.get(*index);
        tracee.is_some_and(|tracee| tracee.hold == Hold::Stopped { signal: 0 })
    };
    let sleeps = |index: &usize| {
        let registers = crew.tracees.get(*index).and_then(|tracee| tracee.registers);
        registers
            .and_then(|it| it.syscall)
            .is_some_and(|number| number >= 0)
    };
    let all = || (0..crew.tracees.len()).filter(fit);
    let index = all().find(sleeps).or_else(|| all().next());
    let index = index.ok_or(ForkProblem::Stopped)?;
    let parent = crew.tracees.get(index).map_or(0, |tracee| tracee.tid);
    let flags = (libc::CLONE_FILES | libc::CLONE_FS) as u64;
    let arguments = [flags, NO_STACK, 0, 0, 0, 0];
    let made = inject::call(parent, instruction, libc::SYS_clone, arguments);
    crew.look(index);
    let made = made.map_err(ForkProblem::Refused)?;
    let Some(pid) = made.child else {
        return Err(ForkProblem::Refused(Errno::from_raw(-made.value as i32)));
    };
    let copy = Copy {
        pid,
        own_id: made.value as i32,
        instruction,
        parent,
    };
    let kept = ptrace::next_stop(pid).ok_or(Errno::ESRCH);
    match kept.and_then(|_| ptrace::set_options(pid, Options::PTRACE_O_EXITKILL)) {
        Ok(()) => Ok(copy),
        Err(errno) => {
            end(crew, copy);
            Err(ForkProblem::Refused(errno))
        }
    }
}

/// Ends the copy, and has the process take note of that.
fn end(crew: &mut Crew, copy: Copy) {
    // It cannot be gone before it is buried.
    let _ = kill(Pid::from_raw(copy.pid), Signal::SIGKILL);
    ptrace::await_end(copy.pid);
    let first = std::iter::once(copy.parent);
    let others = proc::thread_ids(crew.pid).unwrap_or_default();
    let note = |tid: i32| {
        let seized = ptrace::seize(tid).is_ok();
        seized && note_end(tid, crew.pid, copy)
    };
    // Where no thread can be had, a zombie stays until the process ends.
    let _ = first.chain(others).take(8).find(|tid| note(*tid));
}

/// Has a thread wait for the copy, and lets it go.
fn note_end(tid: i32, pid: i32, copy: Copy) -> bool {
    let _ = ptrace::interrupt(tid);
    let since = Instant::now();
    loop {
        match ptrace::progress(tid, tid == pid) {
            ptrace::Progress::Stopped { .. } => break,
            ptrace::Progress::Gone => return false,
            ptrace::Progress::Running if since.elapsed() > PATIENCE => return false,
            ptrace::Progress::Running => std::thread::sleep(Duration::from_micros(50)),
        }
    }
    // It must not wait in the kernel, whatever happens.
    let options = (libc::__WALL | libc::WNOHANG) as u32 as u64;
    let arguments = [copy.own_id as u64, 0, options, 0, 0, 0];
    let mut done = false;
    for _ in 0..TRIES {
        if done || ptrace::progress(tid, tid == pid) != (ptrace::Progress::Stopped { signal: 0 }) {
            break;
        }
        let made = inject::call(tid, copy.instruction, libc::SYS_wait4, arguments);
        done = made.is_ok_and(|made| made.value == i64::from(copy.own_id));
    }
    let signal = match ptrace::progress(tid, tid == pid) {
        ptrace::Progress::Stopped { signal } => signal,
        ptrace::Progress::Running | ptrace::Progress::Gone => 0,
    };
    let _ = ptrace::detach(tid, signal);
    done
}

/// Where the process has an instruction `syscall`: in the kernel's own code, or in the C library's.
fn instruction(task: Task) -> Option<u64> {
    let maps = task.maps().ok()?;
    let memory = File::open(task.path("mem")).ok()?;
    let named = |name: &'static str| {
        let mappings = maps.iter().filter(|mapping| mapping.execute);
        mappings.filter(move |mapping| {
            let path = mapping.path.as_deref().unwrap_or_default();
            path.rsplit('/')
                .next()
                .is_some_and(|last| last.starts_with(name))
        })
    };
    named("[vdso]").chain(named("libc")).find_map(|mapping| {
        let mut code = vec![0; mapping.len().min(MOST_CODE) as usize];
        let read = memory.read_at(&mut code, mapping.start.0).ok()?;
        let code = code.get(..read)?;
        let at = code.windows(2).position(|bytes| bytes == INSTRUCTION)?;
        mapping.start.0.checked_add(at as u64)
    })
}
