//! Families of processes: what the threads of several processes wait for, joined into one graph, and
//! the files that several processes use against each other. What ends a wait may be in another
//! process: it writes what is read, it reads what is written, it holds a lock that is shared, or it
//! has to end itself.

mod call;
mod chain;
mod files;
mod gather;
mod member;
mod outside;
mod pools;
mod semaphores;
mod sharers;
mod still;
mod verdict;
mod wires;
mod words;

pub use files::{FileVerdict, OpenBy, SharedFile, SharedFiles};
pub use member::{Ended, Member, descendants};
pub use outside::{Outside, outside};
pub use verdict::{Kind as VerdictKind, Verdict};

use crate::sync::Place;
use crate::target::sharing::Shared;
use serde::Serialize;
use still::Still;

/// A thread that waits.
#[derive(Clone, Debug, Serialize)]
pub struct Wait {
    /// The process.
    pub pid: i32,
    /// The thread (gdb number within its process).
    pub thread: usize,
    /// Its LWP id.
    pub tid: i32,
    /// Its name.
    pub name: Option<String>,
    /// For what, in words behind "waits for": `the end of child 77`.
    pub what: String,
    /// The lock, if it is one: a position among those of its process.
    #[serde(skip)]
    lock: Option<usize>,
    /// What tells one thing that is waited for from all others; the same for those who wait for the
    /// same thing.
    #[serde(skip)]
    key: Key,
    /// Who could end the wait.
    pub ends: Ends,
    /// What says so.
    pub evidence: String,
    /// Whether it gives up by itself after some time.
    pub timed: bool,
    /// Whether it is for something that somebody holds until it is released.
    pub held: bool,
    /// Whether it is a part of a deadlock by the locks of its own process alone.
    #[serde(skip)]
    deadlocked: bool,
    /// Where in Python.
    pub place: Option<Place>,
}

/// What is waited for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// A lock that only one process knows: the process, and the position among its locks.
    Lock(i32, usize),
    /// Something in shared memory.
    Shared(Shared),
    /// Data, or only room, in pipes and sockets: their links, and whether it is only room.
    Data(Vec<String>, bool),
    /// The end of a process: the ids of those any one of which may end.
    End(Vec<i32>),
    /// Something that is the thread's own.
    Own(i32),
}

/// Who could end a wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "who")]
pub enum Ends {
    /// Any one of these threads, and nothing else; with no threads nobody is left.
    Threads {
        /// LWP ids.
        tids: Vec<i32>,
    },
    /// It may end at any time: why.
    Open {
        /// In words.
        why: String,
    },
}

impl Ends {
    fn open(why: impl Into<String>) -> Ends {
        Ends::Open { why: why.into() }
    }

    fn of(mut tids: Vec<i32>) -> Ends {
        tids.sort_unstable();
        tids.dedup();
        Ends::Threads { tids }
    }

    /// The threads that it is up to, where that is known.
    pub fn tids(&self) -> Option<&[i32]> {
        match self {
            Ends::Threads { tids } => Some(tids),
            Ends::Open { .. } => None,
        }
    }
}

/// What the threads of several processes wait for.
pub struct Family {
    /// The processes.
    pub members: Vec<Member>,
    /// Processes of the family that have ended and were not waited for.
    pub ended: Vec<Ended>,
    /// Every thread that waits for something another thread can end.
    pub waits: Vec<Wait>,
    /// What is wrong.
    pub verdicts: Vec<Verdict>,
}

impl Family {
    /// Joins what the threads of these processes wait for.
    pub fn of(members: Vec<Member>) -> Family {
        let still = Still::begin(&members);
        let (mut waits, mut locks) = gather::all(&members);
        still.check(&members, &mut waits);
        let ended = member::ended(&members);
        let found = verdict::find(&members, &waits);
        gather::name(&members, &mut locks, &mut waits, &found);
        let verdicts = found.into_iter();
        let verdicts = verdicts.map(|chain| chain.told(&members, &waits, &ended));
        let verdicts = verdicts.collect();
        Family {
            members,
            ended,
            waits,
            verdicts,
        }
    }

    /// The process with this id.
    pub fn member(&self, pid: i32) -> Option<&Member> {
        self.members.iter().find(|member| member.pid == pid)
    }
}
