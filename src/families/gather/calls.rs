//! Waits in system calls that lead to other processes: for data or room in what connects them, for a
//! connection, for the end of a child.

use super::{Found, Gathering, Looked};
use crate::escape;
use crate::families::call::{self, Awaits, Call, Fd};
use crate::families::wires::{ends_of, process_of};
use crate::families::{Ends, Key, Member, pools};
use crate::native::NativeThread;
use crate::target::ends::End;
use crate::target::proc::{self, Task};

impl<'m> Gathering<'m> {
    /// A wait in a system call that leads to other processes.
    pub(super) fn call(&mut self, looked: &Looked<'m>, thread: &NativeThread) -> Option<Found> {
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
