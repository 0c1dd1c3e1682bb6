//! Static variables that C++ initialises on first use, as libstdc++ guards them
//! (libsupc++/guard.cc, the Itanium C++ ABI, 3.3.3): bytes of the guard say that somebody
//! initialises and that others wait, not who. That one is found by its stack: one of its functions
//! cannot return without giving the guard back.

use super::call::Family;
use super::release::{self, Outcome};
use super::{command, searched};
use crate::addr::Addr;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};
use crate::unwind::Trust;
use rustc_hash::FxHashSet;

/// The guard while somebody initialises and somebody waits; its lowest byte is set at the end.
const PENDING_AND_WAITING: u32 = 0x0001_0100;

/// How many frames of each stack are looked at for the initialiser, and how many places in code.
const FRAMES: usize = 500;
const MOST_PLACES: usize = 20_000;

/// Waits for the initialisation of a variable.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    if futex.command != command::WAIT || futex.private || futex.value != PENDING_AND_WAITING {
        return None;
    }
    let guard = view.process.target.memory.u32(futex.addr).ok()?;
    if guard != PENDING_AND_WAITING || waiter.call(view)?.family != Family::Guard {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the guard of a static variable".into(),
        kind: Kind::StaticGuard,
        address: futex.addr,
        owner: Some(searched(view, futex.addr, || owner(view, futex.addr))),
        timed: false,
    })
}

/// Who initialises the variable.
fn owner(view: &View<'_>, guard: Addr) -> Owner {
    // Places that no thread leaves through a call that gives a guard back.
    let mut elsewhere = FxHashSet::default();
    let mut initialises = |id: &usize| {
        let stack = view.process.stack(*id);
        let frames = stack.as_ref().map_or(&[][..], |stack| &stack.frames);
        frames.iter().take(FRAMES).any(|frame| {
            let pc = frame.pc.addr();
            if frame.trust != Trust::Cfi
                || elsewhere.contains(&pc)
                || elsewhere.len() >= MOST_PLACES
            {
                return false;
            }
            let outcome = release::outcome(view.process, frame, guard);
            if outcome == Outcome::NoRelease {
                elsewhere.insert(pc);
            }
            outcome == Outcome::GivesBack
        })
    };
    let threads = view.process.threads().iter().map(|thread| thread.id);
    let found: Vec<usize> = threads.filter(|id| initialises(id)).take(2).collect();
    match found.as_slice() {
        [thread] => Owner::Inferred {
            thread: *thread,
            evidence:
                "one of its functions has taken this guard and cannot return before it gives it \
                       back"
                    .into(),
            place: None,
        },
        _ => Owner::unknown("the guard of a static variable does not say who initialises it"),
    }
}
