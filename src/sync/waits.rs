//! What each thread waits for: the futex it sleeps on leads to a lock. From 3.13 on a thread that
//! waits for a Python lock sleeps on its own stack, in an entry that names the lock
//! (Python/parking_lot.c); before, on the lock's semaphore, and the lock is among the things that
//! its innermost Python frame works with.

use super::objects::PyLock;
use super::{Kind, Known, Locks, Owner, Place, View, Wait, position, pthread};
use crate::addr::Addr;
use crate::native::NativeThread;
use crate::python::{GilState, PyFrame, PyThread};

/// How many Python frames are looked into for the lock that a thread waits for: the lock was
/// handed to C code by the innermost one.
const FRAMES: usize = 2;

/// How many local variables and values of a frame are looked at.
const MOST_VALUES: usize = 10_000;

/// Finds what every thread waits for.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, known: &mut Known) {
    for thread in view.process.threads() {
        let state = view.states.iter().find(|(id, _)| *id == thread.id);
        let state = state.map(|(_, state)| &**state);
        let Some(found) = wait(view, thread, state) else {
            if let Some(futex) = Futex::of(thread) {
                locks.unknown.push((thread.id, futex.addr));
            }
            continue;
        };
        let at = position(locks, known, found.kind, found.address, Some(true));
        if let Some(lock) = locks.all.get_mut(at) {
            lock.waiters.push(thread.id);
            if let Some(owner) = found.owner {
                lock.owner = owner;
            }
        }
        locks.waits.push(Wait {
            thread: thread.id,
            lock: at,
            timed: found.timed,
            evidence: found.evidence,
            place: state.and_then(|state| place(view, state)),
        });
    }
}

/// Where a thread waits: in the program's own code, not in the standard library's that it called.
fn place(view: &View<'_>, state: &PyThread) -> Option<Place> {
    const LIBRARY: &[&str] = &[
        "/threading.py",
        "/queue.py",
        "/Queue.py",
        "/concurrent/futures/_base.py",
    ];
    let stack = view.python.stack(state);
    let own = |frame: &&PyFrame| !LIBRARY.iter().any(|end| frame.file.ends_with(end));
    let frame = stack.frames.iter().find(own).or(stack.frames.first())?;
    Some(Place::of(frame))
}

/// What a thread waits for.
struct Found {
    evidence: String,
    kind: Kind,
    address: Addr,
    owner: Option<Owner>,
    timed: bool,
}

fn wait(view: &View<'_>, thread: &NativeThread, state: Option<&PyThread>) -> Option<Found> {
    if let Some(state) = state.filter(|state| state.waits_for_gil == Some(true)) {
        return gil(view, state);
    }
    let futex = Futex::of(thread)?;
    if let Some(found) = state.and_then(|state| join(view, state, &futex)) {
        return Some(found);
    }
    let lock = state.and_then(|state| python_lock(view, thread, state, &futex));
    if let Some((lock, evidence)) = lock {
        return Some(Found {
            evidence: evidence.into(),
            kind: lock.kind,
            address: lock.addr,
            owner: view.rlock_owner(&lock),
            timed: futex.timed,
        });
    }
    pthread::mutex(view, futex.addr).map(|owner| Found {
        evidence: "it sleeps on the mutex".into(),
        kind: Kind::Mutex,
        address: futex.addr,
        owner: Some(owner),
        timed: futex.timed,
    })
}

/// A futex that a thread sleeps on.
struct Futex {
    addr: Addr,
    timed: bool,
}

impl Futex {
    fn of(thread: &NativeThread) -> Option<Futex> {
        /// FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI2 (Linux
        /// include/uapi/linux/futex.h).
        const WAITS: [u64; 4] = [0, 6, 9, 13];
        const COMMAND: u64 = 0x7f;
        let call = thread.syscall.as_ref()?;
        let [addr, op, _, timeout, ..] = call.args;
        let waits = call.number == libc::SYS_futex && WAITS.contains(&(op & COMMAND));
        waits.then_some(Futex {
            addr: Addr(addr),
            timed: timeout != 0,
        })
    }
}

/// The GIL, which is waited for again and again with a timeout that ends nothing.
fn gil(view: &View<'_>, state: &PyThread) -> Option<Found> {
    let mut interpreters = view.python.interpreters.iter();
    let interpreter = interpreters.find(|i| i.id == state.interpreter)?;
    let owner = match &interpreter.gil {
        GilState::Held { tstate, evidence } => {
            let mut states = view.states.iter();
            let holder = states.find(|(_, state)| state.tstate == *tstate);
            holder.map(|(thread, _)| Owner::Known {
                thread: *thread,
                evidence: evidence.clone(),
                place: None,
            })
        }
        GilState::Free => Some(Owner::Nobody),
        GilState::Disabled => None,
        GilState::Unknown(why) => Some(Owner::Unknown { why: why.clone() }),
    };
    // Interpreters that share a GIL are one.
    let shared = interpreter.shares_gil_with.iter().copied().min();
    let first = shared.map_or(interpreter.id, |id| id.min(interpreter.id));
    let mut interpreters = view.python.interpreters.iter();
    let address = interpreters.find(|i| i.id == first)?.addr;
    Some(Found {
        evidence: "it sleeps on the GIL's condition variable".into(),
        kind: Kind::Gil,
        address,
        owner,
        timed: false,
    })
}

/// The thread that `Thread.join` waits for.
fn join(view: &View<'_>, state: &PyThread, futex: &Futex) -> Option<Found> {
    let stack = view.python.stack(state);
    let is_join =
        |frame: &&PyFrame| &*frame.function == "join" && frame.file.ends_with("/threading.py");
    let frame = stack.frames.iter().take(3).find(is_join)?;
    let thread = view.argument(frame, 0)?;
    let objects = &view.python.objects;
    let ty = objects.type_of(thread).ok()?;
    if !objects.is_a(&ty, "threading.Thread") {
        return None;
    }
    let ident = ["_ident", "_Thread__ident"]
        .iter()
        .find_map(|name| objects.attribute(thread, name).ok()?)?;
    let ident = u64::try_from(objects.int(ident).ok()?).ok()?;
    let owner = match view.by_ident(ident) {
        Some(thread) => Owner::Known {
            thread,
            evidence: format!("the Thread object has ident {ident:#x}"),
            place: None,
        },
        None => Owner::Orphaned {
            evidence: format!("the Thread object has ident {ident:#x}, which no thread has"),
        },
    };
    Some(Found {
        evidence: "it is in Thread.join".into(),
        kind: Kind::Thread,
        address: thread,
        owner: Some(owner),
        timed: futex.timed,
    })
}

/// The Python lock that a thread waits for, and what says so.
fn python_lock(
    view: &View<'_>,
    thread: &NativeThread,
    state: &PyThread,
    futex: &Futex,
) -> Option<(PyLock, &'static str)> {
    let stack = view.python.stack(state);
    let frames = || stack.frames.iter().take(FRAMES);
    // A lock made in Python of another one is what its own method works on.
    let receivers = frames().filter_map(|frame| view.argument(frame, 0));
    let mut near = receivers
        .chain(frames().flat_map(|frame| view.values(frame)))
        .filter_map(|value| view.py_lock(value));
    let (native, evidence) = match parked_on(view, thread, futex) {
        Parked::No => (futex.addr, "it sleeps on the lock's semaphore"),
        Parked::On(addr) => (addr, "its entry in the parking lot names the lock"),
        // Which of the locks near by it is would be a guess.
        Parked::Lost => return None,
    };
    let lock = near.find(|lock| lock.native == native)?;
    Some((lock, evidence))
}

/// What a thread is parked on (3.13+).
enum Parked {
    /// It sleeps on something that is not on its own stack.
    No,
    /// On this address, which its entry on its own stack names.
    On(Addr),
    /// Its entry is gone: gdb's gcore leaves zeros for stacks of glibc 2.42 and later.
    Lost,
}

fn parked_on(view: &View<'_>, thread: &NativeThread, futex: &Futex) -> Parked {
    // struct wait_entry { void *park_arg; uintptr_t addr; _PySemaphore sema; … }
    const SEMAPHORE: u64 = 16;
    const ADDRESS: u64 = 8;
    const HAS_PARKED: u8 = 2;
    let target = &view.process.target;
    let native = target.threads.iter().find(|t| t.tid == thread.tid);
    let Some(sp) = native.and_then(|native| native.registers?.sp()) else {
        return Parked::No;
    };
    let own = target
        .mapping(sp)
        .is_some_and(|stack| futex.addr < stack.end);
    let entry = futex.addr.0.checked_sub(SEMAPHORE).map(Addr);
    let Some(entry) = entry.filter(|entry| own && *entry >= sp) else {
        return Parked::No;
    };
    match target.memory.ptr(entry.add(ADDRESS)) {
        Ok(addr) if addr.is_null() => Parked::Lost,
        Ok(addr) => match target.memory.u8(addr) {
            Ok(byte) if byte & HAS_PARKED != 0 => Parked::On(addr),
            _ => Parked::No,
        },
        Err(_) => Parked::Lost,
    }
}

impl View<'_> {
    /// The value of a frame's argument by its number.
    pub(super) fn argument(&self, frame: &PyFrame, number: u64) -> Option<Addr> {
        let slot = self.python.layout.fields.frame.localsplus.of(frame.addr);
        let value = self.python.objects.memory.u64(slot.add(number * 8)).ok()?;
        let value = Addr(self.python.layout.kinds.references.untag(value));
        let ty = self.python.objects.type_of(value).ok()?;
        // An argument that an inner function uses lies in a cell.
        match ty.name.as_deref() {
            Some("cell") => {
                let content = self.python.objects.after(value, 0);
                self.python.objects.memory.ptr(content).ok()
            }
            _ => Some(value),
        }
    }

    /// What a frame works with: local variables, values on its evaluation stack, and what bound
    /// methods among them are bound to. Stale ones are among them.
    fn values(&self, frame: &PyFrame) -> Vec<Addr> {
        let objects = &self.python.objects;
        let variables = self.python.variables(frame);
        let mut values: Vec<Addr> = variables.all.iter().filter_map(|v| v.value).collect();
        values.extend(self.python.evaluation_slots(frame).unwrap_or_default());
        values.truncate(MOST_VALUES);
        let receiver = |value: &Addr| {
            let ty = objects.type_of(*value).ok()?;
            let bound = ["builtin_function_or_method", "method", "instancemethod"];
            bound.contains(&ty.name.as_deref()?).then_some(())?;
            objects.memory.ptr(objects.after(*value, 8)).ok()
        };
        let receivers: Vec<Addr> = values.iter().filter_map(receiver).collect();
        values.extend(receivers);
        values
    }
}
