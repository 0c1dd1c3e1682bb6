//! `pthread_once` (nptl/pthread_once.c), of which `std::call_once` is made: a word says that
//! somebody is at it, not who. That one is found by its stack: it is in the same function, which
//! keeps the address in the same registers, and has called the initialiser from there.

use super::call::{Call, Family};
use super::{KEPT, command};
use crate::addr::Addr;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};
use crate::unwind::{NativeFrame, Trust};

/// The low bits of the word: somebody initialises. Above them lies a number of forks.
const STATE: u32 = 3;
const IN_PROGRESS: u32 = 1;

/// How many frames of each stack are looked at for the initialiser.
const FRAMES: usize = 2_000;

/// Waits for an initialisation that another thread is in the middle of.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    let word = view.process.target.memory.u32(futex.addr).ok()?;
    if futex.command != command::WAIT || !futex.private || futex.value & STATE != IN_PROGRESS {
        return None;
    }
    let call = waiter.call(view)?;
    if word != futex.value || call.family != Family::Once {
        return None;
    }
    Some(Found {
        evidence: "it sleeps on the control word of pthread_once".into(),
        kind: Kind::Once,
        address: futex.addr,
        owner: Some(owner(view, waiter, call, futex.addr)),
        timed: false,
    })
}

/// Who initialises.
fn owner(view: &View<'_>, waiter: &Waiter<'_>, call: &Call, control: Addr) -> Owner {
    let threads = view.process.threads().iter().map(|thread| thread.id);
    let mut found =
        threads.filter(|id| initialises(view, waiter, call, control, *id) == Some(true));
    match (found.next(), found.next()) {
        (Some(thread), None) => Owner::Inferred {
            thread,
            evidence:
                "its stack is in the initialiser that pthread_once called for this control word"
                    .into(),
            place: None,
        },
        _ => Owner::unknown("the control word of pthread_once does not say who initialises"),
    }
}

/// Whether a thread has called the initialiser from the function in which the waiter sleeps.
fn initialises(
    view: &View<'_>,
    waiter: &Waiter<'_>,
    call: &Call,
    control: Addr,
    id: usize,
) -> Option<bool> {
    let stack = view.process.stack(waiter.thread.id)?;
    let sleeps = stack.frames.get(call.frame)?;
    let keeps = |at: &usize| sleeps.registers.general.get(*at) == Some(&Some(control.0));
    let kept: Vec<usize> = KEPT.into_iter().filter(keeps).collect();
    let library = view.process.images.index_at(sleeps.pc.lookup());
    let is_it = |called: &NativeFrame, frame: &NativeFrame| {
        let mut registers = kept
            .iter()
            .map(|at| frame.registers.general.get(*at).copied()?);
        !kept.is_empty()
            && matches!(frame.trust, Trust::Cfi)
            && frame.function_start.is_some()
            && frame.function_start == sleeps.function_start
            && registers.all(|value| value == Some(control.0))
            && view.process.images.index_at(called.pc.lookup()) != library
    };
    let other = view.process.stack(id)?;
    let mut pairs = other.frames.iter().zip(other.frames.iter().skip(1));
    Some(
        pairs
            .by_ref()
            .take(FRAMES)
            .any(|(called, frame)| is_it(called, frame)),
    )
}
