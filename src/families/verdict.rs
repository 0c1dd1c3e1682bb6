//! What follows from who waits for whom: processes that wait for each other, locks whose holder has
//! ended, data that nobody is left to write.

use super::chain::{self, Sentence};
use super::{Ended, Key, Member, Wait};
use crate::sync::knots::{stuck, terminal_components};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::collections::VecDeque;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Threads wait for each other.
    Deadlock,
    /// Nobody can release what is waited for: who held it has ended.
    Orphaned,
    /// Nobody is left who could write what is read, and its end never comes.
    Starved,
    /// Nobody is left who could end the wait.
    Lost,
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What.
    pub verdict: Kind,
    /// The whole chain in a sentence or two.
    pub text: String,
    /// The waits that are at the bottom of it: positions in [`super::Family::waits`].
    pub waits: Vec<usize>,
    /// Those that wait for these, the nearest first.
    pub behind: Vec<usize>,
    /// The processes that it is about.
    pub pids: Vec<i32>,
    /// Whether one of the waits ends by itself after some time.
    pub timed: bool,
}

/// Waits that cannot end, and those that wait for them.
pub(super) struct Chain {
    /// Those at the bottom of it.
    waits: Vec<usize>,
    /// The others, the nearest first.
    behind: Vec<usize>,
    /// Whether nobody is left to end those at the bottom.
    nobody: bool,
    /// The processes.
    pub(super) pids: Vec<i32>,
}

/// Finds who cannot go on.
pub(super) fn find(members: &[Member], waits: &[Wait]) -> Vec<Chain> {
    let by_tid = waits.iter().enumerate().map(|(at, wait)| (wait.tid, at));
    let by_tid: FxHashMap<i32, usize> = by_tid.collect();
    let edges = waits.iter().map(|wait| {
        let tids = wait.ends.tids()?.iter();
        tids.map(|tid| by_tid.get(tid).copied()).collect()
    });
    let edges: Vec<Option<Vec<usize>>> = edges.collect();
    let stuck = stuck(&edges);
    let edges: Vec<Vec<usize>> = edges.into_iter().map(Option::unwrap_or_default).collect();
    let mut roots = never(waits, &edges, &stuck);
    let knots = terminal_components(&edges, &stuck).into_iter();
    roots.extend(knots.filter(|knot| is_worth_telling(waits, knot)));
    // Who only tidies up behind the others, or sleeps for reasons of its own, says nothing.
    let tidies = |pid: i32| {
        let member = members.iter().find(|member| member.pid == pid);
        member.is_some_and(Member::tidies_up)
    };
    let is_telling = |at: &usize| {
        let wait = waits.get(*at);
        wait.is_some_and(|wait| !matches!(wait.key, Key::Own(_)) && !tidies(wait.pid))
    };
    let chain = |mut root: Vec<usize>| {
        root.sort_unstable();
        let mut behind = behind(&root, &edges, &stuck);
        behind.retain(is_telling);
        let all = root.iter().chain(&behind);
        let mut pids: Vec<i32> = all.filter_map(|at| Some(waits.get(*at)?.pid)).collect();
        pids.sort_unstable();
        pids.dedup();
        Chain {
            nobody: root
                .iter()
                .all(|at| edges.get(*at).is_some_and(Vec::is_empty)),
            waits: root,
            behind,
            pids,
        }
    };
    let mut chains: Vec<Chain> = roots.into_iter().map(chain).collect();
    chains.sort_by_key(|chain| chain.waits.first().copied());
    chains
}

/// The waits that nothing can end, those for the same thing together.
fn never(waits: &[Wait], edges: &[Vec<usize>], stuck: &[bool]) -> Vec<Vec<usize>> {
    let mut roots: Vec<Vec<usize>> = Vec::new();
    let mut known: FxHashMap<&Key, usize> = FxHashMap::default();
    for (at, wait) in waits.iter().enumerate() {
        let ends = edges.get(at).is_some_and(Vec::is_empty);
        if !ends || stuck.get(at) != Some(&true) {
            continue;
        }
        let root = *known.entry(&wait.key).or_insert_with(|| {
            roots.push(Vec::new());
            roots.len() - 1
        });
        if let Some(root) = roots.get_mut(root) {
            root.push(at);
        }
    }
    roots
}

/// Threads of one process that wait for each other by nothing but locks are a deadlock only where the
/// locks of that process say so: who is merely idle looks the same.
fn is_worth_telling(waits: &[Wait], knot: &[usize]) -> bool {
    let mut waits = knot.iter().filter_map(|at| waits.get(*at));
    waits.any(|wait| wait.deadlocked || !matches!(wait.key, Key::Lock(..) | Key::Own(_)))
}

impl Chain {
    /// The verdict, in words.
    pub(super) fn told(self, members: &[Member], waits: &[Wait], ended: &[Ended]) -> Verdict {
        let of =
            |all: &[usize]| -> Vec<&Wait> { all.iter().filter_map(|at| waits.get(*at)).collect() };
        let (mut bottom, behind) = (of(&self.waits), of(&self.behind));
        bottom.sort_by_key(|wait| matches!(wait.key, Key::Own(_)));
        let kind = self.kind(&bottom);
        let text = chain::text(&Sentence {
            members,
            ended,
            kind,
            bottom: &bottom,
            behind: &behind,
            pids: &self.pids,
        });
        Verdict {
            verdict: kind,
            text,
            timed: bottom.iter().any(|wait| wait.timed),
            waits: self.waits,
            behind: self.behind,
            pids: self.pids,
        }
    }

    fn kind(&self, bottom: &[&Wait]) -> Kind {
        let reads = bottom.iter().any(|wait| matches!(wait.key, Key::Data(..)));
        let mut pids = bottom.iter().map(|wait| wait.pid);
        let first = pids.next();
        let of_one = pids.all(|pid| Some(pid) == first);
        let is_held = bottom.iter().any(|wait| wait.held);
        match (self.nobody, reads, of_one) {
            (_, true, true) => Kind::Starved,
            (true, _, _) if is_held => Kind::Orphaned,
            (true, _, _) => Kind::Lost,
            _ => Kind::Deadlock,
        }
    }
}

/// Those that wait for a root, or for one that does, and cannot go on.
fn behind(root: &[usize], edges: &[Vec<usize>], stuck: &[bool]) -> Vec<usize> {
    let mut waiting_for: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (from, all) in edges.iter().enumerate() {
        for to in all.iter().filter(|_| stuck.get(from) == Some(&true)) {
            waiting_for.entry(*to).or_default().push(from);
        }
    }
    let mut seen: FxHashSet<usize> = root.iter().copied().collect();
    let mut left: VecDeque<usize> = root.iter().copied().collect();
    let mut found = Vec::new();
    while let Some(at) = left.pop_front() {
        for from in waiting_for.get(&at).into_iter().flatten() {
            if seen.insert(*from) {
                found.push(*from);
                left.push_back(*from);
            }
        }
    }
    found
}
