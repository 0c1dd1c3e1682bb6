//! Which threads did not run between two moments: their counts of context switches are the same
//! (`nvcsw` and `nivcsw` of Linux kernel/sched/core.c, shown in /proc/PID/task/TID/status). What
//! was read of such threads in between belongs together, although the process was not stopped.

use crate::target::proc::{self, Task};
use rustc_hash::FxHashMap;

/// How often each thread of a process was switched away from, at one moment.
pub(super) struct Standstill(FxHashMap<i32, u64>);

impl Standstill {
    /// The threads of a process now.
    pub(super) fn of(pid: i32) -> Standstill {
        let threads = proc::thread_ids(pid).unwrap_or_default().into_iter();
        let count = |tid| Some((tid, switches(Task { pid, tid })?));
        Standstill(threads.filter_map(count).collect())
    }

    /// Those threads that have not run until the moment `later`.
    pub(super) fn and_still(self, later: &Standstill) -> Standstill {
        let same = |(tid, count): &(i32, u64)| later.0.get(tid) == Some(count);
        Standstill(self.0.into_iter().filter(same).collect())
    }

    /// Whether a thread has not run.
    pub(super) fn holds(&self, tid: i32) -> bool {
        self.0.contains_key(&tid)
    }
}

/// How often a thread has left the processor, by itself or not.
fn switches(task: Task) -> Option<u64> {
    let text = task.read("status").ok()?;
    let text =
        std::str::from_utf8(text.get(text.iter().position(|&byte| byte == b'\n')?..)?).ok()?;
    let count = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse().ok()
    };
    count("voluntary_ctxt_switches:")?.checked_add(count("nonvoluntary_ctxt_switches:")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn who_runs_does_not_stand_still() {
        let pid = std::process::id() as i32;
        let own = nix::unistd::gettid().as_raw();
        let before = Standstill::of(pid);
        assert!(before.holds(own));
        std::thread::sleep(Duration::from_millis(1));
        assert!(!before.and_still(&Standstill::of(pid)).holds(own));
    }
}
