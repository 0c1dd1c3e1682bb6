//! A process and all its descendants, stopped together: first every one is made ready, then all
//! are asked to stop at once, and only when all stand still is anything read. Children that are
//! born meanwhile are found by looking again until there are none, which comes to an end because
//! a parent that is stopped has no more.

use super::crew::{Crew, Tracee, errno_of};
use super::live::{self, Prepared};
use super::processes::{self, Entry, Guess};
use super::tracer::{Stopping, Tracer};
use super::{OpenError, Options, Target, proc, refusal};
use nix::errno::Errno;
use rustc_hash::FxHashSet;
use std::time::{Duration, Instant};

/// How long children that are born all the time are looked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most processes that are held at once.
const MOST: usize = 1000;

/// What became of a process and its descendants.
#[derive(Default)]
pub struct Family {
    /// Those that are held, parents before their children.
    pub targets: Vec<Target>,
    /// Those that run no Python, which run on.
    pub passed_over: Vec<Entry>,
    /// Those that could not be attached to, and why.
    pub refused: Vec<(Entry, String)>,
    /// Those that have ended: zombies, and those that ended meanwhile.
    pub vanished: Vec<Entry>,
    /// Whether new ones were still being born when the time was over, or there are too many.
    pub incomplete: bool,
}

/// One that is held, or is to be read as it runs.
struct Member {
    entry: Entry,
    prepared: Prepared,
    held: Option<(Tracer, Vec<Tracee>)>,
}

/// Attaches to the process `root` and to all its descendants that run Python, and stops them
/// (unless `options.no_stop`). The root is attached to in any case if no other is.
pub fn attach(root: i32, options: &Options) -> Result<Family, OpenError> {
    let refusal = |errno| OpenError::Attach {
        pid: root,
        why: refusal::explain(root, errno, options.no_stop),
    };
    let pid = proc::process_of(root).ok_or_else(|| refusal(Errno::ESRCH))?;
    let mut family = Family::default();
    let mut members = Vec::new();
    let mut known = FxHashSet::default();
    let start = Instant::now();
    loop {
        let all = processes::all().map_err(|error| refusal(errno_of(&error)))?;
        let all = processes::descendants(&all, pid).into_iter();
        let fresh = all.filter(|entry| known.insert((entry.pid, entry.stat.start_ticks)));
        let fresh: Vec<Entry> = fresh.cloned().collect();
        if fresh.is_empty() {
            break;
        }
        if start.elapsed() > PATIENCE || members.len() + fresh.len() > MOST {
            family.incomplete = true;
            break;
        }
        let ready = family.prepare(fresh, options);
        members.extend(family.stop(ready, options.no_stop));
    }
    for Member {
        entry,
        prepared,
        held,
    } in members
    {
        let target = match held {
            Some((tracer, tracees)) => prepared.stopped(tracer, tracees),
            None => prepared.running(),
        };
        match target {
            Ok(target) => family.targets.push(target),
            Err(errno) => family.lost(entry, errno, options.no_stop),
        }
    }
    if family.targets.is_empty() {
        family.passed_over.retain(|entry| entry.pid != pid);
        family.refused.retain(|(entry, _)| entry.pid != pid);
        family.targets.push(live::attach(root, options)?);
    }
    Ok(family)
}

impl Family {
    /// Of these processes those that are to be stopped, made ready for it.
    fn prepare(&mut self, entries: Vec<Entry>, options: &Options) -> Vec<(Entry, Prepared)> {
        let mut ready = Vec::new();
        for entry in entries.into_iter().filter(|entry| !entry.is_pydbg()) {
            if entry.stat.ended() && entry.stat.threads <= 1 {
                self.vanished.push(entry);
                continue;
            }
            match entry.guess() {
                Guess::Python | Guess::Embeds => match Prepared::read(entry.pid, options) {
                    Ok(prepared) if prepared.is(&entry) => ready.push((entry, prepared)),
                    Ok(_) => self.vanished.push(entry),
                    Err(errno) => self.lost(entry, errno, options.no_stop),
                },
                Guess::Hidden { named: true } => self.lost(entry, Errno::EACCES, options.no_stop),
                Guess::Hidden { named: false } | Guess::Other => self.passed_over.push(entry),
            }
        }
        ready
    }

    /// Stops these processes, all at once.
    fn stop(&mut self, ready: Vec<(Entry, Prepared)>, no_stop: bool) -> Vec<Member> {
        let none = FxHashSet::default();
        let begin = |(entry, prepared): (Entry, Prepared)| {
            let crew = || Crew::new(prepared.pid, prepared.busy(), &none);
            let begun = (!no_stop).then(|| Stopping::begin(crew()));
            (entry, prepared, begun)
        };
        let begun: Vec<_> = ready.into_iter().map(begin).collect();
        let mut members = Vec::with_capacity(begun.len());
        for (entry, prepared, begun) in begun {
            let held = match begun.map(|begun| begun.and_then(Stopping::wait)) {
                Some(Ok(held)) => Some(held),
                Some(Err(errno)) => {
                    self.lost(entry, errno, no_stop);
                    continue;
                }
                None => None,
            };
            members.push(Member {
                entry,
                prepared,
                held,
            });
        }
        members
    }

    /// One that cannot be had.
    fn lost(&mut self, entry: Entry, errno: Errno, no_stop: bool) {
        let ended = |entry: &Entry| match Entry::of(entry.pid) {
            Some(now) => now.stat.start_ticks != entry.stat.start_ticks || now.stat.ended(),
            None => true,
        };
        if errno == Errno::ESRCH || ended(&entry) {
            self.vanished.push(entry);
        } else {
            let why = refusal::explain(entry.pid, errno, no_stop);
            self.refused.push((entry, why));
        }
    }
}
