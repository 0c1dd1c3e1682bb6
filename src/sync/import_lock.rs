//! Waits for the lock of all imports (Python/import.c), which 2.7 holds while the code of a module
//! runs, and later versions only for moments or when a program asks for it.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View};
use crate::addr::Addr;

/// The function that takes the lock; every build exports it.
const ACQUIRE: &str = "_PyImport_AcquireLock";

/// The function that 2.7 holds the lock in.
const IMPORT: &str = "PyImport_ImportModuleLevel";

/// How many of a thread's innermost native frames the function is looked for in.
const FRAMES: usize = 16;

/// The lock where its address is known.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    waiter.state?;
    let native = waiter.native(view)?.addr;
    let mut locks = view.import_locks().iter();
    let lock = locks.find(|lock| native == lock.addr || native == lock.semaphore)?;
    let owner = match lock.owner {
        Some(ident) => view.owner_named(
            ident,
            format!("the import lock names ident {ident:#x} as its owner"),
        ),
        None => Owner::unknown("the import lock names no owner"),
    };
    Some(found(
        waiter,
        lock.addr,
        owner,
        "it sleeps on the import lock",
    ))
}

/// The lock where no symbol tells its address: by the exported function that the thread is in.
pub(super) fn wait_in_function(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    if waiter.state.is_none() || !view.import_locks().is_empty() {
        return None;
    }
    let address = waiter.futex.as_ref()?.addr;
    if !is_in(view, waiter.thread.id, ACQUIRE, FRAMES) {
        return None;
    }
    let owner = match view.importer() {
        Some(thread) => Owner::Inferred {
            thread,
            evidence: format!("no other thread is in {IMPORT}, which holds the import lock"),
            place: None,
        },
        None => Owner::unknown(
            "no symbol tells the address of import_lock_thread, which names the owner",
        ),
    };
    let evidence = "it is in _PyImport_AcquireLock";
    Some(found(waiter, address, owner, evidence))
}

fn found(waiter: &Waiter<'_>, address: Addr, owner: Owner, evidence: &'static str) -> Found {
    Found {
        evidence: evidence.into(),
        kind: Kind::ImportLock,
        address,
        owner: Some(owner),
        timed: waiter.timed(),
    }
}

/// The thread that imports something, where only one at a time can: it is in the function that
/// does so, and not about to take the lock.
pub(super) fn importer(view: &View<'_>) -> Option<usize> {
    if !view.python.layout.kinds.imports_one_by_one {
        return None;
    }
    let imports = |thread: &usize| {
        is_in(view, *thread, IMPORT, usize::MAX) && !is_in(view, *thread, ACQUIRE, usize::MAX)
    };
    let threads = view.states.iter().map(|(thread, _)| *thread);
    let mut importers = threads.filter(imports);
    let first = importers.next()?;
    importers.next().is_none().then_some(first)
}

/// Whether a function is among the innermost native frames of a thread.
fn is_in(view: &View<'_>, thread: usize, function: &str, frames: usize) -> bool {
    let Some(stack) = view.process.stack(thread) else {
        return false;
    };
    stack.frames.iter().take(frames).any(|frame| {
        let locations = view.process.symbolize(frame);
        let mut names = locations
            .iter()
            .filter_map(|location| location.function.as_deref());
        names.any(|name| name == function)
    })
}
