//! `pthread_once` (nptl/pthread_once.c), of which `std::call_once` is made: a word says that
//! somebody is at it, not who. That one is found by its stack: it is in the same function, which
//! keeps the address of the word, and has called the initialiser from there.

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

/// The most bytes of one frame that are looked at.
const MOST_FRAME: u64 = 512;

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
    let stack = view.process.stack(waiter.thread.id);
    let frames = stack.as_ref().map_or(&[][..], |stack| &stack.frames);
    let own = frames.get(..=call.frame).unwrap_or_default();
    let threads = view.process.threads().iter().map(|thread| thread.id);
    let mut found = threads.filter(|id| initialises(view, own, control, *id) == Some(true));
    match (found.next(), found.next()) {
        (Some(thread), None) => Owner::Inferred {
            thread,
            evidence:
                "its stack is in an initialiser that pthread_once called for this control word"
                    .into(),
            place: None,
        },
        _ => Owner::unknown("the control word of pthread_once does not say who initialises"),
    }
}

/// Whether a thread has called an initialiser from one of the functions in whose frames `own` the
/// waiter sleeps, for the same control word.
fn initialises(view: &View<'_>, own: &[NativeFrame], control: Addr, id: usize) -> Option<bool> {
    let image = |frame: &NativeFrame| view.process.images.index_at(frame.pc.lookup());
    let library = image(own.first()?)?;
    let is_it = |called: &NativeFrame, frame: &NativeFrame| {
        let mut functions = own.iter().filter_map(|own| own.function_start);
        frame.trust == Trust::Cfi
            && functions.any(|start| frame.function_start == Some(start))
            && image(called) != Some(library)
            && keeps(view, frame, control)
    };
    let stack = view.process.stack(id)?;
    let mut pairs = stack.frames.iter().zip(stack.frames.iter().skip(1));
    Some(
        pairs
            .by_ref()
            .take(FRAMES)
            .any(|(called, frame)| is_it(called, frame)),
    )
}

/// Whether a frame keeps a value, which it needs when its call returns: in a register or on the stack.
fn keeps(view: &View<'_>, frame: &NativeFrame, value: Addr) -> bool {
    let registers = &frame.registers.general;
    let mut kept = KEPT
        .into_iter()
        .filter_map(|at| registers.get(at).copied().flatten());
    let len = frame.cfa.and_then(|cfa| cfa.since(frame.sp)).unwrap_or(0);
    let words = view
        .process
        .target
        .memory
        .bytes(frame.sp, len.min(MOST_FRAME) as usize);
    let mut words = words.iter().flat_map(|bytes| bytes.chunks_exact(8));
    kept.any(|kept| kept == value.0) || words.any(|word| word == value.0.to_le_bytes())
}
