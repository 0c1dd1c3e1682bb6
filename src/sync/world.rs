//! Stopping the world in free-threaded builds (Python/pystate.c `stop_the_world`): the thread that
//! wants it waits until every thread that runs Python has stopped, and these wait until it lets
//! them go on.

use super::parking::{Parked, own_state, parked_on};
use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::python::{Attachment, PyThread};
use std::sync::Arc;

/// More threads than can be counted down.
const MOST_THREADS: i64 = 1 << 30;

/// A thread that wants the world stopped, or has stopped it.
pub(super) struct Stop {
    /// The `struct _stoptheworld_state`.
    at: Addr,
    /// What the requester waits for: an event in it.
    event: Addr,
    /// The thread state that wants it.
    requester: Addr,
    /// The interpreter whose threads must stop; `None` for all.
    interpreter: Option<i64>,
    /// Whether they have.
    stopped: bool,
}

impl Stop {
    fn concerns(&self, state: &PyThread) -> bool {
        self.interpreter
            .is_none_or(|interpreter| interpreter == state.interpreter)
    }
}

/// Every stop there is; at most one for each interpreter, and one for all.
pub(super) fn stops(view: &View<'_>) -> Vec<Stop> {
    let python = view.python;
    let fields = &python.layout.fields;
    let of_all = || Some((fields.runtime?.stoptheworld?.of(python.runtime.addr?), None));
    let own = fields.interpreter.stoptheworld;
    let of_one = python.interpreters.iter().filter_map(|interpreter| {
        let at = own?.of(interpreter.addr);
        Some((at, Some(interpreter.id)))
    });
    let places = of_all().into_iter().chain(of_one);
    places
        .filter_map(|(at, interpreter)| read(view, at, interpreter))
        .collect()
}

/// The struct at `at`, when a thread has asked for a stop and all of its words make sense.
fn read(view: &View<'_>, at: Addr, interpreter: Option<i64>) -> Option<Stop> {
    let f = view.python.layout.fields.stop_the_world?;
    let memory = &view.process.target.memory;
    let flag = |address| match memory.u8(address) {
        Ok(0) => Some(false),
        Ok(1) => Some(true),
        _ => None,
    };
    let countdown = memory.u64(f.countdown.of(at)).ok()? as i64;
    let requester = memory.ptr(f.requester.of(at)).ok()?;
    let known = view.python.threads().any(|state| state.tstate == requester);
    let sane = (0..MOST_THREADS).contains(&countdown) && known;
    (flag(f.requested.of(at))? && sane).then_some(Stop {
        at,
        event: f.stop_event.of(at),
        requester,
        interpreter,
        stopped: flag(f.world_stopped.of(at))?,
    })
}

/// Waits for the world to stop, or to go on.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let state = waiter.state?;
    let stops = view.stops();
    let wanted = |stop: &&Stop| stop.requester == state.tstate && !stop.stopped;
    if let Some(stop) = stops.iter().find(wanted) {
        return Some(Found {
            evidence: "it has asked the world to stop, which still runs".into(),
            kind: Kind::World,
            address: stop.event,
            owner: Some(still_running(view, stop)),
            timed: false,
        });
    }
    let Parked::On(parked) = parked_on(view, waiter.thread, waiter.futex.as_ref()?) else {
        return None;
    };
    let suspended = own_state(view, waiter.thread) == Some(parked);
    // The struct begins with the mutex that is held until the world goes on.
    let in_the_way = |stop: &&Stop| match suspended {
        true => stop.concerns(state),
        false => parked == stop.at,
    };
    let one_or_all = one_or_all(view) == Some(parked);
    let (address, owner) = match stops.iter().find(in_the_way) {
        Some(stop) => (stop.at, requester(view, stop)),
        None if one_or_all => (parked, requesters(view, stops)),
        None => return None,
    };
    let evidence = match suspended {
        true => "it is suspended until the world goes on",
        false => "it wants to stop the world, too",
    };
    Some(Found {
        evidence: evidence.into(),
        kind: Kind::World,
        address,
        owner: Some(owner),
        timed: false,
    })
}

/// The lock that keeps a stop of all interpreters apart from those of one.
fn one_or_all(view: &View<'_>) -> Option<Addr> {
    let fields = view.python.layout.fields.runtime?;
    Some(fields.stoptheworld_mutex?.of(view.python.runtime.addr?))
}

/// Who lets the world go on.
fn requester(view: &View<'_>, stop: &Stop) -> Owner {
    match view.by_state(stop.requester) {
        Some(thread) => Owner::known(thread, "the stopped world names it as the requester"),
        None => Owner::unknown(format!(
            "the stopped world names thread state {} as the requester, whose thread is not known",
            stop.requester
        )),
    }
}

/// Who must let their worlds go on before one of the other kind is stopped: the one that stops
/// all, else each of those that stop one.
fn requesters(view: &View<'_>, stops: &[Stop]) -> Owner {
    let of_all = stops.iter().find(|stop| stop.interpreter.is_none());
    match (of_all, stops) {
        (Some(stop), _) | (None, [stop]) => requester(view, stop),
        (None, []) => Owner::unknown("no thread says that it stops the world"),
        (None, _) => Owner::unknown("several threads stop the worlds of several interpreters"),
    }
}

/// What is waited for at this address, in a person's words.
pub(super) fn name(view: &View<'_>, address: Addr) -> &'static str {
    match view.stops().iter().any(|stop| stop.event == address) {
        true => "the world to stop",
        false => "the world to go on",
    }
}

/// The threads that a requester waits for: all that are attached to their interpreter. It needs
/// every one of them.
fn still_running(view: &View<'_>, stop: &Stop) -> Owner {
    let running = |state: &&Arc<PyThread>| {
        state.attachment == Some(Attachment::Attached)
            && state.tstate != stop.requester
            && stop.concerns(state)
    };
    let mut threads = Vec::new();
    for state in view.python.threads().filter(running) {
        match view.by_state(state.tstate) {
            Some(thread) => threads.push(thread),
            None => {
                return Owner::unknown(format!(
                    "thread state {} still runs, whose thread is not known",
                    state.tstate
                ));
            }
        }
    }
    match threads.as_slice() {
        [] => Owner::unknown("all threads have stopped in this very moment"),
        [one] => Owner::known(*one, "its thread state says that it still runs"),
        _ => Owner::AnyOf {
            threads,
            evidence: "their thread states say that they still run".into(),
        },
    }
}
