//! Thread states that a damaged list does not lead to. Three other sources: the stacks of their
//! threads, all writable memory (each holds its thread's ident and its interpreter's address), and
//! the links of those that were found. None of this runs while the list is whole.

use super::layout::{Field, Layout};
use super::scan;
use super::thread::{List, find_on_stack};
use crate::addr::Addr;
use crate::target::{Memory, Target, TargetThread};
use rustc_hash::FxHashSet;

/// More linked thread states than this are damage.
const MOST_LINKED: usize = 1_000_000;

/// What lies outside the list.
struct Lost<'a> {
    target: &'a Target,
    layout: &'a Layout,
    interpreter: Addr,
    known: FxHashSet<Addr>,
    found: Vec<Addr>,
}

/// The thread states of `interpreter` that `list` lacks, and what was wrong with the list;
/// `None` when nothing is. `is_main`: the thread that began the process belongs to it.
pub(super) fn find(
    target: &Target,
    layout: &Layout,
    interpreter: Addr,
    list: &List,
    is_main: bool,
) -> Option<(Vec<Addr>, String)> {
    let mut lost = Lost {
        target,
        layout,
        interpreter,
        known: list.all.iter().copied().collect(),
        found: Vec::new(),
    };
    let problem = match &list.problem {
        Some(problem) => problem.clone(),
        None if !is_main => return None,
        // A list may be cut without a trace. The thread that began the process is its last one.
        None if !lost.is_cut(list) => return None,
        None => "it lacks the first thread".to_owned(),
    };
    lost.search_stacks();
    lost.search_memory();
    lost.follow_links();
    Some((lost.found, problem))
}

impl<'a> Lost<'a> {
    /// Native threads that no known thread state belongs to.
    fn threads(&self) -> Vec<&'a TargetThread> {
        let memory = &*self.target.memory;
        let ident = self.layout.fields.thread.thread_id;
        let known = self.known.iter();
        let idents: FxHashSet<u64> = known
            .filter_map(|at| memory.u64(ident.of(*at)).ok())
            .collect();
        let is_lost = |thread: &&TargetThread| {
            pointer(thread).is_some_and(|pointer| !idents.contains(&pointer))
        };
        self.target.threads.iter().filter(is_lost).collect()
    }

    /// Whether the first thread is not in the list, although its stack or that of another thread
    /// knows a thread state that ought to be.
    fn is_cut(&self, list: &List) -> bool {
        let threads = self.threads();
        let leader = self.target.process.pid;
        if !list.all.is_empty() && threads.iter().all(|thread| thread.tid != leader) {
            return false;
        }
        let prev = self.layout.fields.thread.prev;
        let states = threads.into_iter().filter_map(|thread| {
            // Where neighbours do not refer back, what was freed is not told from what was lost.
            let may_tell = thread.tid == leader || prev.is_some() || list.all.is_empty();
            may_tell.then(|| self.on_stack(thread))?
        });
        let behind = |state: Addr| self.memory().ptr(prev?.of(state)).ok();
        // A thread state that was freed is left on stacks, too, but is no neighbour of any.
        let mut belonging = states.filter(|state| match list.all.last() {
            None => self.is_linked(*state),
            last => self.links(*state).contains(&Some(true)) || behind(*state).as_ref() == last,
        });
        belonging.next().is_some()
    }

    fn memory(&self) -> &'a dyn Memory {
        &*self.target.memory
    }

    /// Whether the thread state at `addr` says that it belongs to the interpreter.
    fn belongs(&self, addr: Addr) -> bool {
        let interp = self.layout.fields.thread.interp;
        // The first word of an interpreter may refer to itself when it is damaged.
        addr.0.is_multiple_of(8)
            && addr != self.interpreter
            && self.memory().ptr(interp.of(addr)) == Ok(self.interpreter)
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
    fn on_stack(&self, thread: &TargetThread) -> Option<Addr> {
        find_on_stack(self.target, self.layout, thread, |at| self.belongs(at))
    }

    fn search_stacks(&mut self) {
        for thread in self.threads() {
            if let Some(at) = self.on_stack(thread) {
                self.add(at);
            }
        }
    }

    /// Looks through all writable memory for the idents of threads that are still lost.
    fn search_memory(&mut self) {
        let threads = self.threads().into_iter();
        let idents: FxHashSet<u64> = threads.filter_map(pointer).collect();
        let ident = self.layout.fields.thread.thread_id;
        let mut found = Vec::new();
        scan::each_holder(self.target, &idents, &mut |at| {
            let state = at.sub(ident.offset.into());
            if self.belongs(state) && self.is_linked(state) {
                found.push(state);
            }
        });
        for state in found {
            self.add(state);
        }
    }

    /// Whether a neighbour of the thread state refers back to it, or it has none.
    fn is_linked(&self, state: Addr) -> bool {
        let links = self.links(state);
        links.contains(&Some(true)) || links.iter().all(Option::is_none)
    }

    /// For each neighbour of the thread state, whether it refers back; `None` when there is none.
    fn links(&self, state: Addr) -> Vec<Option<bool>> {
        let f = &self.layout.fields.thread;
        let memory = self.memory();
        let look = |to: Field, is_back: &dyn Fn(Addr) -> bool| match memory.ptr(to.of(state)) {
            Ok(other) if other.is_null() => None,
            other => Some(other.is_ok_and(is_back)),
        };
        let refers = |from: Field, other: Addr| memory.ptr(from.of(other)) == Ok(state);
        match f.prev {
            Some(prev) => vec![
                look(f.next, &|other| refers(prev, other)),
                look(prev, &|other| refers(f.next, other)),
            ],
            None => vec![look(f.next, &|other| self.belongs(other))],
        }
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
                let more = self.found.len() < MOST_LINKED;
                if more && !next.is_null() && self.belongs(next) && self.is_linked(next) {
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

#[cfg(test)]
#[path = "lost_tests.rs"]
mod tests;
