//! The threads of one process while they are seized: finding them all, stopping them, waiting for those
//! that are late, letting them go. It is used by the one thread that traces them (`tracer.rs`).

use super::minding::minds_a_stop;
use super::proc::{self, Task};
use super::ptrace::{self, Progress};
use super::registers::Registers;
use nix::errno::Errno;
use rustc_hash::FxHashSet;
use std::thread;
use std::time::{Duration, Instant};

/// How long threads are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long threads in uninterruptible sleep are waited for when all others have stopped: a page
/// from a disk comes within this time, while a parent in vfork() waits for its child's exec.
const PATIENCE_WITH_SLEEPERS: Duration = Duration::from_millis(100);

/// How often the list of threads is read again before the first is stopped. In a process that
/// starts threads all the time it never becomes complete while they run.
const ROUNDS_BEFORE_THE_STOP: usize = 3;

/// How long a thread is looked for with no more than a yield in between: most stop at once.
const EAGER: Duration = Duration::from_micros(100);

/// How often a process that is held, or that takes long to be stopped, is looked after: whether
/// it was killed, or has ended threads that somebody must take note of.
pub(super) const ROUND: Duration = Duration::from_millis(100);
/// One thread of the target, as the tracer found it.
#[derive(Clone, Debug)]
pub(super) struct Tracee {
    /// The thread.
    pub(super) tid: i32,
    /// What the tracer has of it.
    pub(super) hold: Hold,
    /// Its registers, when it is stopped and they make sense on x86-64.
    pub(super) registers: Option<Registers>,
}

/// What the tracer has of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// It is stopped.
    Stopped {
        /// The signal it was about to receive, to be handed on at the release, or 0.
        signal: i32,
    },
    /// It runs: it did not stop, or was not asked to.
    Running,
    /// It was left alone, because it does not matter and minds a stop.
    Spared,
    /// The kernel refused to let it be seized.
    Refused(Errno),
    /// It ended meanwhile.
    Gone,
}

impl Tracee {
    /// A thread whose registers are not known.
    pub(super) fn new(tid: i32, hold: Hold) -> Tracee {
        Tracee {
            tid,
            hold,
            registers: None,
        }
    }

    /// Whether it is stopped.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Stopped { .. })
    }
}

/// The threads of one process while they are seized. Dropping it lets them go.
pub(super) struct Crew {
    pub(super) pid: i32,
    /// The threads that were seen running.
    busy: FxHashSet<i32>,
    /// The threads that need not be stopped.
    strangers: FxHashSet<i32>,
    pub(super) tracees: Vec<Tracee>,
    known: FxHashSet<i32>,
}

impl Crew {
    pub(super) fn new(pid: i32, busy: FxHashSet<i32>, strangers: &FxHashSet<i32>) -> Crew {
        Crew {
            pid,
            busy,
            strangers: strangers.clone(),
            tracees: Vec::new(),
            known: FxHashSet::default(),
        }
    }

    /// Seizes all threads, then stops them; returns when the first was asked to stop. Threads
    /// that are born meanwhile are found by listing again until none is new, which comes to an
    /// end because those that could start more are stopped by then.
    pub(super) fn stop_all(&mut self) -> Result<Instant, Errno> {
        for _ in 0..ROUNDS_BEFORE_THE_STOP {
            let before = self.tracees.len();
            self.seize_new()?;
            if self.tracees.len() == before {
                break;
            }
        }
        let since = Instant::now();
        let (busy, idle): (Vec<_>, Vec<_>) =
            (0..self.tracees.len()).partition(|&index| self.is_busy(index));
        self.stop(idle, since);
        // The busy ones have their own second: they stop at once.
        self.stop(busy, Instant::now());
        let mut fresh = self.tracees.len();
        while since.elapsed() < PATIENCE {
            self.seize_new()?;
            if fresh == self.tracees.len() {
                break;
            }
            self.stop((fresh..self.tracees.len()).collect(), since);
            fresh = self.tracees.len();
        }
        self.refusal().map_or(Ok(since), Err)
    }

    /// Whether the process is being killed, or replaced by execve(): that takes all its threads,
    /// those that are held, too.
    pub(super) fn is_dying(&self) -> bool {
        let pid = self.pid;
        let held = self.tracees.iter().find(|tracee| tracee.is_held());
        let stat = held.map(|&Tracee { tid, .. }| Task { pid, tid }.stat());
        stat.is_some_and(|stat| stat.is_none_or(|stat| stat.ended()))
    }

    /// Whether the thread at `index` was seen running.
    fn is_busy(&self, index: usize) -> bool {
        let tracee = self.tracees.get(index);
        tracee.is_some_and(|tracee| self.busy.contains(&tracee.tid))
    }

    /// Asks the threads at these places to stop, and waits until they do.
    fn stop(&mut self, indexes: Vec<usize>, since: Instant) {
        for &index in &indexes {
            let Some(tracee) = self.tracees.get_mut(index) else {
                continue;
            };
            let (pid, tid) = (self.pid, tracee.tid);
            if tracee.hold != Hold::Running {
                continue;
            }
            if self.strangers.contains(&tid) && minds_a_stop(Task { pid, tid }) {
                tracee.hold = Hold::Spared;
                continue;
            }
            // A thread that ended is noticed by the wait.
            let _ = ptrace::interrupt(tid);
        }
        self.wait_for_stops(indexes, since);
    }

    /// Why no thread at all could be seized, if so.
    fn refusal(&self) -> Option<Errno> {
        let mut refusal = Errno::ESRCH;
        for tracee in &self.tracees {
            match tracee.hold {
                Hold::Stopped { .. } | Hold::Running | Hold::Spared => return None,
                Hold::Refused(errno) => refusal = errno,
                Hold::Gone => {}
            }
        }
        Some(refusal)
    }

    /// Seizes the threads that are not known yet.
    fn seize_new(&mut self) -> Result<(), Errno> {
        for tid in proc::thread_ids(self.pid).map_err(|error| errno_of(&error))? {
            if !self.known.insert(tid) {
                continue;
            }
            let hold = match ptrace::seize(tid) {
                Ok(()) => Hold::Running,
                Err(Errno::ESRCH) => Hold::Gone,
                // A thread that has ended but is still listed is refused with EPERM as well.
                Err(errno) => match (Task { pid: self.pid, tid }).stat() {
                    Some(stat) if !stat.ended() => Hold::Refused(errno),
                    _ => Hold::Gone,
                },
            };
            self.tracees.push(Tracee::new(tid, hold));
        }
        Ok(())
    }

    /// Waits until these threads have stopped or ended, or patience is at its end.
    fn wait_for_stops(&mut self, mut late: Vec<usize>, since: Instant) {
        let mut nap = Duration::from_micros(20);
        loop {
            let before = late.len();
            late.retain(|&index| self.is_late(index) && self.look(index) == Some(Hold::Running));
            if late.is_empty() {
                return;
            }
            let waited = since.elapsed();
            if waited > PATIENCE || waited > PATIENCE_WITH_SLEEPERS && self.only_sleepers(&mut late)
            {
                return;
            }
            if late.len() < before || waited < EAGER {
                thread::yield_now();
            } else {
                thread::sleep(nap);
                nap = (nap * 2).min(Duration::from_millis(2));
            }
        }
    }

    /// Whether the thread at `index` has not stopped.
    fn is_late(&self, index: usize) -> bool {
        let tracee = self.tracees.get(index);
        tracee.is_some_and(|tracee| tracee.hold == Hold::Running)
    }

    /// Whether the thread at `index` was left alone.
    fn is_spared(&self, index: usize) -> bool {
        let tracee = self.tracees.get(index);
        tracee.is_some_and(|tracee| tracee.hold == Hold::Spared)
    }

    /// Brings one thread's entry up to date.
    pub(super) fn look(&mut self, index: usize) -> Option<Hold> {
        let tracee = self.tracees.get_mut(index)?;
        tracee.hold = match ptrace::progress(tracee.tid, tracee.tid == self.pid) {
            Progress::Running => Hold::Running,
            Progress::Gone => Hold::Gone,
            Progress::Stopped { signal } => {
                let registers = ptrace::registers(tracee.tid);
                tracee.registers = registers.ok().flatten();
                Hold::Stopped { signal }
            }
        };
        Some(tracee.hold)
    }

    /// Whether all of these threads are in uninterruptible sleep. Those that have ended are taken
    /// out: the wait does not tell of a main thread that ends before the others.
    fn only_sleepers(&mut self, late: &mut Vec<usize>) -> bool {
        let mut only_sleepers = true;
        late.retain(|&index| {
            let Some(tracee) = self.tracees.get_mut(index) else {
                return false;
            };
            let tid = tracee.tid;
            let stat = Task { pid: self.pid, tid }.stat();
            let lives = stat.as_ref().is_some_and(|stat| !stat.ended());
            if !lives {
                tracee.hold = Hold::Gone;
            }
            only_sleepers &= stat.is_none_or(|stat| !lives || stat.state == 'D');
            lives
        });
        only_sleepers
    }

    /// Detaches every thread, the busy ones first. One that still has not stopped cannot be told
    /// to; the end of this thread detaches it. One that was spared may have stopped with a signal.
    pub(super) fn let_go(&mut self) {
        let (busy, idle): (Vec<_>, Vec<_>) =
            (0..self.tracees.len()).partition(|&index| self.is_busy(index));
        for index in busy.into_iter().chain(idle) {
            if self.is_late(index) || self.is_spared(index) {
                self.look(index);
            }
            let Some(tracee) = self.tracees.get(index) else {
                continue;
            };
            if let Hold::Stopped { signal } = tracee.hold {
                // It fails only for a thread that was killed while it was held.
                let _ = ptrace::detach(tracee.tid, signal);
            }
        }
        self.tracees.clear();
        self.known.clear();
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The errno of an I/O error.
pub(super) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
