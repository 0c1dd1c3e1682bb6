//! Objects of free-threaded builds: blocks of the two heaps that each thread state has for what the
//! collector tracks, and of the segments that ended threads have left behind
//! (Python/gc_free_threading.c, Python/pystate.c).

use super::Tracked;
use super::blocks::Objects;
use crate::addr::Addr;
use crate::diag::Cancel;
use crate::heap::alloc::mimalloc::{Free, Mimalloc};
use crate::heap::pieces::Words;
use crate::python::Python;

/// Which of a thread's heaps have objects that the collector tracks: without and with a dictionary
/// and weak references in front of them.
const HEAPS: [u64; 2] = [2, 3];

/// Calls `found` with each tracked object and the index of its generation.
pub(super) fn each<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
    cancel: &Cancel,
    tracked: &mut Tracked,
    found: &mut dyn FnMut(Addr, u8),
) {
    let mappings = &python.process.target.mappings;
    let mimalloc = Mimalloc::new(&python.layout, mappings, memory);
    let Some(objects) = mimalloc.and_then(|mimalloc| Objects::new(&python.layout, mimalloc)) else {
        let problem = "how this build allocates is not known".to_owned();
        tracked.add("tracked".into(), 0, Some(problem));
        return;
    };
    let mut free = Free::default();
    for interpreter in &python.interpreters {
        let states = interpreter.threads.iter().map(|thread| thread.tstate);
        let pages = objects.mimalloc.pages(interpreter.addr, states, &HEAPS);
        let mut problems = pages.problems;
        let normal = tracked.add("tracked".into(), interpreter.id, None);
        let frozen = tracked.add("permanent".into(), interpreter.id, None);
        let mut counts = [0_u64; 2];
        for page in &pages.all {
            if cancel.is_cancelled() {
                problems.push("stopped before its end".to_owned());
                break;
            }
            let problem = objects.each(page, &mut free, &mut |object, is_frozen| {
                let [ordinary, permanent] = &mut counts;
                let (index, count) = match is_frozen {
                    true => (frozen, permanent),
                    false => (normal, ordinary),
                };
                *count += 1;
                found(object, index);
            });
            problems.extend(problem);
        }
        let [ordinary, permanent] = counts;
        tracked.put(normal, ordinary, shorten(problems));
        tracked.put(frozen, permanent, None);
    }
}

/// The first of many problems, and how many there are.
fn shorten(problems: Vec<String>) -> Option<String> {
    let more = problems.len().saturating_sub(1);
    let first = problems.into_iter().next()?;
    Some(match more {
        0 => first,
        more => format!("{first} (and {more} more such things)"),
    })
}

#[cfg(test)]
#[path = "mimalloc_tests.rs"]
mod tests;
