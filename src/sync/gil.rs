//! Waits for the GIL.

use super::futex::Futex;
use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::image::Image;
use crate::native::NativeThread;
use crate::python::{GilState, PyThread};
use std::ops::Range;
use std::sync::Arc;

/// The words of a condition variable on which threads may sleep lie beside each other.
const WORD: u64 = 4;

/// The exported functions of all versions with a GIL that take it and wait for nothing else
/// (Python/ceval.c).
const TAKERS: [&str; 3] = [
    "PyEval_RestoreThread",
    "PyEval_AcquireThread",
    "PyEval_AcquireLock",
];

/// The GIL, which is waited for again and again with a timeout that ends nothing.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let state = waiter.state?;
    if !is_awaited(view, waiter.thread, state) {
        return None;
    }
    let evidence = match state.waits_for_gil {
        Some(_) => "it sleeps on the GIL's condition variable",
        None => "threads sleep there that are in a function which takes the GIL",
    };
    let mut interpreters = view.python.interpreters.iter();
    let interpreter = interpreters.find(|i| i.id == state.interpreter)?;
    let owner = match &interpreter.gil {
        GilState::Held { tstate, evidence } => {
            let holder = view.by_state(*tstate);
            holder.map(|thread| Owner::known(thread, evidence.clone()))
        }
        GilState::Free => Some(Owner::Nobody),
        GilState::Disabled => None,
        GilState::Unknown(why) => Some(Owner::unknown(why.clone())),
    };
    // Interpreters that share a GIL are one.
    let shared = interpreter.shares_gil_with.iter().copied().min();
    let first = shared.map_or(interpreter.id, |id| id.min(interpreter.id));
    let mut interpreters = view.python.interpreters.iter();
    let address = interpreters.find(|i| i.id == first)?.addr;
    Some(Found {
        evidence: evidence.into(),
        kind: Kind::Gil,
        address,
        owner,
        timed: false,
    })
}

/// Whether a thread waits for the GIL: its state tells, or it sleeps where others do that were about to
/// take it.
pub(super) fn is_awaited(view: &View<'_>, thread: &NativeThread, state: &PyThread) -> bool {
    state.waits_for_gil.unwrap_or_else(|| {
        let futex = Futex::of(thread);
        futex.is_some_and(|futex| {
            let mut known = view.gil_futexes().iter();
            known.any(|known| known.0.abs_diff(futex.addr.0) <= WORD)
        })
    })
}

/// The futexes on which threads sleep that are about to take the GIL, where no symbol tells where it
/// lies: by their native stacks.
pub(super) fn futexes(view: &View<'_>) -> Vec<Addr> {
    let images = &view.process.images;
    let takers = TAKERS.iter().filter_map(|name| images.exported(name));
    let takers: Vec<Taker<'_>> = takers
        .map(|(image, start, size)| (image, start..Addr(start.0.saturating_add(size))))
        .collect();
    let unsure = view.states.iter();
    let unsure = unsure.filter(|(_, state)| state.waits_for_gil.is_none());
    let found = unsure.filter_map(|(id, _)| {
        let thread = view.process.threads().get(id.checked_sub(1)?)?;
        let futex = Futex::of(thread)?;
        takes_it(view, thread, &takers).then_some(futex.addr)
    });
    found.collect()
}

/// A function that takes the GIL: the file that has it, and its code.
type Taker<'a> = (&'a Arc<Image>, Range<Addr>);

/// Whether a thread is in a function that takes the GIL: below it there are only frames of the same
/// file and of the C library.
fn takes_it(view: &View<'_>, thread: &NativeThread, takers: &[Taker<'_>]) -> bool {
    let Some(stack) = view.process.stack(thread.id) else {
        return false;
    };
    let images = &view.process.images;
    let threads = images
        .exported("pthread_mutex_lock")
        .map(|(image, ..)| image);
    for frame in stack.frames.iter().take_while(|f| !f.trust.is_guess()) {
        let pc = frame.pc.lookup();
        if takers.iter().any(|(_, range)| range.contains(&pc)) {
            return true;
        }
        let mut between = takers.iter().map(|(image, _)| *image).chain(threads);
        if !between.any(|image| (image.start..image.end).contains(&pc)) {
            return false;
        }
    }
    false
}
