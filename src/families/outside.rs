//! Waits of one process that other processes may explain: for what they write or read, for their end,
//! for something in memory that they share. Who they are is found without looking into them.

use super::Member;
use super::call::{Awaits, Call, Fd};
use super::wires::{Wires, process_of};
use crate::native::NativeThread;
use crate::native::futex::Futex;
use crate::target::proc;
use crate::target::proc_files::ProcFiles;
use crate::target::sharing::Sharing;
use serde::Serialize;
use std::cell::OnceCell;

/// A thread that waits for something that other processes may do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Outside {
    /// The thread (gdb number).
    pub thread: usize,
    /// The other processes.
    pub pids: Vec<i32>,
}

/// The threads of a process that wait, for any time, for something that other processes may do.
pub fn outside(member: &Member) -> Vec<Outside> {
    let looking = Looking {
        member,
        wires: Wires::default(),
        sharing: OnceCell::new(),
    };
    let threads = member.process.threads().iter();
    let waits = threads.filter_map(|thread| {
        let mut pids = looking.others(thread)?;
        pids.retain(|pid| *pid != member.pid);
        pids.sort_unstable();
        pids.dedup();
        (!pids.is_empty()).then_some(Outside {
            thread: thread.id,
            pids,
        })
    });
    waits.collect()
}

struct Looking<'m> {
    member: &'m Member,
    wires: Wires,
    sharing: OnceCell<Option<Sharing>>,
}

impl Looking<'_> {
    /// The processes that may end the wait of a thread.
    fn others(&self, thread: &NativeThread) -> Option<Vec<i32>> {
        if let Some(futex) = Futex::of(thread) {
            let shared = !futex.private && !futex.timed;
            return shared.then(|| self.sharers(&futex))?;
        }
        let (member, task) = (self.member, self.member.task());
        let memory = &*member.process.target.memory;
        let call = Call::of(thread, memory, task).filter(|call| !call.timed)?;
        let children = || proc::children(member.pid);
        Some(match call.awaits {
            Awaits::AnyChild => children(),
            Awaits::Child(own) => self.child(own).into_iter().collect(),
            Awaits::Fds(fds) => fds.into_iter().flat_map(|fd| self.holders(fd)).collect(),
            Awaits::Connection(fd, name) => {
                let wire = self.wires.listener(task, fd, &name).ok()?;
                wire.others.iter().map(|end| end.pid).collect()
            }
        })
    }

    fn sharers(&self, futex: &Futex) -> Option<Vec<i32>> {
        let sharing = || Sharing::of(&ProcFiles::Live(self.member.task()));
        let sharing = self.sharing.get_or_init(sharing).as_ref()?;
        Some(sharing.others(futex.addr)?.to_vec())
    }

    /// A child, by the id that the process itself knows.
    fn child(&self, own: i32) -> Option<i32> {
        let is_it = |pid: &i32| *pid == own || proc::Task::of(*pid).innermost_id() == Some(own);
        proc::children(self.member.pid).into_iter().find(is_it)
    }

    /// Who has the other end of a descriptor.
    fn holders(&self, fd: Fd) -> Vec<i32> {
        let task = self.member.task();
        if let Some(own) = process_of(task, fd.fd) {
            return self.child(own).into_iter().collect();
        }
        let wire = self.wires.wire(task, fd);
        wire.map_or(Vec::new(), |wire| {
            wire.others.iter().map(|end| end.pid).collect()
        })
    }
}
