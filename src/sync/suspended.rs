//! Locks that a suspended generator or coroutine holds: it stopped at a `yield` or an `await` inside
//! of `with lock:`. Whoever resumes it will release the lock. That is a thread for certain when all
//! references to the generator are in one of its frames, or in a generator that this holds for;
//! and when the coroutine is the one that `asyncio.run` of the thread runs.

use super::holders::{Claim, settle_all};
use super::managers::held_in;
use super::{Kind, Locks, Owner, Place, View};
use crate::addr::Addr;
use crate::python::{PyFrame, doing};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// How many suspended generators are looked at.
const MOST_GENERATORS: usize = 100_000;

/// A generator to look at.
struct Reached {
    generator: Addr,
    /// The thread that must be the one that resumes it, and the function that refers to it.
    resumer: Option<(usize, String)>,
}

/// Looks for owners of those locks that threads wait for and no frame of a thread holds; frames
/// have claimed those at the positions in `claimed`.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, claimed: &dyn Fn(usize) -> bool) {
    let open: FxHashMap<Addr, usize> = (locks.all.iter().enumerate())
        .filter(|(at, lock)| {
            !claimed(*at)
                && matches!(lock.kind, Kind::Lock | Kind::RLock)
                && matches!(lock.owner, Owner::Unknown { .. })
                && !lock.waiters.is_empty()
        })
        .map(|(at, lock)| (lock.address, at))
        .collect();
    if open.is_empty() {
        return;
    }
    let mut claims: FxHashMap<usize, Vec<Claim>> = FxHashMap::default();
    let mut seen = FxHashSet::default();
    let mut reached = from_threads(view);
    // Those whose thread is known come last, and hence are looked at first.
    reached.sort_by_key(|reached| reached.resumer.is_some());
    let mut reached = VecDeque::from(reached);
    // Up to 3.10 a generator does not always say that it runs.
    let running = view.running_frames();
    while let Some(next) = reached.pop_back() {
        if seen.len() >= MOST_GENERATORS || !seen.insert(next.generator) {
            continue;
        }
        let frame = view.python.suspended(next.generator);
        let Some(frame) = frame.filter(|frame| !running.contains(&frame.addr)) else {
            continue;
        };
        for held in held_in(view, &frame) {
            let Some(&at) = open.get(&held.lock.addr) else {
                continue;
            };
            let place = Place {
                line: held.line.or(frame.position.line),
                ..Place::of(&frame)
            };
            match &next.resumer {
                Some((thread, function)) => claims.entry(at).or_default().push(Claim {
                    thread: *thread,
                    evidence: format!(
                        "{}() is suspended inside of a \"with\" statement of {}, and only \
                         {function}() of the thread can resume it",
                        frame.function, held.of
                    ),
                    place,
                }),
                None => hint(locks, at, &place),
            }
        }
        let inner = references(view, view.python.suspended_values(&frame));
        for (generator, count) in inner {
            let resumer = next.resumer.clone();
            let resumer = resumer.filter(|_| are_all(view, generator, count));
            let inner = Reached { generator, resumer };
            match inner.resumer {
                Some(_) => reached.push_back(inner),
                None => reached.push_front(inner),
            }
        }
    }
    settle_all(locks, &claims);
}

/// Says which suspended frame holds a lock where nothing tells who resumes it.
fn hint(locks: &mut Locks, at: usize, place: &Place) {
    let Some(lock) = locks.all.get_mut(at) else {
        return;
    };
    if let Owner::Unknown { why } = &mut lock.owner {
        let line = place.line.map_or("?".to_owned(), |line| line.to_string());
        *why = format!(
            "{}() is suspended inside of a \"with\" statement of it (File \"{}\", line {line}), and \
             nothing proves which thread resumes it",
            place.function, place.file
        );
    }
}

/// The generators that frames of threads refer to.
fn from_threads(view: &View<'_>) -> Vec<Reached> {
    let mut reached = Vec::new();
    for (thread, state) in &view.states {
        for frame in &view.python.stack(state).frames {
            let values = values(view, frame);
            let runs = runs_coroutine(frame);
            for (generator, count) in references(view, values) {
                let proved = runs || are_all(view, generator, count);
                reached.push(Reached {
                    generator,
                    resumer: proved.then(|| (*thread, frame.function.to_string())),
                });
            }
        }
    }
    reached
}

/// What a running frame certainly refers to: its own variables, and what is on its evaluation
/// stack for certain.
fn values(view: &View<'_>, frame: &PyFrame) -> Vec<Addr> {
    let mut values = view.python.own_values(frame);
    let slots = view.python.evaluation_slots(frame).unwrap_or_default();
    // To find out how many of them are live takes longer than to see that there is nothing.
    if slots.iter().any(|slot| view.python.is_generator(*slot)) {
        values.extend(view.python.live_slots(frame));
    }
    values
}

/// The generators among values, and how often each is there.
fn references(view: &View<'_>, values: Vec<Addr>) -> FxHashMap<Addr, i64> {
    let mut counts = FxHashMap::default();
    for value in values {
        if view.python.is_generator(value) {
            *counts.entry(value).or_default() += 1;
        }
    }
    counts
}

/// Whether so many references are all that there are.
fn are_all(view: &View<'_>, generator: Addr, count: i64) -> bool {
    let all = view.python.objects.refcount(generator);
    all.is_ok_and(|all| all.shown() <= count)
}

/// Whether the coroutine that a frame was given is run by its thread to the end: `asyncio.run`
/// (Lib/asyncio/runners.py, 3.7+).
fn runs_coroutine(frame: &PyFrame) -> bool {
    &*frame.function == "run" && doing::library(&frame.file) == Some("asyncio.runners")
}
