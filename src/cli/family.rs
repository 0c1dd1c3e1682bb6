//! Attaching to a whole family of processes: each that runs Python becomes an inferior.

use super::render::inferiors::{Inferiors, Member};
use super::{Inferior, Session};
use pydbg::target::family::{self, Family};
use pydbg::target::processes::Entry;
use pydbg::target::{OpenError, Target};
use std::path::Path;
use std::thread;
use std::time::Instant;

impl Session {
    /// Attaches to a process and all its descendants that run Python, and stops them together
    /// (unless `--no-stop`). Whatever was open is left if that succeeds.
    pub fn open_tree(&mut self, pid: i32, exe: Option<&Path>) -> Result<Inferiors, OpenError> {
        let options = self.file_options(exe);
        // A process can be held only once: to attach again is to look at it anew.
        for inferior in self.inferiors_mut() {
            inferior.resume();
        }
        let start = Instant::now();
        let Family {
            targets,
            passed_over,
            refused,
            vanished,
            incomplete,
        } = family::attach(pid, &options)?;
        self.replace_inferiors(adopted(targets, start));
        // At a prompt they stay stopped; of a batch it may be that only their stacks are wanted.
        self.release();
        let refused = refused.into_iter().map(|(entry, why)| Member {
            why: Some(why),
            ..member(entry)
        });
        let mut report = Inferiors::of(self);
        report.attached = true;
        report.passed_over = passed_over.into_iter().map(member).collect();
        report.refused = refused.collect();
        report.vanished = vanished.into_iter().map(member).collect();
        report.incomplete = incomplete;
        Ok(report)
    }
}

fn member(entry: Entry) -> Member {
    Member {
        pid: entry.pid,
        name: entry.stat.name,
        why: None,
    }
}

/// An inferior for each target, numbered in their order. Looking for their files and Pythons is
/// shared among the processors.
fn adopted(targets: Vec<Target>, start: Instant) -> Vec<Inferior> {
    let adopt = |(index, target): (usize, Target)| {
        let mut inferior = Inferior::new(index + 1);
        inferior.adopt(target, start, None);
        inferior
    };
    let share = thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<(usize, Target)>> = (0..share).map(|_| Vec::new()).collect();
    for (index, target) in targets.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(index % share) {
            share.push((index, target));
        }
    }
    let mut inferiors: Vec<Inferior> = thread::scope(|scope| {
        let work = |share: Vec<_>| scope.spawn(move || share.into_iter().map(adopt).collect());
        let workers: Vec<_> = shares.into_iter().map(work).collect();
        // What panicked was reported; the others are shown.
        let shares = workers.into_iter().filter_map(|worker| worker.join().ok());
        shares.flat_map(|share: Vec<Inferior>| share).collect()
    });
    inferiors.sort_by_key(|inferior| inferior.number);
    inferiors
}
