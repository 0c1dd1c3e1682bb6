//! The locks of glibc's malloc (malloc/arena.c): a bare word at the start of each arena, which says
//! nothing of its owner. Who has it is inside of malloc, or nobody: what the native stacks show.

use crate::addr::Addr;
use crate::native::Process;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};
use crate::unwind::{End, NativeFrame};
use std::ops::Range;

/// The first and the last function of malloc/malloc.c as every libc.so (2.26 to 2.43) has them:
/// what is between is malloc's, with its static functions, which have no names there.
const FIRST: &str = "__default_morecore";
const LAST: &str = "malloc_info";

/// It takes the locks of all arenas.
const FORK: &str = "fork";

/// Waits for the lock of an arena.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let address = waiter.futex.as_ref()?.addr;
    view.process.arena(address)?;
    let locked = view.process.target.memory.u32(address).ok()? != 0;
    let owner = match locked {
        true => view
            .in_malloc
            .get_or_init(|| Census::of(view))
            .owner(address),
        false => Owner::Nobody,
    };
    Some(Found {
        evidence: "it sleeps on the arena's lock".into(),
        kind: Kind::Arena,
        address,
        owner: Some(owner),
        timed: waiter.timed(),
    })
}

/// `main_arena`; others have no names.
pub(in crate::sync) fn name(view: &View<'_>, address: Addr) -> Option<String> {
    let arena = view.process.arena(address)?;
    arena.main.then(|| "main_arena".to_owned())
}

/// Which threads may have locks of arenas (gdb numbers).
pub(in crate::sync) struct Census {
    inside: Vec<Candidate>,
    unclear: Vec<usize>,
}

/// A thread inside of malloc, and the arena that it waits for.
struct Candidate {
    thread: usize,
    waits_for: Option<Addr>,
}

impl Census {
    fn of(view: &View<'_>) -> Census {
        // Without it nothing is certain.
        let code = code(view.process).unwrap_or_default();
        let mut census = Census {
            inside: Vec::new(),
            unclear: Vec::new(),
        };
        for thread in view.process.threads() {
            let futex = Waiter::new(view, thread).futex;
            let waits_for = futex
                .map(|futex| futex.addr)
                .filter(|address| view.process.arena(*address).is_some());
            // Only fork takes a lock while it has others.
            let code = match waits_for {
                Some(_) => code.get(1..).unwrap_or_default(),
                None => &code,
            };
            match is_inside(view.process, thread.id, code) {
                Some(true) => census.inside.push(Candidate {
                    thread: thread.id,
                    waits_for,
                }),
                Some(false) => {}
                None => census.unclear.push(thread.id),
            }
        }
        census
    }

    /// Who holds the lock of the arena at `address`.
    fn owner(&self, address: Addr) -> Owner {
        let candidates = self.inside.iter();
        let candidates: Vec<usize> = candidates
            .filter(|candidate| candidate.waits_for != Some(address))
            .map(|candidate| candidate.thread)
            .collect();
        match (candidates.as_slice(), self.unclear.as_slice()) {
            ([], []) => Owner::Orphaned {
                evidence: "it is locked, and no thread of the process is inside of malloc but \
                           those that wait for it"
                    .into(),
            },
            ([one], []) => Owner::Inferred {
                thread: *one,
                evidence: "no other thread is inside of malloc but those that wait for it".into(),
                place: None,
            },
            (inside, []) => Owner::unknown(format!(
                "an arena does not say who has it, and several threads are inside of malloc: {}",
                list(inside)
            )),
            (inside, unclear) => Owner::unknown(format!(
                "an arena does not say who has it, and the stacks do not tell whether these threads \
                 are inside of malloc: {}",
                list(&[inside, unclear].concat())
            )),
        }
    }
}

/// `2, 5, 9`.
fn list(threads: &[usize]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = threads.iter().take(SHOWN).map(usize::to_string).collect();
    if threads.len() > SHOWN {
        shown.push("…".into());
    }
    shown.join(", ")
}

/// The code that takes the locks of arenas: malloc's, and fork.
fn code(process: &Process) -> Option<Vec<Range<Addr>>> {
    let (image, _, _) = process.images.exported("gnu_get_libc_version")?;
    let range = |first, last| {
        let (start, _) = image.exported(first)?;
        let (last, size) = image.exported(last)?;
        let end = Addr(last.0.checked_add(size)?);
        (start < end).then_some(start..end)
    };
    Some(vec![range(FIRST, LAST)?, range(FORK, FORK)?])
}

/// Whether a thread is inside of `code`, if its stack tells.
fn is_inside(process: &Process, thread: usize, code: &[Range<Addr>]) -> Option<bool> {
    let stack = process.stack(thread)?;
    let sure = |frame: &NativeFrame| !frame.trust.is_guess();
    let is_there = |frame: &NativeFrame| {
        let pc = frame.pc.lookup();
        code.iter().any(|range| range.contains(&pc))
    };
    let mut frames = stack.frames.iter().take_while(|frame| sure(frame));
    if frames.any(is_there) {
        return Some(true);
    }
    // A single frame is no stack: gdb's gcore leaves zeros for some, which look like an end.
    let begun = stack.frames.len() > 1;
    let whole = begun && stack.end == End::Outermost && stack.frames.iter().all(sure);
    (whole && !code.is_empty()).then_some(false)
}
