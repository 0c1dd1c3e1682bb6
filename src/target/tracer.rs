//! Who does the ptrace calls. A tracee belongs to the very thread that seized it, and a
//! [`super::Target`] may be dropped anywhere, so a thread of its own seizes, stops, waits to be
//! told, lets go and ends; for a glimpse it also copies in between. Whatever ends it (a panic,
//! `kill -9` of pydbg), the kernel detaches what it had seized and the target runs on
//! (`exit_ptrace` in Linux kernel/ptrace.c). A thread that has not stopped can be detached in no
//! other way, so that thread always ends when it has let go.

use super::minding::minds_a_stop;
use super::proc::{self, Task};
use super::ptrace::{self, Progress};
use super::register_sets::RegisterSets;
use super::registers::Registers;
use nix::errno::Errno;
use rustc_hash::FxHashSet;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
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
const ROUND: Duration = Duration::from_millis(100);

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

/// A stopped process. Dropping it lets the process go on.
pub(super) struct Tracer {
    hands: Hands,
    since: Instant,
    lost: Arc<AtomicBool>,
}

/// Who holds the process.
enum Hands {
    /// A thread of its own, which does what it is sent and lets go when the sender is dropped.
    Thread(Sender<Order>, JoinHandle<Duration>),
    /// The thread that called, which must also be the one to let go.
    Caller(Crew),
    /// Nobody any more.
    Empty,
}

impl Tracer {
    /// Stops all threads of a process, the busy ones last, so that those which would miss the time
    /// stand still for the shortest, and none of the `strangers` that minds a stop. Threads that do
    /// not stop in time are reported as such; it is an error when none could be seized.
    pub(super) fn stop(
        pid: i32,
        busy: FxHashSet<i32>,
        strangers: &FxHashSet<i32>,
    ) -> Result<(Tracer, Vec<Tracee>), Errno> {
        Stopping::begin(Crew::new(pid, busy, strangers))?.wait()
    }

    /// The same on the calling thread, which must let go itself and then end
    /// ([`on_a_thread_of_its_own`]). Two threads of pydbg's fewer to wake shorten the stop, and a
    /// target that is busy keeps the processor it had.
    pub(super) fn stop_here(
        pid: i32,
        busy: FxHashSet<i32>,
        strangers: &FxHashSet<i32>,
    ) -> Result<(Tracer, Vec<Tracee>), Errno> {
        let mut crew = Crew::new(pid, busy, strangers);
        let since = crew.stop_all()?;
        let tracees = crew.tracees.clone();
        let hands = Hands::Caller(crew);
        let lost = Arc::default();
        Ok((Tracer { hands, since, lost }, tracees))
    }

    /// Set as soon as the process is let go although nobody asked for that, because it was killed.
    pub(super) fn lost(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lost)
    }

    /// Whether the process is held, and was not killed meanwhile.
    pub(super) fn still_holds(&self) -> bool {
        !self.lost.load(Ordering::Acquire)
    }

    /// Whether a thread of its own holds the process.
    pub(super) fn has_a_thread(&self) -> bool {
        matches!(self.hands, Hands::Thread(..))
    }

    /// How long the process has been stopped.
    pub(super) fn stopped_for(&self) -> Duration {
        self.since.elapsed()
    }

    /// The register sets of all threads that are stopped.
    pub(super) fn register_sets(&mut self) -> Vec<RegisterSets> {
        let sets = self.ask(|crew| RegisterSets::of(&crew.tracees));
        sets.unwrap_or_default()
    }

    /// What the thread that traces finds out; `None` when it has ended.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut Crew) -> T + Send + 'static,
    ) -> Option<T> {
        match &mut self.hands {
            Hands::Thread(orders, _) => {
                let (answer, answered) = channel();
                let order: Order = Box::new(move |crew| {
                    // Whoever asked waits for it.
                    let _ = answer.send(question(crew));
                });
                orders.send(order).ok()?;
                answered.recv().ok()
            }
            Hands::Caller(crew) => Some(question(crew)),
            Hands::Empty => None,
        }
    }

    /// Lets the process go on, and tells how long it was stopped.
    pub(super) fn let_go(mut self) -> Duration {
        self.finish().unwrap_or_else(|| self.since.elapsed())
    }

    fn finish(&mut self) -> Option<Duration> {
        match std::mem::replace(&mut self.hands, Hands::Empty) {
            Hands::Thread(release, thread) => {
                drop(release);
                thread.join().ok()
            }
            Hands::Caller(crew) => {
                drop(crew);
                Some(self.since.elapsed())
            }
            Hands::Empty => None,
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A process that is being stopped. Dropping it lets the process go on.
pub(super) struct Stopping {
    pid: i32,
    lost: Arc<AtomicBool>,
    release: Sender<Order>,
    reported: Receiver<Report>,
    thread: JoinHandle<Duration>,
}

impl Stopping {
    /// Begins to stop all threads of a process, as [`Tracer::stop`] does, and does not wait.
    pub(super) fn begin(crew: Crew) -> Result<Stopping, Errno> {
        let pid = crew.pid;
        let (release, released) = channel();
        let (report, reported) = channel();
        let lost = Arc::<AtomicBool>::default();
        let flag = Arc::clone(&lost);
        let thread = thread::Builder::new()
            .name("tracer".into())
            .spawn(move || trace(crew, &report, &released, &flag))
            .map_err(|error| errno_of(&error))?;
        Ok(Stopping {
            pid,
            lost,
            release,
            reported,
            thread,
        })
    }

    /// Waits until the process is stopped.
    pub(super) fn wait(self) -> Result<(Tracer, Vec<Tracee>), Errno> {
        // The sender is dropped without a report only when the thread panicked.
        let report = patiently(self.pid, &self.reported);
        let (since, tracees) = report.unwrap_or(Err(Errno::EIO))?;
        let tracer = Tracer {
            hands: Hands::Thread(self.release, self.thread),
            since,
            lost: self.lost,
        };
        Ok((tracer, tracees))
    }
}

type Report = Result<(Instant, Vec<Tracee>), Errno>;

/// Runs `look`, which stops the process and lets it go, on a thread that ends afterwards.
pub(super) fn on_a_thread_of_its_own<T: Send>(
    pid: i32,
    look: impl FnOnce() -> T + Send,
) -> Result<T, Errno> {
    let (alive, ended) = channel::<Infallible>();
    let look = move || {
        let _alive = alive;
        look()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("tracer".into())
            .spawn_scoped(scope, look)
            .map_err(|error| errno_of(&error))?;
        // Nothing is ever sent: this returns when the other end is dropped.
        let _ = patiently(pid, &ended);
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Waits for what the tracer thread sends. Should a thread of the process begin an execve() when
/// another one has been seized, that must be buried, and the tracer thread cannot do it: it hangs.
fn patiently<T>(pid: i32, reports: &Receiver<T>) -> Option<T> {
    loop {
        match reports.recv_timeout(ROUND) {
            Ok(report) => return Some(report),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                let threads = proc::thread_ids(pid).unwrap_or_default();
                let has_ended = |tid| Task { pid, tid }.stat().is_some_and(|stat| stat.ended());
                for tid in threads.into_iter().filter(|&tid| tid != pid) {
                    if has_ended(tid) {
                        ptrace::bury(tid);
                    }
                }
            }
        }
    }
}

/// Work for the thread that traces, because ptrace serves no other.
type Order = Box<dyn FnOnce(&mut Crew) + Send>;

/// The life of the tracer thread. Returns how long the process was stopped.
fn trace(
    mut crew: Crew,
    report: &Sender<Report>,
    orders: &Receiver<Order>,
    lost: &AtomicBool,
) -> Duration {
    let outcome = crew.stop_all();
    let since = *outcome.as_ref().unwrap_or(&Instant::now());
    let told = report.send(outcome.map(|since| (since, crew.tracees.clone())));
    if told.is_ok() {
        // The orders end when the other end is dropped.
        loop {
            match orders.recv_timeout(ROUND) {
                Ok(order) => order(&mut crew),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if crew.is_dying() => {
                    // As long as it is held its parent does not learn of its end.
                    lost.store(true, Ordering::Release);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
    drop(crew);
    since.elapsed()
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
    fn stop_all(&mut self) -> Result<Instant, Errno> {
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
    fn is_dying(&self) -> bool {
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
