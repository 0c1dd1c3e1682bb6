//! Critical sections of free-threaded builds (Python/critical_section.c): each thread has a chain
//! of them, and those that are active have locked the mutexes of one or two objects. A thread that
//! detaches, as it does before it sleeps, gives all of them back.

use super::{Owner, View};
use crate::addr::Addr;
use crate::python::Attachment;
use rustc_hash::{FxHashMap, FxHashSet};

/// More critical sections than a thread is ever inside of.
const MOST: usize = 100_000;

/// Marks in the low bits of a pointer to a critical section.
const INACTIVE: u64 = 1;
const TWO_MUTEXES: u64 = 2;
const MARKS: u64 = INACTIVE | TWO_MUTEXES;

/// Mutexes, and the threads (gdb numbers) of which a critical section has locked each.
pub(super) type Sections = FxHashMap<Addr, Vec<usize>>;

/// Who holds the mutex, as far as critical sections tell.
pub(super) fn owner(view: &View<'_>, mutex: Addr) -> Option<Owner> {
    match view.sections().get(&mutex)?.as_slice() {
        [] => None,
        [one] => Some(Owner::known(*one, "its critical section holds it")),
        _ => Some(Owner::unknown(
            "critical sections of several threads say that they hold it",
        )),
    }
}

/// The critical sections of all threads.
pub(super) fn read(view: &View<'_>) -> Sections {
    let mut all = Sections::default();
    let fields = &view.python.layout.fields;
    let (Some(innermost), Some(section)) =
        (fields.thread.critical_section, fields.critical_section)
    else {
        return all;
    };
    let memory = &view.process.target.memory;
    for (thread, state) in &view.states {
        // A detached thread has none that is active, but for a moment.
        if state.attachment != Some(Attachment::Attached) {
            continue;
        }
        let mut next = innermost.of(state.tstate);
        let mut seen = FxHashSet::default();
        while let Ok(tagged) = memory.ptr(next)
            && let at = Addr(tagged.0 & !MARKS)
            && !at.is_null()
            && seen.len() < MOST
            && seen.insert(at)
        {
            let second = (tagged.0 & TWO_MUTEXES != 0).then_some(section.second);
            let active = tagged.0 & INACTIVE == 0;
            let fields = [Some(section.mutex), second].into_iter().flatten();
            for field in fields.filter(|_| active) {
                match memory.ptr(field.of(at)) {
                    Ok(mutex) if !mutex.is_null() => {
                        let owners = all.entry(mutex).or_default();
                        if !owners.contains(thread) {
                            owners.push(*thread);
                        }
                    }
                    _ => {}
                }
            }
            next = section.previous.of(at);
        }
    }
    all
}
