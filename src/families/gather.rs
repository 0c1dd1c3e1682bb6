//! What every thread of every process waits for, and who could end that: by the locks of its own process
//! where these tell, else by what connects it with others.

use super::call::{self, Awaits, Call, Fd};
use super::semaphores::Semaphores;
use super::verdict::Chain;
use super::wires::{Wires, ends_of, process_of};
use super::{Ends, Key, Member, Wait, pools};
use crate::escape;
use crate::native::NativeThread;
use crate::sync::futex::Futex;
use crate::sync::{Kind, Lock, Locks, Owner, Place, Wait as LockWait, interruptible};
use crate::target::ends::End;
use crate::target::proc::{self, Task};
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

    /// A wait in a system call that leads to other processes.
    fn call(&mut self, looked: &Looked<'m>, thread: &NativeThread) -> Option<Found> {
        let member = looked.member;
        let task = member.task();
        let target = &member.process.target;
        let native = || {
            target
                .threads
                .iter()
                .find(|native| native.tid == thread.tid)
        };
        let call = Call::of(thread, &*target.memory, task);
        let call = call.or_else(|| call::cut_short(native()?))?;
        let (what, key, ends, evidence) = match &call.awaits {
            Awaits::Fds(fds) => self.data(member, thread, task, fds)?,
            Awaits::Child(own) => self.child(member, *own),
            Awaits::AnyChild => self.any_child(member),
            Awaits::Connection(fd, name) => self.connection(member, thread, *fd, name)?,
        };
        // Handlers of other signals run only when somebody sends one.
        let interruptible = || {
            let for_data = matches!(call.awaits, Awaits::Fds(_) | Awaits::Connection(..));
            looked.interruptible == Some(thread.id) && member.has_timed_handlers(for_data)
        };
        let ends = match call.timed {
            true => Ends::open("it gives up after some time"),
            false if interruptible() => Ends::open("a signal handler of the program may end it"),
            false => ends,
        };
        Some(Found {
            what,
            lock: None,
            key,
            ends,
            evidence,
            timed: call.timed,
            held: false,
        })
    }

    /// A wait for data or for room; `None` where it is for no pipe, socket or process.
    fn data(
        &mut self,
        member: &Member,
        thread: &NativeThread,
        task: Task,
        fds: &[Fd],
    ) -> Option<(String, Key, Ends, String)> {
        let (mut links, mut words, mut tids) = (Vec::new(), Vec::new(), Vec::new());
        let (mut evidence, mut open) = (Vec::new(), None);
        let mut handlers = None;
        let state = member
            .python
            .as_ref()
            .and_then(|python| Some((python, python.thread_of(thread.tid)?)));
        let takes_results =
            state.is_some_and(|(python, state)| pools::takes_results(python, state));
        for fd in fds {
            let process = process_of(task, fd.fd).and_then(|own| self.child_pid(member, own));
            if let Some(child) = process {
                tids.push(child);
                words.push(format!("the end of process {child}"));
                continue;
            }
            let wire = match self.wires.wire(task, *fd) {
                Ok(wire) => wire,
                Err(why) => {
                    open.get_or_insert(why);
                    continue;
                }
            };
            let mut others = wire.others;
            let is_own = |end: &End| end.pid == member.pid;
            if takes_results && others.iter().any(|end| !is_own(end)) {
                others.retain(|end| !is_own(end));
            } else if takes_results && fds.len() > 1 {
                // By this pipe a pool's own process only tells of new work.
                continue;
            }
            if others.iter().any(is_own) && *handlers.get_or_insert_with(|| member.has_handlers()) {
                open.get_or_insert("a function that runs on signals may end it".to_owned());
            }
            match ends_of(self.members, &others, thread.tid) {
                Ends::Threads { tids: all } => tids.extend(all),
                Ends::Open { why } => {
                    open.get_or_insert(why);
                }
            }
            let verb = match (fd.reads, fd.writes) {
                (true, false) => "data from",
                (false, _) => "room in",
                _ => "data from or room in",
            };
            let pending = match wire.pending {
                true => ", a connection that is not accepted yet",
                false => "",
            };
            words.push(format!("{verb} {} (fd {}{pending})", wire.link, fd.fd));
            let end = match wire.pending {
                true => ("the socket that listens", "the process itself"),
                false => end_of(&wire.link, fd.reads),
            };
            evidence.push(who_has(end, &others, member.pid));
            links.push(wire.link);
        }
        if words.is_empty() {
            return None;
        }
        let ends = match open {
            Some(why) => Ends::Open { why },
            None => Ends::of(tids),
        };
        const MOST_WORDS: usize = 4;
        let more = words.len().saturating_sub(MOST_WORDS);
        words.truncate(MOST_WORDS);
        evidence.truncate(MOST_WORDS);
        let mut what = words.join(", or ");
        if more > 0 {
            what.push_str(&format!(", or {more} others"));
        }
        let only_room = !fds.iter().any(|fd| fd.reads);
        let key = Key::Data(links, only_room);
        Some((what, key, ends, evidence.join("; ")))
    }

    /// A wait to be connected with a Unix socket, whose owner has too many connections to accept.
    fn connection(
        &mut self,
        member: &Member,
        thread: &NativeThread,
        fd: i32,
        name: &[u8],
    ) -> Option<(String, Key, Ends, String)> {
        let wire = self.wires.listener(member.task(), fd, name).ok()?;
        let ends = ends_of(self.members, &wire.others, thread.tid);
        let name = match name.split_first() {
            // A name that is no path, written as ss(8) does.
            Some((0, rest)) => format!("@{}", escape::lossy(rest)),
            _ => escape::lossy(name.split(|byte| *byte == 0).next()?),
        };
        let evidence = who_has(
            ("the socket that listens", "the process itself"),
            &wire.others,
            member.pid,
        );
        Some((
            format!("a connection with {name} (fd {fd})"),
            Key::Data(vec![wire.link], false),
            ends,
            evidence,
        ))
    }

    /// A child, as pydbg sees it, by the id that its parent knows.
    fn child_pid(&self, parent: &Member, own: i32) -> Option<i32> {
        let mut members = self.members.iter();
        let is_it = |member: &&Member| {
            let counted = || {
                member
                    .task()
                    .innermost_id()
                    .filter(|_| member.pid == member.task().tid)
            };
            member.parent() == Some(parent.pid) && (member.pid == own || counted() == Some(own))
        };
        Some(members.find(is_it)?.pid)
    }

    fn child(&self, member: &Member, own: i32) -> (String, Key, Ends, String) {
        const EVIDENCE: &str = "a process ends when its main thread does";
        match self.child_pid(member, own) {
            Some(pid) => {
                let named = self.members.iter().find(|member| member.pid == pid);
                let name = named.map_or_else(String::new, |member| format!(" ({})", member.name()));
                let key = Key::End(vec![pid]);
                (
                    format!("the end of child {pid}{name}"),
                    key,
                    Ends::of(vec![pid]),
                    EVIDENCE.into(),
                )
            }
            None => {
                let open = Ends::open("the child was not looked at");
                (
                    format!("the end of child {own}"),
                    Key::End(vec![own]),
                    open,
                    EVIDENCE.into(),
                )
            }
        }
    }

    fn any_child(&self, member: &Member) -> (String, Key, Ends, String) {
        let children = proc::children(member.pid);
        let is_member = |pid: &i32| self.members.iter().any(|member| member.pid == *pid);
        let ends = match children.iter().find(|pid| !is_member(pid)) {
            Some(other) => Ends::open(format!("child {other} was not looked at")),
            None => Ends::of(children.clone()),
        };
        let evidence = "a process ends when its main thread does".to_owned();
        (
            "the end of any child".into(),
            Key::End(children),
            ends,
            evidence,
        )
    }
}

/// The threads (gdb numbers) that wait for each other by the locks of their own process alone.
fn deadlocked(locks: &Locks) -> Vec<usize> {
    let waits = locks.deadlocks.iter().flat_map(|deadlock| &deadlock.waits);
    let thread = |at: &usize| Some(locks.waits.get(*at)?.thread);
    waits.filter_map(thread).collect()
}

/// What the other end of something is called, and who it is when it is the waiting process itself.
fn end_of(link: &str, reads: bool) -> (&'static str, &'static str) {
    match (link.starts_with("pipe:"), reads) {
        (true, true) => ("its write end", "the reader itself"),
        (true, false) => ("its read end", "the writer itself"),
        _ => ("its other end", "the process itself"),
    }
}

/// Who has the other end: `its write end is open in process 11 (fd 5), in the reader itself (fd 4)`.
fn who_has((end, itself): (&str, &str), others: &[End], own: i32) -> String {
    const MOST_LISTED: usize = 6;
    let said = others
        .iter()
        .take(MOST_LISTED)
        .map(|end| match end.pid == own {
            true => format!("in {itself} (fd {})", end.fd),
            false => format!("in process {} (fd {})", end.pid, end.fd),
        });
    let mut said: Vec<String> = said.collect();
    if others.len() > MOST_LISTED {
        said.push("…".into());
    }
    format!("{end} is open {}", said.join(", "))
}
