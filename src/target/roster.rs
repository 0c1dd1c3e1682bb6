//! The threads of a live process: what /proc said of them before the stop, put together with
//! what the tracer found. Reading before the stop keeps the stop short, and the state a thread
//! was in (`S`, `R`, `D`) can be seen only then.

use super::crew::{Hold, Tracee, errno_of};
use super::proc::{self, Stat, Task};
use super::{ProcessInfo, TargetThread};
use crate::diag::Notes;
use nix::errno::Errno;
use rustc_hash::{FxHashMap, FxHashSet};

/// A process before the stop.
pub(super) struct Roster {
    /// The process as its main thread's entry shows it.
    pub(super) leader: Stat,
    /// A thread that lives: the main thread if it does.
    pub(super) alive: Task,
    threads: Vec<i32>,
    stats: FxHashMap<i32, Stat>,
    /// Whether its threads have other ids in their own PID namespace.
    other_namespace: bool,
}

impl Roster {
    /// Reads the list of threads and an entry of each.
    pub(super) fn read(pid: i32) -> Result<Roster, Errno> {
        let threads = proc::thread_ids(pid).map_err(|error| errno_of(&error))?;
        let stats: FxHashMap<i32, Stat> = threads
            .iter()
            .filter_map(|&tid| Some((tid, Task { pid, tid }.stat()?)))
            .collect();
        let leader = stats.get(&pid).ok_or(Errno::ESRCH)?.clone();
        if leader.kernel {
            return Err(Errno::EPERM);
        }
        let lives = |tid: &&i32| stats.get(tid).is_some_and(|stat| !stat.ended());
        let tid = *threads.iter().find(lives).ok_or(Errno::ESRCH)?;
        let alive = Task { pid, tid };
        Ok(Roster {
            leader,
            alive,
            other_namespace: alive.innermost_id().is_some_and(|id| id != tid),
            threads,
            stats,
        })
    }

    /// Who the process is, but for its executable.
    pub(super) fn process(&self) -> ProcessInfo {
        ProcessInfo {
            pid: self.alive.pid,
            ppid: Some(self.leader.ppid),
            uid: self.alive.status_number("Uid", 0),
            comm: Some(self.leader.name.clone()),
            args: self.alive.command_line(),
            exe: None,
        }
    }

    /// The threads that ran, or waited for a processor.
    pub(super) fn busy(&self) -> FxHashSet<i32> {
        let running = self.stats.iter().filter(|(_, stat)| stat.state == 'R');
        running.map(|(&tid, _)| tid).collect()
    }

    /// The threads as the tracer would report them, had it stopped none.
    pub(super) fn running(&self) -> Vec<Tracee> {
        let tracee = |&tid: &i32| match self.stats.get(&tid) {
            Some(stat) if !stat.ended() => Tracee::new(tid, Hold::Running),
            _ => Tracee::new(tid, Hold::Gone),
        };
        self.threads.iter().map(tracee).collect()
    }

    /// The threads for the user: those that live, and a main thread that does not.
    pub(super) fn threads(&self, tracees: &[Tracee]) -> Vec<TargetThread> {
        tracees
            .iter()
            .filter(|tracee| tracee.hold != Hold::Gone || tracee.tid == self.alive.pid)
            .map(|tracee| self.thread(tracee))
            .collect()
    }

    fn thread(&self, tracee: &Tracee) -> TargetThread {
        let task = Task {
            pid: self.alive.pid,
            tid: tracee.tid,
        };
        // A thread that was born during the stop has no state from before.
        let before = self.stats.get(&tracee.tid);
        let name = before.map(|stat| stat.name.clone());
        TargetThread {
            tid: tracee.tid,
            ns_tid: self.other_namespace.then(|| task.innermost_id()).flatten(),
            registers: match tracee.hold {
                Hold::Stopped { .. } => tracee.registers,
                Hold::Running | Hold::Spared | Hold::Refused(_) => task.blocked_registers(),
                Hold::Gone => None,
            },
            signal: None,
            name: name.or_else(|| Some(task.stat()?.name)),
            state: match tracee.hold {
                Hold::Gone => Some('Z'),
                _ => before.map(|stat| stat.state),
            },
        }
    }

    /// Says what is unusual about the process and what could not be had.
    pub(super) fn note(&self, tracees: &[Tracee], no_stop: bool, notes: &Notes) {
        if self.leader.ended() {
            notes.info("the main thread has ended; other threads go on");
        }
        if self.leader.state == 'T' {
            notes.info("the process was stopped (SIGSTOP) before pydbg came, and stays so");
        }
        if no_stop {
            notes.partial(
                "the process was not stopped: stacks may be torn, and only blocked threads have \
                 registers, in part",
            );
            return;
        }
        let list = |wanted: fn(&Tracee) -> bool| {
            let those = tracees.iter().filter(|tracee| wanted(tracee));
            enumerate(those.map(|tracee| tracee.tid).collect())
        };
        if let Some(late) = list(|tracee| tracee.hold == Hold::Running) {
            notes.partial(format!(
                "did not stop in time (asleep in the kernel, such as in vfork): {late}"
            ));
        }
        if let Some(refused) = list(|tracee| matches!(tracee.hold, Hold::Refused(_))) {
            notes.partial(format!("traced by another program: {refused}"));
        }
        if let Some(odd) = list(|tracee| tracee.is_held() && tracee.registers.is_none()) {
            notes.partial(format!("registers are not those of x86-64: {odd}"));
        }
    }
}

/// "thread 7", or "threads 7, 8, 9 and 30 more".
fn enumerate(tids: Vec<i32>) -> Option<String> {
    const SHOWN: usize = 10;
    let shown: Vec<String> = tids.iter().take(SHOWN).map(i32::to_string).collect();
    let shown = shown.join(", ");
    match tids.len() {
        0 => None,
        1 => Some(format!("thread {shown}")),
        count if count <= SHOWN => Some(format!("threads {shown}")),
        count => Some(format!("threads {shown} and {} more", count - SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(enumerate(vec![]), None);
        assert_eq!(enumerate(vec![7]).as_deref(), Some("thread 7"));
        assert_eq!(enumerate(vec![7, 8]).as_deref(), Some("threads 7, 8"));
        let long = enumerate((0..33).collect()).unwrap();
        assert!(long.ends_with("8, 9 and 23 more"), "{long}");
    }
}
