//! Attaching to a whole family of processes: each that runs Python becomes an inferior. A batch
//! stops them only while their bytes are copied, as [`super::capture`] does with one process.

use super::capture::Rehearsal;
use super::render::inferiors::{Inferiors, Member};
use super::render::value::limits;
use super::{Inferior, Session};
use pydbg::diag::Cancel;
use pydbg::glance;
use pydbg::target::family::{self, Family};
use pydbg::target::live::LiveHold;
use pydbg::target::processes::{self, Entry, Guess};
use pydbg::target::{OpenError, Options, Origin, Target};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long one process is rehearsed.
const LIMIT: Duration = Duration::from_secs(2);

/// What rehearsals of the processes of a family learnt, by id.
type Rehearsals = FxHashMap<i32, Rehearsal>;

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
        let rehearsals = self.rehearse_tree(pid, &options);
        let mut family = family::attach(pid, &options)?;
        let targets = std::mem::take(&mut family.targets);
        copy(&targets, &rehearsals);
        self.replace_inferiors(adopted(targets, start, &rehearsals));
        if self.reads_beyond_the_copy() {
            // Some did not stand where the rehearsals saw them: look at all while they are held.
            let start = Instant::now();
            family = family::attach(pid, &options)?;
            let targets = std::mem::take(&mut family.targets);
            self.replace_inferiors(adopted(targets, start, &rehearsals));
        }
        // At a prompt they stay stopped; of a batch it may be that only their stacks are wanted.
        self.release();
        Ok(self.report(family))
    }

    /// Rehearses the analysis of all processes that will be attached to, if the commands to come
    /// are known and need not hold them while they run.
    fn rehearse_tree(&self, pid: i32, options: &Options) -> Rehearsals {
        let Some(needs) = self.needs_that_allow_a_copy(options) else {
            return Rehearsals::default();
        };
        let all = processes::all().unwrap_or_default();
        let root = pydbg::target::proc::process_of(pid).unwrap_or(pid);
        let tree: Vec<Entry> = processes::descendants(&all, root)
            .into_iter()
            .cloned()
            .collect();
        let (options, limits) = (options.clone(), limits(self));
        let rehearse = move |entry: &Entry, cancel: &Cancel| {
            let runs_python = matches!(entry.guess(), Guess::Python | Guess::Embeds);
            let options = Options {
                cancel: cancel.clone(),
                ..options.clone()
            };
            let rehearsal = || Rehearsal::of(entry.pid, &options, needs, limits);
            Some((entry.pid, runs_python.then(rehearsal)??))
        };
        let rehearsals = glance::each(tree, LIMIT, &self.cancel, rehearse);
        rehearsals.into_iter().flatten().flatten().collect()
    }

    fn report(&self, family: Family) -> Inferiors {
        let refused = family.refused.into_iter().map(|(entry, why)| Member {
            why: Some(why),
            ..member(entry)
        });
        let mut report = Inferiors::of(self);
        report.attached = true;
        report.passed_over = family.passed_over.into_iter().map(member).collect();
        report.refused = refused.collect();
        report.vanished = family.vanished.into_iter().map(member).collect();
        report.incomplete = family.incomplete;
        report
    }
}

fn member(entry: Entry) -> Member {
    Member {
        pid: entry.pid,
        name: entry.stat.name,
        why: None,
    }
}

/// What was learnt of this target.
fn rehearsal<'r>(target: &Target, rehearsals: &'r Rehearsals) -> Option<&'r Rehearsal> {
    match target.origin {
        Origin::Live(pid) => rehearsals.get(&pid),
        Origin::Core(_) | Origin::Snapshot(_) | Origin::Synthetic => None,
    }
}

/// Copies what the analysis will want of each target that was rehearsed, then lets these run on,
/// all of them when the last was copied: what was read of them is of one moment.
fn copy(targets: &[Target], rehearsals: &Rehearsals) {
    let rehearsed = || {
        let known = |target| Some((target, rehearsal(target, rehearsals)?));
        targets.iter().filter_map(known)
    };
    shared(rehearsed().collect(), |(target, rehearsal)| {
        rehearsal.copy(target)
    });
    for (target, _) in rehearsed() {
        target.resume();
    }
}

/// An inferior for each target, numbered in their order.
fn adopted(targets: Vec<Target>, start: Instant, rehearsals: &Rehearsals) -> Vec<Inferior> {
    let numbered = targets.into_iter().zip(1..).collect();
    shared(numbered, |(target, number)| {
        let mut inferior = Inferior::new(number);
        let known = rehearsal(&target, rehearsals).and_then(|known| known.runtime.as_ref());
        inferior.released = target
            .live()
            .is_some_and(|live| !LiveHold::is_stopped(live));
        inferior.adopt(target, start, known);
        inferior
    })
}

/// What `work` gives for each of `items`, in their order; the processors share the work. What
/// panicked, which was reported, is left out.
fn shared<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<(usize, T)>> = (0..count).map(|_| Vec::new()).collect();
    for (index, item) in items.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(index % count) {
            share.push((index, item));
        }
    }
    let work = &work;
    let one = |share: Vec<(usize, T)>| -> Vec<(usize, R)> {
        let done = share.into_iter().map(|(index, item)| (index, work(item)));
        done.collect()
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let start = |share| scope.spawn(move || one(share));
        let workers: Vec<_> = shares.into_iter().map(start).collect();
        let shares = workers.into_iter().filter_map(|worker| worker.join().ok());
        shares.flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
