//! The wait-for graph as a picture: threads are boxes, locks are ellipses; an arrow leads from a
//! thread to what it waits for, and from there to who holds it or could end the wait.

use super::{LocksView, short};
use crate::cli::render::drawing::{Drawing, Edge, Line, Mark, Node, Shape};
use pydbg::sync::{Owner, Place, Wait};
use rustc_hash::{FxHashMap, FxHashSet};

/// The most waits that are drawn: more of them make no picture.
const MOST_WAITS: usize = 300;

impl LocksView {
    /// The graph of what is waited for; how many waits were left out.
    pub fn picture(&self) -> (Drawing, usize) {
        let mut picture = Picture {
            view: self,
            drawing: Drawing::default(),
            threads: FxHashMap::default(),
            locks: FxHashMap::default(),
            stuck: self.stuck(),
        };
        for wait in self.locks.waits.iter().take(MOST_WAITS) {
            picture.wait(wait);
        }
        let left_out = self.locks.waits.len().saturating_sub(MOST_WAITS);
        (picture.drawing, left_out)
    }

    /// The threads of deadlocks.
    fn stuck(&self) -> FxHashSet<usize> {
        let waits = self.locks.deadlocks.iter().flat_map(|d| &d.waits);
        let wait = |at: &usize| self.locks.waits.get(*at);
        waits.filter_map(wait).map(|wait| wait.thread).collect()
    }
}

struct Picture<'v> {
    view: &'v LocksView,
    drawing: Drawing,
    /// The nodes of threads and of locks.
    threads: FxHashMap<usize, usize>,
    locks: FxHashMap<usize, usize>,
    stuck: FxHashSet<usize>,
}

impl Picture<'_> {
    fn add(&mut self, label: Vec<String>, shape: Shape, mark: Mark) -> usize {
        self.drawing.nodes.push(Node {
            label: label.into_iter().map(Line::from).collect(),
            title: String::new(),
            shape,
            mark,
        });
        self.drawing.nodes.len() - 1
    }

    fn mark(&self, thread: usize) -> Mark {
        match self.stuck.contains(&thread) {
            true => Mark::Alarm,
            false => Mark::Plain,
        }
    }

    fn thread(&mut self, id: usize) -> usize {
        if let Some(node) = self.threads.get(&id) {
            return *node;
        }
        let title = format!("thread {id}{}", self.view.who(id));
        let waits = self.view.locks.waits.iter().find(|wait| wait.thread == id);
        let busy = self.view.locks.busy.iter().find(|busy| busy.owner == id);
        let below = waits
            .and_then(|wait| wait.place.as_ref().map(spot))
            .or_else(|| busy.map(|busy| busy.doing.text.clone()));
        let label = [title].into_iter().chain(below).collect();
        let node = self.add(label, Shape::Box, self.mark(id));
        self.threads.insert(id, node);
        node
    }

    fn lock(&mut self, at: usize) -> Option<usize> {
        if let Some(node) = self.locks.get(&at) {
            return Some(*node);
        }
        let lock = self.view.locks.all.get(at)?;
        let label = match &lock.name {
            Some(name) => vec![name.clone(), lock.kind.words().to_owned()],
            None => vec![short(lock)],
        };
        let alarms = matches!(lock.owner, Owner::Orphaned { .. })
            || self.view.locks.lost.iter().any(|lost| lost.lock == at)
            || (lock.waiters.iter().any(|id| self.stuck.contains(id))
                && lock
                    .owner
                    .thread()
                    .is_none_or(|id| self.stuck.contains(&id)));
        let mark = if alarms { Mark::Alarm } else { Mark::Plain };
        let node = self.add(label, Shape::Ellipse, mark);
        self.locks.insert(at, node);
        let owners: Vec<(usize, String, bool)> = match &lock.owner {
            Owner::AnyOf { threads, .. } => threads
                .iter()
                .take(MOST_WAITS)
                .map(|id| (*id, "is up to".to_owned(), true))
                .collect(),
            owner => {
                let words = if lock.kind.is_held() {
                    "held by"
                } else {
                    "is up to"
                };
                let words = match owner.place() {
                    Some(place) => format!("{words}, since {}", spot(place)),
                    None => words.to_owned(),
                };
                let inferred = matches!(owner, Owner::Inferred { .. });
                owner
                    .thread()
                    .map(|id| (id, words, inferred))
                    .into_iter()
                    .collect()
            }
        };
        for (id, label, dashed) in owners {
            let to = self.thread(id);
            let both = mark == Mark::Alarm && self.mark(id) == Mark::Alarm;
            self.drawing.edges.push(Edge {
                from: node,
                to,
                label,
                mark: if both { Mark::Alarm } else { Mark::Plain },
                dashed,
                free: false,
            });
        }
        Some(node)
    }

    fn wait(&mut self, wait: &Wait) {
        let from = self.thread(wait.thread);
        if let Some(to) = self.lock(wait.lock) {
            self.drawing.edges.push(Edge {
                from,
                to,
                label: "waits for".to_owned(),
                mark: self.mark(wait.thread),
                dashed: false,
                free: false,
            });
        }
    }
}

/// `transfer, bank.py:12`.
fn spot(place: &Place) -> String {
    let file = place.file.rsplit('/').next().unwrap_or(&place.file);
    match place.line {
        Some(line) => format!("{}, {file}:{line}", place.function),
        None => format!("{}, {file}", place.function),
    }
}
