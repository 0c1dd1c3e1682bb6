//! Locks: who holds which, who waits for which, and the cycles that hang a program. Every owner
//! has its evidence, and an owner that is not proved is not named.

mod graph;
mod holders;
mod names;
mod objects;
mod pthread;
mod waits;

use crate::addr::Addr;
use crate::native::Process;
use crate::python::{PyFrame, PyThread, Python};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::sync::Arc;

/// What kind of lock or wait it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The GIL of an interpreter.
    Gil,
    /// `threading.Lock`.
    Lock,
    /// `threading.RLock`.
    RLock,
    /// A thread that is waited for with `Thread.join`.
    Thread,
    /// A `pthread_mutex_t`, or a `std::mutex`.
    Mutex,
}

impl Kind {
    /// In a person's words.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Gil => "GIL",
            Kind::Lock => "threading.Lock",
            Kind::RLock => "threading.RLock",
            Kind::Thread => "threading.Thread",
            Kind::Mutex => "pthread mutex",
        }
    }
}

/// A place in Python code.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// The function's name.
    pub function: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The line that runs.
    pub line: Option<i32>,
}

impl Place {
    fn of(frame: &PyFrame) -> Place {
        Place {
            function: Arc::clone(&frame.function),
            file: Arc::clone(&frame.file),
            line: frame.position.line,
        }
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "certainty")]
pub enum Owner {
    /// This thread, as words of the lock itself say.
    Known {
        /// The thread (gdb number).
        thread: usize,
        /// Which words.
        evidence: String,
        /// Where the thread took it, where a `with` statement tells.
        place: Option<Place>,
    },
    /// This thread, as follows from what it is doing.
    Inferred {
        /// The thread (gdb number).
        thread: usize,
        /// From what.
        evidence: String,
        /// Where the thread is in its `with` statement.
        place: Option<Place>,
    },
    /// The lock says who, and there is no such thread in this process.
    Orphaned {
        /// What it says.
        evidence: String,
    },
    /// Nothing proves who.
    Unknown {
        /// Why not.
        why: String,
    },
    /// Nobody.
    Nobody,
}

impl Owner {
    /// The thread, when it is known or inferred.
    pub fn thread(&self) -> Option<usize> {
        match self {
            Owner::Known { thread, .. } | Owner::Inferred { thread, .. } => Some(*thread),
            Owner::Orphaned { .. } | Owner::Unknown { .. } | Owner::Nobody => None,
        }
    }

    /// Where the owner took it.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Owner::Known { place, .. } | Owner::Inferred { place, .. } => place.as_ref(),
            Owner::Orphaned { .. } | Owner::Unknown { .. } | Owner::Nobody => None,
        }
    }

    /// What the answer rests on.
    pub fn evidence(&self) -> &str {
        match self {
            Owner::Known { evidence, .. }
            | Owner::Inferred { evidence, .. }
            | Owner::Orphaned { evidence } => evidence,
            Owner::Unknown { why } => why,
            Owner::Nobody => "",
        }
    }
}

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
}

/// A cycle of threads, each of which waits for the next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Deadlock {
    /// Positions in [`Locks::waits`], in the order of the cycle.
    pub waits: Vec<usize>,
    /// Whether one of the waits ends by itself after some time.
    pub timed: bool,
}

/// What is known of the locks of a process.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Locks {
    /// Every lock that is waited for, or that a `with` statement is seen to hold.
    pub all: Vec<Lock>,
    /// Every thread that waits for one of them.
    pub waits: Vec<Wait>,
    /// The cycles.
    pub deadlocks: Vec<Deadlock>,
    /// Threads in a futex wait for something that is not known, and its address.
    pub unknown: Vec<(usize, Addr)>,
}

impl Locks {
    /// Looks at every thread of a process, and names the locks.
    pub fn of(python: &Python) -> Locks {
        let view = View::new(python);
        let mut locks = Locks::nameless(&view);
        names::give(&view, &mut locks);
        locks
    }

    /// Only the cycles: the threads of each (gdb numbers).
    pub fn deadlocks_of(python: &Python) -> Vec<Vec<usize>> {
        let locks = Locks::nameless(&View::new(python));
        let thread = |at: &usize| Some(locks.waits.get(*at)?.thread);
        let threads = |cycle: &Deadlock| cycle.waits.iter().filter_map(thread).collect();
        locks.deadlocks.iter().map(threads).collect()
    }

    fn nameless(view: &View<'_>) -> Locks {
        let mut locks = Locks::default();
        let mut known = FxHashMap::default();
        waits::find(view, &mut locks, &mut known);
        holders::find(view, &mut locks, &mut known);
        locks.deadlocks = graph::cycles(&locks);
        locks
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
                _ => Owner::Unknown {
                    why: "a lock does not say who holds it, and no \"with\" statement shows it"
                        .into(),
                },
            },
            waiters: Vec::new(),
        });
        locks.all.len() - 1
    })
}

/// The process as this layer looks at it.
struct View<'p> {
    python: &'p Python,
    process: &'p Process,
    /// The Python thread state that each native thread (gdb number) runs, and its frames.
    states: Vec<(usize, Arc<PyThread>)>,
}

impl<'p> View<'p> {
    fn new(python: &'p Python) -> View<'p> {
        let process = &*python.process;
        let threads = process.threads().iter();
        let states = threads.filter_map(|thread| {
            let state = python.thread_of(thread.tid)?;
            Some((thread.id, Arc::clone(state)))
        });
        View {
            python,
            process,
            states: states.collect(),
        }
    }

    /// The native thread (gdb number) with this `pthread_t`, which is Python's ident as well.
    fn by_ident(&self, ident: u64) -> Option<usize> {
        let mut threads = self.process.threads().iter();
        let native = threads.find(|thread| thread.pthread == Some(Addr(ident)));
        native.map(|thread| thread.id).or_else(|| {
            let mut states = self.states.iter();
            let state = states.find(|(_, state)| state.ident == Some(ident));
            state.map(|(id, _)| *id)
        })
    }
}
