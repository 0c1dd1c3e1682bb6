//! Lists of a collection in progress. It moves what it finds unreachable, has to finalize or has to
//! tell of to lists of its own, whose heads are local variables of C functions (`unreachable`,
//! `finalizers`, `wrcb_to_call` … in Python/gc.c, before 3.13 Modules/gcmodule.c). They are found
//! on the stacks of the threads: the last object of such a list refers to a place on a stack, and
//! what is there refers to that object.

use super::heads::Heads;
use super::{list, most_nodes};
use crate::addr::Addr;
use crate::bytes;
use crate::heap::pieces::Words;
use crate::python::Python;
use crate::target::{Mapping, TargetThread};

/// Bytes of a stack that are read at a time.
const STEP: u64 = 1 << 20;

/// Bytes of a stack that are searched; more than a stack has unless it was made so.
const SEARCHED: u64 = 256 << 20;

/// More lists than this are damage; a collection has six.
const MOST: usize = 64;

/// What such a list is called.
const NAME: &str = "in collection";

/// The heads on the stacks of all threads, by interpreter, where a collection may be in progress.
pub(super) fn of<W: Words + ?Sized>(python: &Python, memory: &W) -> Vec<Heads> {
    let interpreters = python.interpreters.iter();
    let collecting: Vec<i64> = interpreters
        .filter(|interpreter| interpreter.collecting != Some(false))
        .map(|interpreter| interpreter.id)
        .collect();
    let Some(first) = collecting.first().copied() else {
        return Vec::new();
    };
    let search = Search {
        python,
        memory,
        most: most_nodes(python),
    };
    let mut all = Vec::new();
    for thread in &python.process.target.threads {
        let heads = search.on_stack(thread);
        if heads.is_empty() || all.len() >= MOST {
            continue;
        }
        let own = python.threads_of(thread.tid).iter();
        let own = own.map(|state| state.interpreter);
        all.push(Heads {
            interpreter: own
                .into_iter()
                .find(|id| collecting.contains(id))
                .unwrap_or(first),
            all: heads.into_iter().map(|head| (NAME.into(), head)).collect(),
            counting: true,
            problem: None,
        });
    }
    all
}

struct Search<'a, W: ?Sized> {
    python: &'a Python,
    memory: &'a W,
    most: u64,
}

impl<W: Words + ?Sized> Search<'_, W> {
    /// The heads of lists that are not empty, between a thread's stack pointer and the end of its
    /// stack.
    fn on_stack(&self, thread: &TargetThread) -> Vec<Addr> {
        let target = &self.python.process.target;
        let mut heads = Vec::new();
        let sp = thread.registers.and_then(|registers| registers.sp());
        let Some((sp, stack)) = sp.and_then(|sp| Some((sp, target.mapping(sp)?))) else {
            return heads;
        };
        let end = stack.end.min(sp.add(SEARCHED));
        let mut at = Addr(sp.0.next_multiple_of(8));
        while at < end && heads.len() < MOST {
            let size = end.since(at).unwrap_or(0).min(STEP);
            // The second word of a head may lie in the next step.
            let Ok(raw) = target.memory.bytes(at, size as usize) else {
                break;
            };
            let word = |offset: u64| bytes::u64_at(&raw, offset as usize);
            let offsets = (0..size).step_by(8);
            let found = offsets.filter(|offset| {
                let head = at.add(*offset);
                let back = word(offset + 8).or_else(|| self.memory.u64(head.add(8)));
                let links = word(*offset).zip(back);
                links.is_some_and(|(next, back)| self.is_head(head, next, back, stack))
            });
            heads.extend(found.map(|offset| at.add(offset)));
            at = at.add(size);
        }
        heads
    }

    /// Whether these links at `head` are those of a list that is not empty.
    fn is_head(&self, head: Addr, next: u64, back: u64, stack: &Mapping) -> bool {
        let outside =
            |node: u64| node.is_multiple_of(4) && node != 0 && !stack.contains(Addr(node));
        let list = || list(self.python, self.memory, head, true, self.most);
        outside(next)
            && outside(back)
            && self
                .memory
                .u64(Addr(back))
                .is_some_and(|word| word & !3 == head.0)
            && list().is_sound()
            && (list().plausible)(Addr(back).add(self.python.layout.kinds.gc_head.into()))
    }
}
