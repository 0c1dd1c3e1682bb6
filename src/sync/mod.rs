//! Locks: who holds which, who waits for which, and the cycles that hang a program. Every owner
//! has its evidence, and an owner that is not proved is not named.

mod at_hand;
mod buffered;
mod every;
mod executors;
mod files;
mod futures;
mod gil;
mod graph;
mod handover;
mod holders;
mod import_lock;
mod imports;
mod kind;
pub(crate) mod knots;
mod main_thread;
mod managers;
mod mutexes;
mod names;
mod native;
mod owner;
mod parking;
mod place;
mod processes;
mod python_lock;
mod queues;
mod reach;
mod sections;
mod suspended;
mod threading;
mod threads;
mod verdict;
mod view;
mod waits;
mod words;
mod world;

use crate::addr::Addr;
use crate::python::Python;
pub use kind::Kind;
use main_thread::MainThread;
pub use owner::Owner;
pub use place::Place;
pub use processes::{SharedLock, made_locks, shared_locks};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
pub use verdict::{BusyOwner, Deadlock, LostWakeup};
use view::View;
pub use words::WaitsFor;

/// A lock, or what else threads wait for as if it were one.
#[derive(Clone, Debug, Serialize)]
pub struct Lock {
    /// The Python object, or the native lock where there is none.
    pub address: Addr,
    /// What it is.
    pub kind: Kind,
    /// How a person would write it: `bank.alice.lock`.
    pub name: Option<String>,
    /// Whether it is locked; `None` when that cannot be read.
    pub locked: Option<bool>,
    /// Who holds it.
    pub owner: Owner,
    /// Who waits for it (gdb numbers).
    pub waiters: Vec<usize>,
}

/// A thread that waits.
#[derive(Clone, Debug, Serialize)]
pub struct Wait {
    /// The thread (gdb number).
    pub thread: usize,
    /// For what: a position in [`Locks::all`].
    pub lock: usize,
    /// Whether it gives up by itself after some time.
    pub timed: bool,
    /// What says so.
    pub evidence: String,
    /// Where in Python.
    pub place: Option<Place>,
    /// Where in C, if an extension or a library waits: `C function emit() of libprofiler.so,
    /// profiler.c:31`.
    pub native: Option<String>,
}

/// The thread (gdb number) in which functions of the program run on signals; `None` when the program
/// has set none.
pub fn interruptible(python: &Python) -> Option<usize> {
    MainThread::of(&View::new(python)).interruptible()
}

/// What is known of the locks of a process.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Locks {
    /// Every lock that is waited for, or that a `with` statement is seen to hold.
    pub all: Vec<Lock>,
    /// Every thread that waits for one of them.
    pub waits: Vec<Wait>,
    /// Threads that wait for each other.
    pub deadlocks: Vec<Deadlock>,
    /// Locks with waiters that no thread of this process can release: positions in
    /// [`Locks::all`].
    pub orphaned: Vec<usize>,
    /// Waits that nobody is left to end.
    pub lost: Vec<LostWakeup>,
    /// Locks with waiters whose owner does not wait for a lock itself.
    pub busy: Vec<BusyOwner>,
    /// Threads in a futex wait for something that is not known, and its address.
    pub unknown: Vec<(usize, Addr)>,
}

impl Locks {
    /// Looks at every thread of a process, and names the locks.
    pub fn of(python: &Python) -> Locks {
        Locks::find(python, false)
    }

    /// The same with every `Lock` and `RLock` there is, which takes a look at all of memory.
    pub fn every(python: &Python) -> Locks {
        Locks::find(python, true)
    }

    /// The same with the lock at this address, whether it is waited for or not, and its position
    /// in [`Locks::all`].
    pub fn with(python: &Python, address: Addr) -> (Locks, Option<usize>) {
        let view = View::new(python);
        let (mut locks, mut known) = Locks::judged(&view, true);
        let lock = view.py_lock(address);
        if let Some(lock) = lock.or_else(|| processes::lock_of(&view, address)) {
            every::add(&view, &lock, &mut locks, &mut known);
        }
        locks.describe(&view);
        let at = locks.all.iter().position(|lock| lock.address == address);
        (locks, at)
    }

    fn find(python: &Python, every: bool) -> Locks {
        let view = View::new(python);
        let (mut locks, mut known) = Locks::judged(&view, true);
        if every {
            every::find(&view, &mut locks, &mut known);
        }
        locks.describe(&view);
        locks
    }

    /// Only the verdicts that are found at once: without names, busy owners and places in C, and
    /// without the search for those who could end waits for what nobody holds.
    pub fn at_once(python: &Python) -> Locks {
        Locks::judged(&View::new(python), false).0
    }

    /// Names the locks that have no name yet, as a person would write them.
    pub fn give_names(&mut self, python: &Python) {
        names::give(&View::new(python), self);
    }

    /// Who waits for what and who holds it, with the verdicts; `whole` says whether to search for
    /// those who could end waits for what nobody holds, which takes longest.
    fn judged(view: &View<'_>, whole: bool) -> (Locks, Known) {
        let Gathered {
            mut locks,
            known,
            open,
        } = Gathered::of(view, true);
        let main = MainThread::of(view);
        if whole {
            reach::find(view, &main, &mut locks, &open);
        }
        verdict::judge(view, &main, &mut locks);
        (locks, known)
    }

    /// Adds what only a person wants to know, who is shown it: the names of locks, where in C
    /// threads wait, and the owners that are busy.
    fn describe(&mut self, view: &View<'_>) {
        names::give(view, self);
        for wait in &mut self.waits {
            let lock = self.all.get(wait.lock);
            wait.native = lock.and_then(|lock| place::in_c(view, wait.thread, lock.kind));
        }
        self.busy = verdict::busy(view, self);
    }
}

/// Who waits for what and who holds it.
struct Gathered {
    locks: Locks,
    known: Known,
    /// Positions in [`Locks::all`] of those of which no wait tells who could end it.
    open: FxHashSet<usize>,
}

impl Gathered {
    /// Looks at every thread; `idle` says whether locks count that are held and nobody waits for.
    fn of(view: &View<'_>, idle: bool) -> Gathered {
        let mut locks = Locks::default();
        let mut known = FxHashMap::default();
        let open = waits::find(view, &mut locks, &mut known);
        let is_open = |lock: &Lock| matches!(lock.owner, Owner::Unknown { .. });
        if idle || locks.all.iter().any(is_open) {
            holders::find(view, &mut locks, &mut known);
        }
        handover::settle(&mut locks);
        Gathered { locks, known, open }
    }
}

/// Positions of locks in [`Locks::all`] by address and kind.
type Known = FxHashMap<(Kind, Addr), usize>;

/// The position of a lock, which is added when it is new.
fn position(
    locks: &mut Locks,
    known: &mut Known,
    kind: Kind,
    address: Addr,
    locked: Option<bool>,
) -> usize {
    *known.entry((kind, address)).or_insert_with(|| {
        locks.all.push(Lock {
            address,
            kind,
            name: None,
            locked,
            owner: match locked {
                Some(false) => Owner::Nobody,
                _ => Owner::unknown(
                    "a lock does not say who holds it, and no \"with\" statement shows it",
                ),
            },
            waiters: Vec::new(),
        });
        locks.all.len() - 1
    })
}
