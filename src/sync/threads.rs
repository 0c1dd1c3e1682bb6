//! Waits for another thread (Lib/threading.py): for its end in `Thread.join` and at the end of
//! the program, for its begin in `Thread.start`.

use super::parking::{Parked, parked_on};
use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;
use crate::python::PyFrame;
use crate::python::doing::library;

/// How many of a thread's innermost Python frames are looked at: `join` and `start` have inner
/// functions.
const FRAMES: usize = 4;

/// What a Thread object has in place of an ident until its thread runs.
const NO_IDENT: u64 = 0;

/// The `ThreadHandle` that a thread object has from 3.13 on (Modules/_threadmodule.c).
#[derive(Clone, Copy)]
struct Handle(Addr);

impl Handle {
    /// The handle of a `threading.Thread`.
    fn of(view: &View<'_>, thread: Addr) -> Option<Handle> {
        let object = view.attribute(thread, &["_os_thread_handle", "_handle"])?;
        let objects = &view.python.objects;
        let handle = objects.memory.ptr(objects.after(object, 0)).ok()?;
        Some(Handle(handle)).filter(|_| !handle.is_null())
    }

    fn ident(self, view: &View<'_>) -> Option<u64> {
        const IDENT: u64 = 32;
        let ident = view.python.objects.memory.u64(self.0.add(IDENT)).ok()?;
        Some(ident).filter(|ident| *ident != NO_IDENT)
    }

    /// Whether the thread has told that it ends.
    fn is_exiting(self, view: &View<'_>) -> bool {
        const EXITING: u64 = 57;
        let exiting = view.python.objects.memory.u8(self.0.add(EXITING));
        exiting.is_ok_and(|exiting| exiting & 1 != 0)
    }

    /// Whether a thread that waits for the end of this one is parked there: on the event that it
    /// ends, or on the flag that somebody joins it already.
    fn has(self, addr: Addr) -> bool {
        const SIZE: u64 = 72;
        self.0 <= addr && addr.0.wrapping_sub(self.0.0) < SIZE
    }
}

/// The thread that `Thread.join`, `Thread.start` or the end of the program waits for.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let frames = waiter.frames(view).iter().take(FRAMES);
    let mut frames = frames.take_while(|frame| library(&frame.file) == Some("threading"));
    let names = ["join", "start", "_shutdown"];
    let frame = frames.find(|frame| names.contains(&&*frame.function))?;
    match &*frame.function {
        "join" => join(view, waiter, frame),
        "start" => start(view, waiter, frame),
        _ => shutdown(view, waiter),
    }
}

fn join(view: &View<'_>, waiter: &Waiter<'_>, frame: &PyFrame) -> Option<Found> {
    let thread = view.receiver(frame)?;
    if !view.is_instance(thread, &["threading.Thread"]) {
        return None;
    }
    let (timed, ended) = match view.attribute(thread, &["_Thread__block"]) {
        // 2.7: a condition that is notified when the thread ends.
        Some(block) => {
            let wait = waiter.condition(view)?;
            (
                wait.timed,
                (wait.condition == block).then_some(wait.notified)?,
            )
        }
        None => (waiter.timed(), ended(view, waiter, thread)?),
    };
    Some(Found {
        evidence: "it is in Thread.join".into(),
        kind: Kind::Thread,
        address: thread,
        owner: Some(owner(view, thread, ended)),
        timed,
    })
}

/// Whether a thread has ended that another one waits for in a lock or a handle of it; `None` when
/// the other one does not wait for that.
fn ended(view: &View<'_>, waiter: &Waiter<'_>, thread: Addr) -> Option<bool> {
    let futex = waiter.futex.as_ref()?;
    if let Some(handle) = Handle::of(view, thread) {
        let waits = match parked_on(view, waiter.thread, futex) {
            Parked::On(addr) => handle.has(addr),
            // In pthread_join, or in an entry that the core lacks.
            Parked::No | Parked::Lost => waiter.lock(view).is_none(),
        };
        return waits.then(|| handle.is_exiting(view));
    }
    // A lock that the thread holds as long as it lives.
    let own = view.attribute(thread, &["_tstate_lock"])?;
    let (lock, _) = waiter.lock(view)?;
    (lock.addr == own).then_some(!lock.locked)
}

/// A thread that waits until the one that it starts runs.
fn start(view: &View<'_>, waiter: &Waiter<'_>, frame: &PyFrame) -> Option<Found> {
    let wait = waiter.condition(view)?;
    let thread = view.receiver(frame)?;
    let started = view.attribute(thread, &["_started", "_Thread__started"])?;
    let condition = view.attribute(started, &["_cond", "_Event__cond"])?;
    if !view.is_instance(thread, &["threading.Thread"]) || condition != wait.condition {
        return None;
    }
    let is_set = view.number(started, &["_flag", "_Event__flag"]) != Some(0);
    let owner = match begun(view, thread) {
        _ if is_set || wait.notified => {
            Owner::unknown("it runs already, and the waiting thread goes on as soon as it runs")
        }
        Some(new) => Owner::Inferred {
            thread: new,
            evidence: "it runs the Thread object's first function".into(),
            place: None,
        },
        None => Owner::unknown("nothing tells yet which thread is the new one"),
    };
    Some(Found {
        evidence: "it is in Thread.start".into(),
        kind: Kind::Thread,
        address: thread,
        owner: Some(owner),
        timed: wait.timed,
    })
}

/// The thread that has begun to run a Thread object.
fn begun(view: &View<'_>, thread: Addr) -> Option<usize> {
    let ident = Handle::of(view, thread).and_then(|handle| handle.ident(view));
    let mut states = view.states.iter().map(|(id, _)| *id);
    ident
        .and_then(|ident| view.by_ident(ident))
        .or_else(|| states.find(|id| view.runs(*id, thread) == Some(true)))
}

/// What the main thread waits for when the program has ended: threads that are no daemons, one
/// after the other.
fn shutdown(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    let parked = parked_on(view, waiter.thread, futex);
    let lock = waiter.lock(view).map(|(lock, _)| lock.addr);
    let is_awaited = |thread: &Addr| match parked {
        Parked::On(addr) => Handle::of(view, *thread).is_some_and(|handle| handle.has(addr)),
        _ => lock.is_some() && view.attribute(*thread, &["_tstate_lock"]) == lock,
    };
    let objects = &view.python.objects;
    let namespace = view.python.module("threading")?;
    let active = objects.dict_get(namespace, "_active").ok()??;
    let active = objects.dict_items(active).ok()?.into_iter();
    let mut threads = active.map(|(_, thread)| thread);
    let thread = threads.find(is_awaited)?;
    Some(Found {
        evidence: "the program has ended, and it waits for threads that are no daemons".into(),
        kind: Kind::Thread,
        address: thread,
        owner: Some(owner(view, thread, ended(view, waiter, thread)?)),
        timed: waiter.timed(),
    })
}

/// The thread that a Thread object stands for, whose end is awaited.
fn owner(view: &View<'_>, thread: Addr, ended: bool) -> Owner {
    let ident = view.number(thread, &["_ident", "_Thread__ident"]);
    let Some(ident) = ident.and_then(|ident| u64::try_from(ident).ok()) else {
        return Owner::unknown("the Thread object does not say which thread it is");
    };
    let runs = |running: &usize| view.runs(*running, thread) != Some(false);
    match view.by_ident(ident).filter(runs) {
        None if ended => {
            Owner::unknown("it has ended, and the waiting thread goes on as soon as it runs")
        }
        running => Owner::named(running, format!("the Thread object has ident {ident:#x}")),
    }
}
