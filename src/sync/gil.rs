//! Waits for the GIL.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::python::GilState;

/// The GIL, which is waited for again and again with a timeout that ends nothing.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let state = waiter.state?;
    if view.python.waits_for_gil(state) != Some(true) {
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
