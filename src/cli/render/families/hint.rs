//! What `locks` says of waits that only other processes explain: whose these are, and what to ask.

use super::pids;
use crate::cli::render::number::list;
use crate::cli::{Out, Session};
use pydbg::families::{Member, Outside, outside};
use pydbg::target::proc::Task;
use pydbg::target::processes::{self, Entry};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::io;
use std::sync::Arc;

/// How many processes are named.
const MOST_NAMED: usize = 4;

/// Waits of the process for what others may do.
#[derive(Serialize)]
pub struct Hint {
    /// The waits.
    waits: Vec<Outside>,
    /// The commands that look at all of these processes together.
    ask: Vec<String>,
}

impl Hint {
    /// The waits of a live process that other processes may explain, if it has any.
    pub fn of(session: &Session) -> Option<Hint> {
        let inferior = &session.inferior;
        let process = Arc::clone(inferior.process().ok()?);
        let member = Member::of(process, inferior.found().cloned())?;
        let waits = outside(&member);
        if waits.is_empty() {
            return None;
        }
        let others: FxHashSet<i32> = pids_of(&waits).collect();
        let seen: FxHashSet<i32> = pids(session).ok()?.into_iter().collect();
        let tree = "locks --tree".to_owned();
        let ask = match others.difference(&seen).next() {
            None => vec![tree],
            Some(_) => match above(member.pid, &others) {
                Some(root) => vec![format!("attach --tree {root}"), tree],
                None => Vec::new(),
            },
        };
        Some(Hint { waits, ask })
    }

    /// One line.
    pub fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let ids: Vec<usize> = self.waits.iter().map(|wait| wait.thread).collect();
        let (noun, verb) = match ids.as_slice() {
            [_] => ("Thread", "waits"),
            _ => ("Threads", "wait"),
        };
        let mut pids: Vec<i32> = pids_of(&self.waits).collect();
        pids.sort_unstable();
        pids.dedup();
        let mut named: Vec<String> = pids
            .iter()
            .take(MOST_NAMED)
            .map(|pid| named(*pid))
            .collect();
        if let more @ 1.. = pids.len().saturating_sub(MOST_NAMED) {
            named.push(format!("{more} more"));
        }
        let text = format!(
            "{noun} {} {verb} for what other processes may do: {}.",
            list(&ids),
            named.join(", ")
        );
        out.target(&text)?;
        let ask: Vec<String> = self.ask.iter().map(|line| format!("\"{line}\"")).collect();
        if !ask.is_empty() {
            out.put(format_args!(" That may explain it: {}.", ask.join(" and ")))?;
        }
        out.end()
    }
}

/// The processes that may end these waits.
fn pids_of(waits: &[Outside]) -> impl Iterator<Item = i32> {
    waits.iter().flat_map(|wait| wait.pids.iter().copied())
}

/// `12 (gunicorn)`.
fn named(pid: i32) -> String {
    match Task::of(pid).name() {
        Some(name) => format!("{pid} ({name})"),
        None => pid.to_string(),
    }
}

/// The nearest process that all of these descend from; not the first of all processes, from which
/// everything does.
fn above(pid: i32, others: &FxHashSet<i32>) -> Option<i32> {
    let all = processes::all().ok()?;
    let parents: FxHashMap<i32, i32> = all
        .iter()
        .map(|entry| (entry.pid, entry.stat.ppid))
        .collect();
    let is_of_all = |root: &i32| {
        let below = processes::descendants(&all, *root);
        let below: FxHashSet<i32> = below.into_iter().map(|entry: &Entry| entry.pid).collect();
        others.is_subset(&below)
    };
    let mut seen = FxHashSet::default();
    // What was read at different moments may form a ring.
    let up = std::iter::successors(Some(pid), |at| parents.get(at).copied())
        .take_while(|at| *at > 1 && seen.insert(*at));
    let mut up = up.filter(is_of_all);
    up.next()
}
