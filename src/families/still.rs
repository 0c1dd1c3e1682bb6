//! Which threads have not run while they were looked at. What is said of several processes is true of
//! one moment only if those it is about stood still from the first look to the last: a thread that
//! runs in between counts a switch of context (Linux fs/proc/array.c `task_context_switch_counts`).

use super::{Ends, Member, Wait};
use crate::target::proc::Task;
use rustc_hash::FxHashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long threads must have stood still at least.
const LEAST: Duration = Duration::from_millis(40);

/// The number by which Linux continues some calls that were interrupted.
const RESTART: i64 = 219;

/// Threads at a moment.
pub(super) struct Still {
    begun: Instant,
    /// How often each thread has been switched to, by LWP id.
    switches: FxHashMap<i32, u64>,
}

impl Still {
    /// Notes where all threads are.
    pub(super) fn begin(members: &[Member]) -> Still {
        let begun = Instant::now();
        let tasks = members.iter().flat_map(tasks);
        let switches = tasks.filter_map(|task| Some((task.tid, switches(task)?)));
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

fn tasks(member: &Member) -> impl Iterator<Item = Task> {
    let pid = member.pid;
    member.tids().into_iter().map(move |tid| Task { pid, tid })
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
