//! Waits for the results of futures (Lib/concurrent/futures/_base.py): one with `result` or
//! `exception`, several with `wait` and `as_completed`.

use super::threading::{Layer, Said, Step, over};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::native::futex::Futex;
use crate::python::PyFrame;
use crate::python::doing::library;

/// The most futures of one wait that are looked at.
const MOST_FUTURES: usize = 10_000;

/// The longest name of a state.
const LONGEST_STATE: u64 = 40;

const FUTURE: &[&str] = &["concurrent.futures._base.Future"];

pub(super) const LAYERS: &[Layer] = &[Layer {
    kind: Kind::Future,
    classes: FUTURE,
    parts: &["_condition"],
    say: future,
}];

fn future(view: &View<'_>, step: &Step<'_>) -> Said {
    Said {
        owner: owner(view, step.object),
        evidence: format!("it is in Future.{}", step.frame.function),
    }
}

/// Who could finish a future, as far as an executor's threads tell.
fn owner(view: &View<'_>, future: Addr) -> Option<Owner> {
    if is_done(view, future) != Some(false) {
        return over("the future is done already");
    }
    view.executors().owner(view, future)
}

/// Whether a future is done; `None` when its state cannot be read.
fn is_done(view: &View<'_>, future: Addr) -> Option<bool> {
    let state = view.attribute(future, &["_state"])?;
    let state = view.python.objects.text(state, LONGEST_STATE).ok()?;
    Some(!matches!(&*state.value, "PENDING" | "RUNNING"))
}

/// What a thread waits for that is in `wait` or `as_completed`, where it sleeps on the event of
/// an object made for this one wait.
pub(super) fn of_several(
    view: &View<'_>,
    frame: &PyFrame,
    event: Addr,
) -> Option<(Kind, Addr, Said)> {
    if library(&frame.file) != Some("futures") {
        return None;
    }
    let wait = view.local(frame, "waiter")?;
    if view.attribute(wait, &["event"]) != Some(event) {
        return None;
    }
    let open = match &*frame.function {
        "wait" => view.local(frame, "not_done")?,
        "as_completed" => view.local(frame, "pending")?,
        _ => return None,
    };
    let objects = &view.python.objects;
    let all = objects.set_items(open, MOST_FUTURES).ok()?;
    let futures = all.iter().copied();
    let open =
        |future: &Addr| view.is_instance(*future, FUTURE) && is_done(view, *future) == Some(false);
    let open: Vec<Addr> = futures.filter(open).collect();
    let all_needed = view.is_instance(wait, &["concurrent.futures._base._AllCompletedWaiter"])
        && view.number(wait, &["stop_on_exception"]) == Some(0);
    let (address, owner, which) = match open.as_slice() {
        [] => (wait, over("all of the futures are done already"), ""),
        [one] => (
            *one,
            view.executors().owner(view, *one),
            "; only this one is not done",
        ),
        several if all_needed => {
            let (one, owner) = worst(view, several)?;
            (one, owner, "; this is one of those that are not done")
        }
        several => (wait, owner_of_any(view, several), "; any one may end it"),
    };
    Some((
        Kind::Future,
        address,
        Said {
            owner,
            evidence: format!(
                "it is in concurrent.futures.{} for {} futures{which}",
                frame.function,
                all.len(),
            ),
        },
    ))
}

/// Of futures that all must be done, the one whose end is farthest: nobody is left for it, or who
/// works on it sleeps itself.
fn worst(view: &View<'_>, futures: &[Addr]) -> Option<(Addr, Option<Owner>)> {
    let sleeps = |thread: &usize| {
        let thread = view.process.threads().get(thread.wrapping_sub(1));
        thread.is_some_and(|thread| Futex::of(thread).is_some())
    };
    let rank = |owner: &Option<Owner>| match owner.as_ref().map(doers) {
        Some(Some(threads)) if threads.iter().all(sleeps) => threads.len().min(1),
        Some(Some(_)) => 2,
        _ => 3,
    };
    let executors = view.executors();
    let owners = futures
        .iter()
        .map(|future| (*future, executors.owner(view, *future)));
    owners.min_by_key(|(_, owner)| rank(owner))
}

/// Who could finish any of several futures; `None` if that is not known of one of them.
fn owner_of_any(view: &View<'_>, futures: &[Addr]) -> Option<Owner> {
    let mut threads = Vec::new();
    for future in futures {
        threads.extend(doers(&view.executors().owner(view, *future)?)?);
    }
    threads.sort_unstable();
    threads.dedup();
    let evidence = "these threads work on the futures, or could".into();
    Some(Owner::AnyOf { threads, evidence })
}

/// The threads that could end a wait.
fn doers(owner: &Owner) -> Option<Vec<usize>> {
    match owner {
        Owner::AnyOf { threads, .. } => Some(threads.clone()),
        owner => Some(vec![owner.thread()?]),
    }
}
