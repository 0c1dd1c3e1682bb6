//! A live process, held stopped with PTRACE_SEIZE + PTRACE_INTERRUPT and never written to.
//!
//! What the target can notice: some blocking calls (epoll_wait, a timed recv and the others of
//! signal(7), "interruption of system calls … by stop signals") return EINTR when a thread is
//! stopped and goes on. Python repeats them (PEP 475). `--no-stop` avoids even that.

use super::crew::{Hold, Tracee, errno_of};
use super::forked::{ForkProblem, Forked};
use super::proc::{self, Task};
use super::processes::Entry;
use super::reader::Reader;
use super::refusal;
use super::register_sets::RegisterSets;
use super::remote::Remote;
use super::roster::Roster;
use super::snapshot::{Room, Snapshot};
use super::tracer::{self, Tracer};
use super::{Files, Mapping, OpenError, Options, Origin, ProcessInfo, Target};
use crate::addr::Addr;
use crate::diag::Notes;
use nix::errno::Errno;
use rustc_hash::FxHashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the kernel may take to detach the threads of a tracer that has ended.
const LONGEST_RELEASE: Duration = Duration::from_millis(200);

/// Keeps a live process stopped; dropping it lets the process go on.
pub struct LiveHold {
    pid: i32,
    start_ticks: u64,
    options: Options,
    memory: Arc<Snapshot>,
    /// The threads that were asked to stop and did not, such as the parent of a vfork().
    late: Vec<i32>,
    /// The threads that were left alone.
    spared: Vec<i32>,
    state: Mutex<State>,
}

/// Whether the process is held, and for how long it was.
struct State {
    tracer: Option<Tracer>,
    stopped: Duration,
}

impl LiveHold {
    /// Lets the process run on. Pages that were read stay as they were; others are read from the
    /// running process from now on. Does nothing when it runs already.
    pub fn resume(&self) {
        self.memory.thaw();
        let mut state = self.state();
        if let Some(tracer) = state.tracer.take() {
            let on_its_own = tracer.has_a_thread();
            state.stopped = tracer.let_go();
            if on_its_own {
                self.await_release();
            }
        }
    }

    /// Waits until the kernel has detached the threads that never stopped, which it does when the
    /// thread that seized them has ended: a moment after that can be joined.
    fn await_release(&self) {
        let start = Instant::now();
        let pydbg = std::process::id() as i32;
        let traced = |&tid: &i32| {
            let tracer = Task { pid: self.pid, tid }.status_number("TracerPid", 0);
            // It is the id of the thread that traces.
            let process = tracer.and_then(|tid| proc::process_of(i32::try_from(tid).ok()?));
            process == Some(pydbg)
        };
        let unheld = || self.late.iter().chain(&self.spared);
        while unheld().any(traced) && start.elapsed() < LONGEST_RELEASE {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Whether the process is held stopped by pydbg: no longer when it was killed meanwhile.
    pub fn is_stopped(&self) -> bool {
        let state = self.state();
        state.tracer.as_ref().is_some_and(Tracer::still_holds)
    }

    /// Whether the process is there still: no other one that has got its id, and not a zombie.
    pub fn is_there(&self) -> bool {
        let stat = Task::leader(self.pid).stat();
        stat.is_some_and(|stat| stat.start_ticks == self.start_ticks)
            && proc::living(self.pid).is_some()
    }

    /// How long the process has been stopped, up to now or to the release: from the first thread
    /// that was asked to stop to the last that was let go.
    pub fn stopped_for(&self) -> Duration {
        let state = self.state();
        match &state.tracer {
            Some(tracer) => tracer.stopped_for(),
            None => state.stopped,
        }
    }

    /// The threads that were not stopped, because they do not matter and their system calls would
    /// have returned EINTR.
    pub fn spared(&self) -> &[i32] {
        &self.spared
    }

    /// The process's id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The register sets of all threads that pydbg holds stopped.
    pub fn register_sets(&self) -> Vec<RegisterSets> {
        let mut state = self.state();
        let tracer = state.tracer.as_mut();
        tracer.map(Tracer::register_sets).unwrap_or_default()
    }

    /// The way to copy what need not be kept.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.pid, self.memory.remote())
    }

    /// Has the process fork, and lets it run on; the copy stands still and has its memory of this
    /// moment. `None` when it runs already.
    pub fn fork(&self) -> Option<Result<Forked, ForkProblem>> {
        self.memory.thaw();
        let mut state = self.state();
        let mut tracer = state.tracer.take()?;
        let forked = Forked::make(&mut tracer, self.pid);
        state.stopped = tracer.stopped_for();
        Some(forked.map(|forked| forked.kept_by(tracer)))
    }

    /// What was read and is kept, as addresses and sizes in bytes.
    pub fn kept(&self) -> Vec<(Addr, usize)> {
        self.memory.kept()
    }

    /// How many reads since the release went beyond what was kept, into memory that may have
    /// changed since.
    pub fn missed(&self) -> usize {
        self.memory.missed()
    }

    /// Stops the same process again (after letting it go, if it was held) and returns it as it is
    /// then. It is a new target, because threads, mappings and memory are of another moment;
    /// whatever was derived from the old one must be derived anew.
    pub fn again(&self) -> Result<Target, OpenError> {
        self.resume();
        let target = attach(self.pid, &self.options)?;
        match &target.live {
            Some(live) if live.start_ticks == self.start_ticks => Ok(target),
            _ => Err(OpenError::Attach {
                pid: self.pid,
                why: "the process has ended, and another one has got its id".into(),
            }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveHold {
    fn drop(&mut self) {
        self.resume();
    }
}

/// Attaches to a process and stops it (unless `options.no_stop`). The id of any of its threads
/// will do. Whatever happens to pydbg, the process goes on when pydbg lets go of it.
pub fn attach(pid: i32, options: &Options) -> Result<Target, OpenError> {
    let manner = match options.no_stop {
        true => Manner::Running,
        false => Manner::Stopped,
    };
    open(pid, options, manner, Room::default(), &FxHashSet::default())
}

/// Attaches to a process and stops it, but for those of the `strangers`, threads that do not
/// matter, whose system call a stop would make return EINTR ([`LiveHold::spared`]).
pub fn attach_sparing(
    pid: i32,
    options: &Options,
    strangers: &FxHashSet<i32>,
) -> Result<Target, OpenError> {
    open(pid, options, Manner::Stopped, Room::default(), strangers)
}

/// Stops the process only for as long as `copy` takes, which reads what an analysis will want
/// ([`Target::memory`]'s `prefetch`); what it read is kept. Room for what is `wanted` is made
/// before, in the mappings that the rehearsal saw. Some of the `strangers` are spared, as by
/// [`attach_sparing`].
pub fn glimpse(
    pid: i32,
    options: &Options,
    mappings: &[Mapping],
    wanted: &[(Addr, usize)],
    strangers: &FxHashSet<i32>,
    copy: impl FnOnce(&Target) + Send,
) -> Result<Target, OpenError> {
    let look = || {
        let room = Room::new(mappings, wanted);
        let target = open(pid, options, Manner::Glimpsed, room, strangers)?;
        copy(&target);
        target.resume();
        Ok(target)
    };
    let target =
        tracer::on_a_thread_of_its_own(pid, look).map_err(|errno| OpenError::Attach {
            pid,
            why: refusal::explain(pid, errno, options.no_stop),
        })??;
    if let Some(live) = &target.live {
        live.await_release();
    }
    Ok(target)
}

/// The process as it runs, for a rehearsal: what an analysis reads of it is kept, so that
/// [`LiveHold::kept`] tells what the same analysis will want of the stopped process. What the
/// rehearsal itself answers may be torn.
pub fn rehearse(pid: i32, options: &Options) -> Result<Target, OpenError> {
    let none = FxHashSet::default();
    open(pid, options, Manner::Rehearsed, Room::default(), &none)
}

/// How a process is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Held; pages are kept.
    Stopped,
    /// Held by the calling thread; pages are kept.
    Glimpsed,
    /// Not held; nothing is kept.
    Running,
    /// Not held, but pages are kept.
    Rehearsed,
}

/// The process as it is, or in words why it cannot be opened.
fn open(
    pid: i32,
    options: &Options,
    manner: Manner,
    room: Room,
    strangers: &FxHashSet<i32>,
) -> Result<Target, OpenError> {
    try_open(pid, options, manner, room, strangers).map_err(|errno| OpenError::Attach {
        pid,
        why: refusal::explain(pid, errno, options.no_stop),
    })
}

fn try_open(
    given: i32,
    options: &Options,
    manner: Manner,
    room: Room,
    strangers: &FxHashSet<i32>,
) -> Result<Target, Errno> {
    let prepared = Prepared::read(given, options)?;
    let (pid, roster) = (prepared.pid, &prepared.roster);
    let (tracer, tracees) = match manner {
        Manner::Stopped => Tracer::stop(pid, roster.busy(), strangers).map(held_by)?,
        Manner::Glimpsed => Tracer::stop_here(pid, roster.busy(), strangers).map(held_by)?,
        Manner::Running | Manner::Rehearsed => (None, roster.running()),
    };
    prepared.open(manner, tracer, tracees, room)
}

/// A live process before it is stopped: what takes time to read and does not change.
pub(super) struct Prepared {
    given: i32,
    /// The process.
    pub(super) pid: i32,
    roster: Roster,
    process: ProcessInfo,
    auxv: Vec<(u64, u64)>,
    notes: Notes,
    files: Files,
    options: Options,
}

impl Prepared {
    /// Reads a process, of which any thread is `given`.
    pub(super) fn read(given: i32, options: &Options) -> Result<Prepared, Errno> {
        let pid = proc::process_of(given).ok_or(Errno::ESRCH)?;
        if pid == std::process::id() as i32 {
            return Err(Errno::EPERM);
        }
        let roster = Roster::read(pid)?;
        let before = roster.alive;
        let notes = Notes::default();
        Ok(Prepared {
            given,
            pid,
            process: ProcessInfo {
                exe: before.exe(),
                ..roster.process()
            },
            auxv: before.auxv(),
            files: Files::new(options.clone(), before.foreign_root(), &notes),
            notes,
            options: options.clone(),
            roster,
        })
    }

    /// Whether it is the very process that was listed, and not a later one with its id.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        self.roster.leader.start_ticks == entry.stat.start_ticks
    }

    /// Its threads that ran.
    pub(super) fn busy(&self) -> FxHashSet<i32> {
        self.roster.busy()
    }

    /// The process as it runs.
    pub(super) fn running(self) -> Result<Target, Errno> {
        let tracees = self.roster.running();
        self.open(Manner::Running, None, tracees, Room::default())
    }

    /// The process as the tracer stopped it.
    pub(super) fn stopped(self, tracer: Tracer, tracees: Vec<Tracee>) -> Result<Target, Errno> {
        self.open(Manner::Stopped, Some(tracer), tracees, Room::default())
    }

    fn open(
        self,
        manner: Manner,
        tracer: Option<Tracer>,
        tracees: Vec<Tracee>,
        room: Room,
    ) -> Result<Target, Errno> {
        let Prepared {
            given,
            pid,
            roster,
            notes,
            options,
            ..
        } = self;
        let held = tracees.iter().any(Tracee::is_held);
        let task = way_in(pid, &tracees).ok_or(Errno::ESRCH)?;
        let mappings = task.maps().map_err(|error| errno_of(&error))?;
        if mappings.is_empty() {
            // It was killed meanwhile.
            return Err(Errno::ESRCH);
        }
        let lost = tracer.as_ref().map(Tracer::lost).unwrap_or_default();
        let (remote, problem) = Remote::open(task, lost);
        if let Some(errno) = problem.filter(|_| !held) {
            return Err(errno);
        }
        if pid != given {
            notes.info(format!("{given} is a thread of process {pid}"));
        }
        roster.note(&tracees, options.no_stop, &notes);
        let keeps = held || manner == Manner::Rehearsed;
        let memory = Snapshot::new(remote, &mappings, keeps, room);
        let memory = Arc::new(match manner {
            Manner::Rehearsed => memory.exact(),
            Manner::Stopped | Manner::Glimpsed | Manner::Running => memory,
        });
        let asked = matches!(manner, Manner::Stopped | Manner::Glimpsed);
        let those = |hold: Hold| {
            let tracees = tracees.iter().filter(move |tracee| tracee.hold == hold);
            tracees.filter(|_| asked).map(|tracee| tracee.tid).collect()
        };
        Ok(Target {
            origin: Origin::Live(pid),
            memory: Arc::clone(&memory) as _,
            mappings,
            threads: roster.threads(&tracees),
            process: self.process,
            auxv: self.auxv,
            signal: None,
            files: Arc::new(self.files),
            notes,
            dumped: Vec::new(),
            kept: None,
            live: Some(LiveHold {
                pid,
                start_ticks: roster.leader.start_ticks,
                options,
                memory,
                late: those(Hold::Running),
                spared: those(Hold::Spared),
                state: Mutex::new(State {
                    tracer,
                    stopped: Duration::ZERO,
                }),
            }),
        })
    }
}

fn held_by((tracer, tracees): (Tracer, Vec<Tracee>)) -> (Option<Tracer>, Vec<Tracee>) {
    (Some(tracer), tracees)
}

/// The thread through whose folder in /proc the process is read: one that is held, so that it
/// cannot end, or else one that lives.
fn way_in(pid: i32, tracees: &[Tracee]) -> Option<Task> {
    let held = tracees.iter().find(|tracee| tracee.is_held());
    let alive = || tracees.iter().find(|tracee| tracee.hold != Hold::Gone);
    let tid = held.or_else(alive)?.tid;
    Some(Task { pid, tid })
}
