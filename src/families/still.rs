//! Which threads have not run while they were looked at. What is said of several processes is true of
//! one moment only if those it is about stood still from the first look to the last: a thread that
//! runs in between counts a switch of context (Linux fs/proc/array.c `task_context_switch_counts`).

use super::{Ends, Member, Wait};
use crate::target::proc::{self, Task};
use rustc_hash::FxHashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long threads must have stood still at least.
const LEAST: Duration = Duration::from_millis(40);

/// The number by which Linux continues some calls that were interrupted.
const RESTART: i64 = 219;

/// How often each thread has been switched to, by LWP id.
pub(super) type Switches = FxHashMap<i32, u64>;

/// Threads at a moment.
pub(super) struct Still {
    begun: Instant,
    switches: Switches,
}

impl Still {
    /// Notes where all threads are, of a process that was opened for this as it was before that.
    pub(super) fn begin(members: &[Member]) -> Still {
        let begun = Instant::now();
        let switches = members.iter().flat_map(|member| match &member.before {
            Some(before) => (**before).clone(),
            None => switches_of(member.pid),
        });
        Still {
            begun,
            switches: switches.collect(),
        }
    }

    /// Opens the waits of threads that have run since. Nothing runs of a process that is held.
    pub(super) fn check(&self, members: &[Member], waits: &mut [Wait]) {
        let is_held = |pid: i32| {
            let member = members.iter().find(|member| member.pid == pid);
            let live = member.and_then(|member| member.process.target.live());
            live.is_some_and(|live| live.is_stopped())
        };
        if !waits.iter().all(|wait| is_held(wait.pid)) {
            sleep(LEAST.saturating_sub(self.begun.elapsed()));
        }
        for wait in waits {
            if is_held(wait.pid) {
                continue;
            }
            let task = Task {
                pid: wait.pid,
                tid: wait.tid,
            };
            let before = self.switches.get(&wait.tid).copied();
            if before.is_none() || before != switches(task) || !is_where_it_was(members, wait, task)
            {
                wait.ends = Ends::open("the thread has run while it was looked at");
            }
        }
    }
}

/// How often each thread of a process has been switched to.
pub(super) fn switches_of(pid: i32) -> Switches {
    let tids = proc::thread_ids(pid).unwrap_or_default().into_iter();
    tids.filter_map(|tid| Some((tid, switches(Task { pid, tid })?)))
        .collect()
}

/// How often a thread has been switched to.
fn switches(task: Task) -> Option<u64> {
    let count = |key| u64::from(task.status_number(key, 0).unwrap_or(u32::MAX));
    task.stat().filter(|stat| !stat.ended())?;
    count("voluntary_ctxt_switches").checked_add(count("nonvoluntary_ctxt_switches"))
}

/// Whether a thread is in the system call that it was in when the process was captured.
fn is_where_it_was(members: &[Member], wait: &Wait, task: Task) -> bool {
    let member = members.iter().find(|member| member.pid == wait.pid);
    let thread = member.and_then(|member| {
        let threads = member.process.threads();
        threads.get(wait.thread.checked_sub(1)?)
    });
    let Some(before) = thread.and_then(|thread| thread.syscall.as_ref()) else {
        return false;
    };
    let Some(now) = task.blocked_registers() else {
        return false;
    };
    let number = now.syscall;
    let same = number == Some(before.number) || number == Some(RESTART);
    same && (0..3).all(|at| now.syscall_arg(at) == before.args.get(at).copied())
}
