//! Thread states that a damaged list does not lead to. Three other sources: the stacks of their
//! threads, all writable memory (each holds its thread's ident and its interpreter's address), and
//! the links of those that were found. None of this runs while the list is whole.

use super::layout::Layout;
use super::scan;
use super::thread::{List, find_on_stack};
use crate::addr::Addr;
use crate::native::Process;
use crate::target::{Memory, TargetThread};
use rustc_hash::{FxHashMap, FxHashSet};

/// More memory than this is not searched, in bytes.
const MOST_SEARCHED: u64 = 4 << 30;

/// More linked thread states than this are damage.
const MOST_LINKED: usize = 1_000_000;

/// What lies outside the list.
struct Lost<'a> {
    process: &'a Process,
    layout: &'a Layout,
    interpreter: Addr,
    known: FxHashSet<Addr>,
    found: Vec<Addr>,
}

/// The thread states of `interpreter` that `list` lacks, and what was wrong with the list;
/// `None` when nothing is.
pub(super) fn find(
    process: &Process,
    layout: &Layout,
    interpreter: Addr,
    list: &List,
) -> Option<(Vec<Addr>, String)> {
    let mut lost = Lost {
        process,
        layout,
        interpreter,
        known: list.all.iter().copied().collect(),
        found: Vec::new(),
    };
    let problem = match &list.problem {
        Some(problem) => problem.clone(),
        // A list may be cut without a trace. The thread that began the process is its last one,
        // and if its stack knows a thread state that is not in the list, the list is cut.
        None => {
            let leader = process.target.process.pid;
            let threads = lost.threads().into_iter();
            let leader = threads.filter(|thread| thread.tid == leader).collect();
            lost.search_stacks(leader);
            if lost.found.is_empty() {
                return None;
            }
            "it lacks the first thread".to_owned()
        }
    };
    lost.search_stacks(lost.threads());
    lost.search_memory();
    lost.follow_links();
    Some((lost.found, problem))
}

impl<'a> Lost<'a> {
    /// Native threads that no known thread state belongs to.
    fn threads(&self) -> Vec<&'a TargetThread> {
        let memory = &*self.process.target.memory;
        let ident = self.layout.fields.thread.thread_id;
        let known = self.known.iter();
        let idents: FxHashSet<u64> = known
            .filter_map(|at| memory.u64(ident.of(*at)).ok())
            .collect();
        let is_lost = |thread: &&TargetThread| {
            pointer(thread).is_some_and(|pointer| !idents.contains(&pointer))
        };
        self.process.target.threads.iter().filter(is_lost).collect()
    }

    fn memory(&self) -> &'a dyn Memory {
        &*self.process.target.memory
    }

    /// Whether the thread state at `addr` says that it belongs to the interpreter.
    fn belongs(&self, addr: Addr) -> bool {
        let interp = self.layout.fields.thread.interp;
        addr.0.is_multiple_of(8) && self.memory().ptr(interp.of(addr)) == Ok(self.interpreter)
    }

    fn add(&mut self, addr: Addr) -> bool {
        let new = self.known.insert(addr);
        if new {
            self.found.push(addr);
        }
        new
    }

    /// The evaluation loop and most C functions of CPython keep the thread state's address on the
    /// stack of its thread.
    fn search_stacks(&mut self, threads: Vec<&TargetThread>) {
        for thread in threads {
            let target = &self.process.target;
            let found = find_on_stack(target, self.layout, thread, |at| self.belongs(at));
            if let Some(at) = found {
                self.add(at);
            }
        }
    }

    /// Looks through all writable memory for the idents of threads that are still lost.
    fn search_memory(&mut self) {
        let idents: FxHashMap<u64, i32> = self
            .threads()
            .iter()
            .filter_map(|thread| Some((pointer(thread)?, thread.tid)))
            .collect();
        // Thread pointers lie close to each other; most words are told by a comparison.
        let (Some(low), Some(high)) = (idents.keys().min(), idents.keys().max()) else {
            return;
        };
        let mut left = MOST_SEARCHED;
        let mappings = self.process.target.mappings.iter();
        let mut regions = Vec::new();
        for mapping in mappings.filter(|mapping| mapping.write && !mapping.shared) {
            let length = mapping.len().min(left);
            regions.push((mapping.start, mapping.start.add(length)));
            left -= length;
        }
        let ident = self.layout.fields.thread.thread_id;
        let mut found = Vec::new();
        scan::each_word(self.memory(), &regions, &mut |at, word| {
            if *low <= word && word <= *high && idents.contains_key(&word) {
                let state = at.sub(ident.offset.into());
                if self.belongs(state) && self.is_linked(state) {
                    found.push(state);
                }
            }
        });
        for state in found {
            self.add(state);
        }
    }

    /// Whether a neighbour of the thread state refers back to it, or it has none.
    fn is_linked(&self, state: Addr) -> bool {
        let f = &self.layout.fields.thread;
        let neighbours = f.prev.map(|prev| [(f.next, prev), (prev, f.next)]);
        let Some(neighbours) = neighbours else {
            let next = self.memory().ptr(f.next.of(state));
            return next.is_ok_and(|next| next.is_null() || self.belongs(next));
        };
        let linked = |(to, back): &(super::layout::Field, super::layout::Field)| {
            let other = self.memory().ptr(to.of(state));
            other.map(|other| match other.is_null() {
                true => None,
                false => Some(self.memory().ptr(back.of(other)) == Ok(state)),
            })
        };
        let linked: Vec<_> = neighbours.iter().map(linked).collect();
        linked.contains(&Ok(Some(true))) || linked.iter().all(|one| *one == Ok(None))
    }

    /// Thread states of threads that have ended have no other trace than the links.
    fn follow_links(&mut self) {
        let f = &self.layout.fields.thread;
        let links: Vec<_> = f.prev.into_iter().chain([f.next]).collect();
        let mut from = 0;
        while let Some(at) = self.found.get(from).copied() {
            from += 1;
            for link in &links {
                let Ok(next) = self.memory().ptr(link.of(at)) else {
                    continue;
                };
                if !next.is_null() && self.belongs(next) && self.found.len() < MOST_LINKED {
                    self.add(next);
                }
            }
        }
    }
}

/// The thread pointer of a native thread: the ident of its thread state.
fn pointer(thread: &TargetThread) -> Option<u64> {
    let pointer = thread.registers?.thread_pointer;
    pointer.filter(|pointer| *pointer != 0)
}
