//! Locks (Modules/_threadmodule.c), what Lib/threading.py makes of them, and futures
//! (Lib/concurrent/futures/_base.py). The Python classes among them are the same in every process,
//! so what their `__repr__` writes is known; where a version has none, `tp_repr` tells.

use super::Decoders;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::names;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("_thread.lock", lock),
    ("_thread.RLock", recursive_lock),
    ("threading._RLock", python_lock),
    ("threading.Condition", condition),
    ("threading._Condition", condition),
    ("threading.Event", event),
    ("threading.Semaphore", semaphore),
    ("threading.BoundedSemaphore", bounded_semaphore),
    ("threading.Barrier", barrier),
    ("threading.Thread", thread),
    ("concurrent.futures._base.Future", future),
];

/// Whether a C lock is held, and its owner and how often, where it keeps these.
struct LockState {
    locked: bool,
    owner: u64,
    count: u64,
}

impl Objects {
    /// The attribute `name` of an object of Lib/threading.py; in 2.7 `class` mangles it.
    fn private(&self, object: Addr, class: &str, name: &str) -> Result<Addr, Fault> {
        let value = match self.attribute(object, name)? {
            Some(value) => Some(value),
            None => self.attribute(object, &format!("_{class}_{name}"))?,
        };
        value.ok_or_else(|| malformed(object))
    }

    /// Whether the attribute `name` is true, where it is a boolean.
    fn is_true(&self, object: Addr, class: &str, name: &str) -> Result<bool, Fault> {
        Ok(self.int(self.private(object, class, name)?)? != 0)
    }

    /// Bytes of a lock behind its header, as its static or heap type says.
    fn own_size(&self, addr: Addr) -> Result<u64, Fault> {
        let ty = self.type_of(addr)?;
        let size = u64::try_from(ty.basicsize).ok();
        let size =
            size.and_then(|size| size.checked_sub(self.layout.fields.object.size.index() as u64));
        size.ok_or_else(|| malformed(addr))
    }

    /// `_thread.lock`. Up to 3.13.0 lock, weakrefs, locked; then a `PyMutex`.
    fn lock_is_held(&self, addr: Addr) -> Result<bool, Fault> {
        const WITH_FLAG: u64 = 24;
        let place = match self.own_size(addr)? {
            WITH_FLAG.. => self.after(addr, 16),
            _ => self.after(addr, 0),
        };
        Ok(self.memory.u8(place)? & 1 != 0)
    }

    /// `_thread.RLock`. Up to 3.13 lock, owner, count, weakrefs; then a `_PyRecursiveMutex`, which
    /// counts from 0.
    fn recursive_lock(&self, addr: Addr) -> Result<LockState, Fault> {
        const WITH_COUNT: u64 = 32;
        let owner = self.memory.u64(self.after(addr, 8))?;
        let count = self.memory.u64(self.after(addr, 16))?;
        Ok(match self.own_size(addr)? {
            WITH_COUNT.. => LockState {
                locked: count != 0,
                owner,
                count,
            },
            _ => {
                let locked = self.memory.u8(self.after(addr, 0))? & 1 != 0;
                let count = if locked { count.wrapping_add(1) } else { 0 };
                LockState {
                    locked,
                    owner,
                    count,
                }
            }
        })
    }
}

fn word(locked: bool) -> &'static str {
    if locked { "locked" } else { "unlocked" }
}

/// `<unlocked _thread.lock object at 0x7f…>`.
fn lock(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let state = word(w.objects.lock_is_held(addr)?);
    let name = w.objects.full_name(ty);
    w.push(&format!("<{state} {name} object at {addr}>"));
    Ok(())
}

/// `<locked _thread.RLock object owner=140… count=1 at 0x7f…>`.
fn recursive_lock(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let state = w.objects.recursive_lock(addr)?;
    let name = w.objects.full_name(ty);
    w.push(&format!(
        "<{} {name} object owner={} count={} at {addr}>",
        word(state.locked),
        state.owner,
        state.count,
    ));
    Ok(())
}

/// The lock of threading.py itself: `<locked threading._RLock object owner='MainThread' count=1 at
/// 0x7f…>`, in 2.7 `<_RLock owner='MainThread' count=1>`.
fn python_lock(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let is_old = objects.layout.fields.instance.is_some();
    let owner = objects.private(addr, "RLock", "_owner")?;
    let count = objects.int(objects.private(addr, "RLock", "_count")?)?;
    if is_old {
        let name = objects.short_name(ty);
        w.push(&format!("<{name} owner="));
    } else {
        let block = objects.lock_is_held(objects.private(addr, "RLock", "_block")?)?;
        let name = objects.full_name(ty);
        w.push(&format!("<{} {name} object owner=", word(block)));
    }
    let name = thread_name(objects, owner);
    w.object(name.unwrap_or(owner));
    match is_old {
        true => w.push(&format!(" count={count}>")),
        false => w.push(&format!(" count={count} at {addr}>")),
    }
    Ok(())
}

/// The name of a running thread by its ident, from `threading._active`.
fn thread_name(objects: &Objects, ident: Addr) -> Option<Addr> {
    let interpreter = *objects.interpreter.get()?;
    let namespace = names::module(objects, interpreter, "threading").ok()??;
    let active = objects.dict_get(namespace, "_active").ok()??;
    let ident = objects.int(ident).ok()?;
    let mut items = objects.dict_items(active).ok()?.into_iter();
    let (_, thread) = items.find(|(key, _)| objects.int(*key) == Ok(ident))?;
    let name = objects.layout.kinds.thread_name;
    objects.attribute(thread, name).ok()?
}

/// `<Condition(<unlocked _thread.lock object at 0x7f…>, 0)>`.
fn condition(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let lock = objects.private(addr, "Condition", "_lock")?;
    let waiters = objects.private(addr, "Condition", "_waiters")?;
    let ty = objects.type_of(waiters)?;
    let waiters = match (objects.layout.fields.deque.length, ty.is(flags::LIST)) {
        (Some(length), false) => objects.memory.i64(length.of(waiters))?,
        _ => objects.var_size(waiters)?,
    };
    w.push("<Condition(");
    match w.enter(addr) {
        true => {
            w.object(lock);
            w.leave();
        }
        false => w.left_out("..."),
    }
    w.push(&format!(", {waiters})>"));
    Ok(())
}

/// `<threading.Event at 0x7f…: unset>`, from 3.11 on.
fn event(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let state = match w.objects.is_true(addr, "Event", "_flag")? {
        true => "set",
        false => "unset",
    };
    let name = w.objects.full_name(ty);
    w.push(&format!("<{name} at {addr}: {state}>"));
    Ok(())
}

/// `<threading.Semaphore at 0x7f…: value=1>`, from 3.11 on.
fn semaphore(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let value = w.objects.private(addr, "Semaphore", "_value")?;
    let name = w.objects.full_name(ty);
    w.push(&format!("<{name} at {addr}: value="));
    w.object(value);
    w.push(">");
    Ok(())
}

/// `<threading.BoundedSemaphore at 0x7f…: value=1/2>`, from 3.11 on.
fn bounded_semaphore(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let value = w.objects.private(addr, "Semaphore", "_value")?;
    let initial = w
        .objects
        .private(addr, "BoundedSemaphore", "_initial_value")?;
    let name = w.objects.full_name(ty);
    w.push(&format!("<{name} at {addr}: value="));
    w.object(value);
    w.push("/");
    w.object(initial);
    w.push(">");
    Ok(())
}

/// `<threading.Barrier at 0x7f…: waiters=0/2>`, `<threading.Barrier at 0x7f…: broken>`, from 3.11
/// on.
fn barrier(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const BROKEN: i128 = -2;
    const FILLING: i128 = 0;
    let objects = w.objects;
    let state = objects.int(objects.private(addr, "Barrier", "_state")?)?;
    let count = objects.int(objects.private(addr, "Barrier", "_count")?)?;
    let parties = objects.private(addr, "Barrier", "_parties")?;
    let name = objects.full_name(ty);
    w.push(&format!("<{name} at {addr}: "));
    if state == BROKEN {
        w.push("broken>");
        return Ok(());
    }
    let waiting = if state == FILLING { count } else { 0 };
    w.push(&format!("waiters={waiting}/"));
    w.object(parties);
    w.push(">");
    Ok(())
}

/// `<Thread(worker-1, started daemon 140…)>`.
fn thread(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let started = objects.private(addr, "Thread", "_started")?;
    let started = objects.is_true(started, "Event", "_flag")?;
    let status = match (started, is_stopped(objects, addr, started)?) {
        (_, true) => "stopped",
        (true, false) => "started",
        (false, false) => "initial",
    };
    let daemon = objects.is_true(addr, "Thread", "_daemonic")?;
    let ident = objects.private(addr, "Thread", "_ident")?;
    let name = objects.private(addr, "Thread", "_name")?;
    w.push(&format!("<{}(", objects.short_name(ty)));
    w.plain(name)?;
    w.push(&format!(
        ", {status}{}",
        if daemon { " daemon" } else { "" }
    ));
    if let Ok(ident) = objects.int(ident) {
        w.push(&format!(" {ident}"));
    }
    w.push(")>");
    Ok(())
}

/// Whether a thread has ended, as its handle or lock says: nobody may have noticed yet.
fn is_stopped(objects: &Objects, addr: Addr, started: bool) -> Result<bool, Fault> {
    for name in ["_os_thread_handle", "_handle"] {
        if let Some(handle) = objects.attribute(addr, name)? {
            // PyThreadHandleObject: ThreadHandle {…, thread_is_exiting: PyEvent at 57}
            const EXITING: u64 = 57;
            let handle = objects.memory.ptr(objects.after(handle, 0))?;
            return Ok(objects.memory.u8(handle.add(EXITING))? & 1 != 0);
        }
    }
    let flag = match objects.attribute(addr, "_is_stopped")? {
        Some(flag) => flag,
        None => objects.private(addr, "Thread", "_stopped")?,
    };
    if objects.int(flag)? != 0 {
        return Ok(true);
    }
    // Lock that the thread holds as long as it lives (3.4 to 3.12).
    let Some(lock) = objects.attribute(addr, "_tstate_lock")? else {
        return Ok(false);
    };
    let ty = objects.type_of(lock)?;
    match &*objects.full_name(&ty) {
        "_thread.lock" => Ok(started && !objects.lock_is_held(lock)?),
        _ => Ok(false),
    }
}

/// `<Future at 0x7f… state=finished returned int>`.
fn future(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let get = |name: &str| objects.private(addr, "Future", name);
    let state = objects.name_text(get("_state")?)?;
    let name = objects.short_name(ty);
    let described = match &*state {
        "CANCELLED_AND_NOTIFIED" => "cancelled".to_owned(),
        other => other.to_lowercase(),
    };
    w.push(&format!("<{name} at {addr} state={described}"));
    if state == "FINISHED" {
        let exception = objects.type_of(get("_exception")?)?;
        let (verb, what) = match exception.is(flags::EXCEPTION) {
            true => ("raised", exception),
            false => ("returned", objects.type_of(get("_result")?)?),
        };
        w.push(&format!(" {verb} {}", objects.short_name(&what)));
    }
    w.push(">");
    Ok(())
}
