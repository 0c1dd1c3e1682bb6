//! What every thread of every process waits for, and who could end that: by the locks of its own process
//! where these tell, else by what connects it with others.

mod calls;

use super::semaphores::Semaphores;
use super::verdict::Chain;
use super::wires::Wires;
use super::{Ends, Key, Member, Wait, pools};
use crate::native::NativeThread;
use crate::native::futex::Futex;
use crate::sync::{Kind, Lock, Locks, Owner, Place, Wait as LockWait, interruptible};
use rustc_hash::{FxHashMap, FxHashSet};

/// The locks of processes, by their ids.
pub(super) type AllLocks = FxHashMap<i32, Locks>;

/// Every wait, and the locks of all processes.
pub(super) fn all(members: &[Member]) -> (Vec<Wait>, AllLocks) {
    let mut gathering = Gathering {
        members,
        wires: Wires::default(),
        semaphores: Semaphores::new(members),
    };
    let (mut waits, mut locks) = (Vec::new(), AllLocks::default());
    for member in members {
        let looked = Looked::at(member);
        waits.extend(gathering.of(&looked));
        locks.extend(looked.locks.map(|locks| (member.pid, locks)));
    }
    (waits, locks)
}

/// Gives the locks their names that chains of waits lead through: to look for one takes a while.
pub(super) fn name(members: &[Member], locks: &mut AllLocks, waits: &mut [Wait], chains: &[Chain]) {
    let pids = chains.iter().flat_map(|chain| chain.pids.iter().copied());
    let pids: FxHashSet<i32> = pids.collect();
    for member in members.iter().filter(|member| pids.contains(&member.pid)) {
        let (Some(python), Some(locks)) = (&member.python, locks.get_mut(&member.pid)) else {
            continue;
        };
        let mut own = waits
            .iter_mut()
            .filter(|wait| wait.pid == member.pid)
            .peekable();
        if own.peek().is_some() {
            locks.give_names(python);
        }
        for wait in own {
            if let Some(lock) = wait.lock.and_then(|at| locks.all.get(at)) {
                wait.what = title(lock);
            }
        }
    }
}

/// `bank.alice.lock (threading.Lock at 0x7f…)`.
fn title(lock: &Lock) -> String {
    let kind = format!("{} at {}", lock.kind.words(), lock.address);
    match &lock.name {
        Some(name) => format!("{name} ({kind})"),
        None => format!("a {kind}"),
    }
}

struct Gathering<'m> {
    members: &'m [Member],
    wires: Wires,
    semaphores: Semaphores<'m>,
}

/// What a wait is for, before it is told of which thread it is.
struct Found {
    what: String,
    lock: Option<usize>,
    key: Key,
    ends: Ends,
    evidence: String,
    timed: bool,
    held: bool,
}

/// A process while its threads are looked at.
struct Looked<'m> {
    member: &'m Member,
    locks: Option<Locks>,
    /// The thread (gdb number) that runs signal handlers, which may end any wait of it.
    interruptible: Option<usize>,
}

impl<'m> Looked<'m> {
    /// Who could end a wait for what nobody holds is not searched for: for that, all other threads
    /// of the process will do.
    fn at(member: &'m Member) -> Looked<'m> {
        let python = member.python.as_deref();
        Looked {
            member,
            locks: python.map(Locks::at_once),
            interruptible: python.and_then(interruptible),
        }
    }
}

impl<'m> Gathering<'m> {
    fn of(&mut self, looked: &Looked<'m>) -> Vec<Wait> {
        let member = looked.member;
        let python = member.python.as_deref();
        let deadlocked = looked.locks.as_ref().map_or(Vec::new(), deadlocked);
        let mut waits = Vec::new();
        for thread in member.process.threads() {
            let Some(found) = self.wait(looked, thread) else {
                continue;
            };
            let state = python.and_then(|python| Some((python, python.thread_of(thread.tid)?)));
            waits.push(Wait {
                pid: member.pid,
                thread: thread.id,
                tid: thread.tid,
                name: member.thread_name(thread.id),
                what: found.what,
                lock: found.lock,
                key: found.key,
                ends: found.ends,
                evidence: found.evidence,
                timed: found.timed,
                held: found.held,
                deadlocked: deadlocked.contains(&thread.id),
                place: state.and_then(|(python, state)| Place::of_thread(python, state)),
            });
        }
        waits
    }

    fn wait(&mut self, looked: &Looked<'m>, thread: &NativeThread) -> Option<Found> {
        let of_lock = looked.locks.as_ref().and_then(|locks| {
            let wait = locks.waits.iter().find(|wait| wait.thread == thread.id)?;
            Some((wait, locks.all.get(wait.lock)?))
        });
        if let Some((wait, lock)) = of_lock {
            return Some(self.lock(looked, thread, wait, lock));
        }
        self.call(looked, thread)
            .or_else(|| self.futex(looked, thread))
    }

    /// A wait for a lock or something like it.
    fn lock(
        &mut self,
        looked: &Looked<'m>,
        thread: &NativeThread,
        wait: &LockWait,
        lock: &Lock,
    ) -> Found {
        let member = looked.member;
        let mut found = Found {
            what: title(lock),
            lock: Some(wait.lock),
            key: Key::Lock(member.pid, wait.lock),
            ends: Ends::open(lock.owner.evidence()),
            evidence: match lock.owner.evidence() {
                "" => wait.evidence.clone(),
                evidence => evidence.to_owned(),
            },
            timed: wait.timed,
            held: lock.kind.is_held(),
        };
        let tids = |threads: &[usize]| {
            let all = member.process.threads();
            let tid = |id: &usize| Some(all.get(id.checked_sub(1)?)?.tid);
            threads.iter().filter_map(tid).collect::<Vec<i32>>()
        };
        let wakes_up = wait.timed || looked.interruptible == Some(thread.id);
        let state = member
            .python
            .as_ref()
            .and_then(|python| python.thread_of(thread.tid));
        let future = (lock.kind == Kind::Future).then_some(lock.address);
        let handler = state.filter(|_| !wakes_up);
        let handler = handler.and_then(|state| pools::handler(member, state, future));
        if let Some((handler, evidence)) = handler {
            found.ends = Ends::of(tids(&[handler]));
            found.evidence = evidence;
            return found;
        }
        match &lock.owner {
            Owner::Known { .. } | Owner::Inferred { .. }
                if lock.kind != Kind::ProcessLock || !lock.owner.threads().contains(&thread.id) =>
            {
                found.ends = Ends::of(tids(lock.owner.threads()));
            }
            Owner::AnyOf { threads, .. } if !wakes_up => {
                let others = tids(threads).into_iter().filter(|tid| *tid != thread.tid);
                found.ends = Ends::of(others.collect());
            }
            Owner::Process { pid, .. } if !wait.timed => {
                let holder = self.members.iter().find(|member| member.pid == *pid);
                found.ends = match holder {
                    Some(holder) => Ends::of(holder.tids()),
                    None => Ends::open(format!("process {pid} is not of the family")),
                };
            }
            Owner::Orphaned { .. } if !wait.timed => found.ends = Ends::of(Vec::new()),
            Owner::Nobody => found.ends = Ends::open("nobody holds it any more"),
            _ if wait.timed => found.ends = Ends::open("it gives up after some time"),
            _ => self.unknown(looked, thread, Some(lock.kind), &mut found),
        }
        found
    }

    /// A wait of which the process itself does not tell who could end it.
    fn unknown(
        &mut self,
        looked: &Looked<'m>,
        thread: &NativeThread,
        kind: Option<Kind>,
        found: &mut Found,
    ) {
        let Some(futex) = Futex::of(thread).filter(|futex| !futex.timed) else {
            return;
        };
        let is_lock = kind == Some(Kind::ProcessLock);
        if looked.interruptible == Some(thread.id) && !is_lock {
            found.ends = Ends::open("a signal handler of the program may end it");
            return;
        }
        if futex.private {
            let member = looked.member;
            let others = member.tids().into_iter().filter(|tid| *tid != thread.tid);
            found.ends = Ends::of(others.collect());
            found.evidence = "only threads of the same process can wake it".into();
            return;
        }
        let told = self
            .semaphores
            .told(looked.member, futex.addr, thread.tid, kind);
        if let Some(told) = told {
            found.key = told.key;
            found.ends = told.ends;
            found.evidence = told.evidence;
        }
    }

    /// A wait on a futex of which nothing else is known.
    fn futex(&mut self, looked: &Looked<'m>, thread: &NativeThread) -> Option<Found> {
        let futex = Futex::of(thread)?;
        let mut found = Found {
            what: format!("a futex at {}", futex.addr),
            lock: None,
            key: Key::Own(thread.tid),
            ends: Ends::open("it gives up after some time"),
            evidence: "it is in futex".into(),
            timed: futex.timed,
            held: false,
        };
        self.unknown(looked, thread, None, &mut found);
        Some(found)
    }
}

/// The threads (gdb numbers) that wait for each other by the locks of their own process alone.
fn deadlocked(locks: &Locks) -> Vec<usize> {
    let waits = locks.deadlocks.iter().flat_map(|deadlock| &deadlock.waits);
    let thread = |at: &usize| Some(locks.waits.get(*at)?.thread);
    waits.filter_map(thread).collect()
}
