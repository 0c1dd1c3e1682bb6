//! Waits for imports: for the lock of one module (Lib/importlib/_bootstrap.py, `_ModuleLock`, 3.3
//! and later), and for the lock of all imports (Python/import.c), which 2.7 holds while the code
//! of a module runs.

use super::view::{Found, Waiter};
use super::{Kind, Owner, Place, View, python_lock};
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

/// How many of a thread's innermost native frames the import lock's function is looked for in.
const FRAMES: usize = 16;

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
    let (native, _) = python_lock::native(view, waiter)?;
    (wakeup.native == native).then(|| Found {
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
    let names = format!("the module's lock names ident {ident:#x} as its owner");
    let Some(thread) = view.by_ident(ident) else {
        return Owner::Orphaned {
            evidence: format!("{names}, which no thread has"),
        };
    };
    // The ident of a thread that has ended may have gone to a new one, as in the child of a fork.
    let Some(place) = import_of(view, thread, lock) else {
        return Owner::unknown(format!(
            "{names}, which is that of thread {thread}, but no frame of it imports anything"
        ));
    };
    Owner::Known {
        thread,
        evidence: names,
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

/// The lock of all imports.
pub(super) fn wait_for_all(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    waiter.state?;
    let (native, _) = python_lock::native(view, waiter)?;
    let mut locks = view.import_locks().iter();
    let lock = locks.find(|lock| native == lock.addr || native == lock.semaphore)?;
    let owner = match lock.owner {
        Some(ident) => {
            let names = format!("the import lock names ident {ident:#x} as its owner");
            match view.by_ident(ident) {
                Some(thread) => Owner::known(thread, names),
                None => Owner::Orphaned {
                    evidence: format!("{names}, which no thread has"),
                },
            }
        }
        None => Owner::unknown("the import lock names no owner"),
    };
    Some(Found {
        evidence: "it sleeps on the import lock".into(),
        kind: Kind::ImportLock,
        address: lock.addr,
        owner: Some(owner),
        timed: waiter.timed(),
    })
}

/// The lock of all imports where no symbol tells its address: by the exported function that the
/// thread is in.
pub(super) fn wait_in_function(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    if waiter.state.is_none() || !view.import_locks().is_empty() {
        return None;
    }
    let address = waiter.futex.as_ref()?.addr;
    let stack = view.process.stack(waiter.thread.id)?;
    let mut innermost = stack.frames.iter().take(FRAMES);
    let is_it = |name: &Option<String>| name.as_deref() == Some("_PyImport_AcquireLock");
    innermost
        .any(|frame| {
            let locations = view.process.symbolize(frame);
            locations.iter().any(|location| is_it(&location.function))
        })
        .then(|| Found {
            evidence: "it is in _PyImport_AcquireLock".into(),
            kind: Kind::ImportLock,
            address,
            owner: Some(Owner::unknown(
                "no symbol tells the address of import_lock_thread, which names the owner",
            )),
            timed: waiter.timed(),
        })
}
