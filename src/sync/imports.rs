//! Waits for the import of a module by another thread: each module has a lock while it is imported
//! (Lib/importlib/_bootstrap.py, `_ModuleLock`, 3.3 and later).

use super::view::{Found, Waiter};
use super::{Kind, Owner, Place, View};
use crate::addr::Addr;
use crate::python::PyFrame;
use crate::python::doing::library;

/// The class of module locks; its module is called otherwise while Python starts.
const MODULE_LOCK: &[&str] = &[
    "_frozen_importlib._ModuleLock",
    "importlib._bootstrap._ModuleLock",
];

/// The longest name of a module that is compared, in characters.
const LONGEST: u64 = 1000;

/// The lock of a module that another thread is importing.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    waiter.futex.as_ref()?;
    let frame = waiter.frames(view).first()?;
    if &*frame.function != "acquire" || !is_importlib(frame) {
        return None;
    }
    let lock = view.receiver(frame)?;
    if !view.is_instance(lock, MODULE_LOCK) {
        return None;
    }
    let wakeup = view.py_lock(view.attribute(lock, &["wakeup"])?)?;
    let native = waiter.native(view)?;
    (wakeup.native == native.addr).then(|| Found {
        evidence: "it is in _ModuleLock.acquire and sleeps on its wakeup lock".into(),
        kind: Kind::ModuleLock,
        address: lock,
        owner: Some(module_owner(view, lock)),
        timed: waiter.timed(),
    })
}

fn is_importlib(frame: &PyFrame) -> bool {
    library(&frame.file) == Some("importlib")
}

/// Who imports the module of a lock.
fn module_owner(view: &View<'_>, lock: Addr) -> Owner {
    let objects = &view.python.objects;
    let Some(owner) = view.attribute(lock, &["owner"]) else {
        return Owner::unknown("the module's lock has no readable owner");
    };
    if (objects.type_of(owner)).is_ok_and(|ty| ty.name.as_deref() == Some("NoneType")) {
        return Owner::Nobody;
    }
    let ident = objects.int(owner).ok();
    let Some(ident) = ident.and_then(|ident| u64::try_from(ident).ok()) else {
        return Owner::unknown("the module's lock has no readable owner");
    };
    let says = format!("the module's lock names ident {ident:#x} as its owner");
    let named = view.owner_named(ident, says.clone());
    let Some(thread) = named.thread() else {
        return named;
    };
    // The ident of a thread that has ended may have gone to a new one, as in the child of a fork.
    let Some(place) = import_of(view, thread, lock) else {
        return Owner::unknown(format!(
            "{says}, which is that of thread {thread}, but no frame of it imports anything"
        ));
    };
    Owner::Known {
        thread,
        evidence: says,
        place,
    }
}

/// Where a thread imports the module of `lock`, as far as its frames tell; `None` when it imports
/// nothing at all.
fn import_of(view: &View<'_>, thread: usize, lock: Addr) -> Option<Option<Place>> {
    let stack = view.python.stack(view.state(thread)?);
    if !stack.frames.iter().any(is_importlib) {
        return None;
    }
    let text = |addr| Some(view.python.objects.text(addr, LONGEST).ok()?.value);
    let module = view.attribute(lock, &["name"]).and_then(text);
    let imports = |frame: &PyFrame| {
        let name = view.receiver(frame).and_then(text);
        is_importlib(frame) && &*frame.function == "_find_and_load" && name == module
    };
    let at = stack.frames.iter().position(imports);
    let outer = at.and_then(|at| stack.frames.get(at..));
    let mut outer = outer.unwrap_or_default().iter();
    Some(outer.find(|frame| !is_importlib(frame)).map(Place::of))
}
