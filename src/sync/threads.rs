//! Waits for another thread to end (`Thread.join`, Lib/threading.py).

use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::python::PyFrame;
use crate::python::doing::library;

/// How many of a thread's innermost Python frames `join` is looked for in: it has inner functions.
const FRAMES: usize = 3;

/// The thread that `Thread.join` waits for.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    waiter.futex.as_ref()?;
    let is_join =
        |frame: &&PyFrame| &*frame.function == "join" && library(&frame.file) == Some("threading");
    let frames = waiter.frames(view).iter();
    let thread = view.receiver(frames.take(FRAMES).find(is_join)?)?;
    if !view.is_instance(thread, &["threading.Thread"]) {
        return None;
    }
    let ident = view.attribute(thread, &["_ident", "_Thread__ident"])?;
    let ident = u64::try_from(view.python.objects.int(ident).ok()?).ok()?;
    let owner = match view.by_ident(ident) {
        Some(thread) => Owner::known(thread, format!("the Thread object has ident {ident:#x}")),
        None => Owner::Orphaned {
            evidence: format!("the Thread object has ident {ident:#x}, which no thread has"),
        },
    };
    Some(Found {
        evidence: "it is in Thread.join".into(),
        kind: Kind::Thread,
        address: thread,
        owner: Some(owner),
        timed: waiter.timed(),
    })
}
