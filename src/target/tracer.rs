//! Who does the ptrace calls. A tracee belongs to the very thread that seized it, and a
//! [`super::Target`] may be dropped anywhere, so a thread of its own seizes, stops, waits to be
//! told, lets go and ends; for a glimpse it also copies in between. Whatever ends it (a panic,
//! `kill -9` of pydbg), the kernel detaches what it had seized and the target runs on
//! (`exit_ptrace` in Linux kernel/ptrace.c). A thread that has not stopped can be detached in no
//! other way, so that thread always ends when it has let go.

use super::crew::{Crew, ROUND, Tracee, errno_of};
use super::proc::{self, Task};
use super::ptrace;
use super::register_sets::RegisterSets;
use nix::errno::Errno;
use rustc_hash::FxHashSet;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

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
