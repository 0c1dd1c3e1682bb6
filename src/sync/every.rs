//! Every `Lock` and `RLock` there is, held or not: found by the address of their type, which each
//! object has in its header. What was freed keeps the type, so the count of references and the
//! lock's own words must be right, too.

use super::python_lock::PyLock;
use super::{Known, Locks, View, position};
use crate::addr::Addr;
use crate::diag::{Step, Unit};
use crate::python::layout::Counting;
use crate::target::Mapping;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// The most locks that are listed.
const MOST_LOCKS: usize = 5_000_000;

/// Adds the locks that nobody waits for and no statement is seen to hold.
pub(super) fn find(view: &View<'_>, locks: &mut Locks, known: &mut Known) {
    let types = types(view);
    let searched = instances(view, &types, |object| {
        if let Some(lock) = view.py_lock(object).filter(|lock| is_sound(view, lock)) {
            add(view, &lock, locks, known);
        }
        locks.all.len() < MOST_LOCKS
    });
    if !searched {
        let notes = &view.process.target.notes;
        notes.partial("not all memory was searched for locks");
    }
}

/// Hands over every object that lives and is of one of these types itself, as long as `take` wants
/// more; whether all memory was searched.
pub(super) fn instances(
    view: &View<'_>,
    types: &[Addr],
    mut take: impl FnMut(Addr) -> bool,
) -> bool {
    let offset = view.python.layout.fields.object.ob_type.of(Addr::NULL);
    let target = &view.process.target;
    let is_data = |mapping: &&Mapping| mapping.read && mapping.write && !mapping.shared;
    let mappings: Vec<&Mapping> = target.mappings.iter().filter(is_data).collect();
    let total = mappings.iter().map(|mapping| mapping.len()).sum();
    let progress = &target.files.options.progress;
    // What was never touched has no objects, and a free-threaded build sets aside very much of that.
    let resident = target.is_live().then(|| target.resident().ok()).flatten();
    let resident = resident.filter(|resident| resident.swapped == 0);
    let is_there = |start: Addr, len: u64| {
        let resident = resident.as_ref();
        resident.is_none_or(|resident| resident.bytes(start, len) > 0)
    };
    let mut done = 0;
    for mapping in mappings {
        let mut start = mapping.start;
        while start < mapping.end && !types.is_empty() {
            if view.process.cancel.is_cancelled() {
                return false;
            }
            let rest = mapping.end.since(start).unwrap_or(0);
            let len = rest.min(PIECE as u64);
            if is_there(start, len)
                && let Ok(bytes) = target.memory.bytes(start, len as usize)
            {
                for (at, word) in bytes.chunks_exact(8).enumerate() {
                    let is_type = types.iter().any(|ty| word == ty.0.to_le_bytes());
                    let word = start.add(at as u64 * 8);
                    let object = is_type.then(|| word.0.checked_sub(offset.0)).flatten();
                    let object = object.map(Addr).filter(|object| lives(view, *object));
                    if object.is_some_and(|object| !take(object)) {
                        return false;
                    }
                }
            }
            start = start.add(len);
            done += len;
            progress.tell(&Step {
                what: "searching memory for locks",
                done,
                total: Some(total),
                unit: Unit::Bytes,
            });
        }
    }
    true
}

/// The types of locks, as the modules say that make them; in 2.7 an RLock is written in Python.
fn types(view: &View<'_>) -> Vec<Addr> {
    const NAMES: [(&str, &str); 5] = [
        ("_thread", "LockType"),
        ("_thread", "RLock"),
        ("thread", "LockType"),
        ("threading", "_RLock"),
        ("threading", "_PyRLock"),
    ];
    let objects = &view.python.objects;
    let mut types: Vec<Addr> = (NAMES.iter())
        .filter_map(|(module, name)| {
            let module = view.python.module(module)?;
            objects.dict_get(module, name).ok()?
        })
        .filter(|ty| objects.as_type(*ty).is_ok())
        .collect();
    types.sort();
    types.dedup();
    types
}

/// Adds a lock, unless it is listed already.
pub(super) fn add(view: &View<'_>, lock: &PyLock, locks: &mut Locks, known: &mut Known) {
    let at = position(locks, known, lock.kind, lock.addr, Some(lock.locked));
    if let (Some(owner), Some(listed)) = (view.rlock_owner(lock), locks.all.get_mut(at))
        && listed.waiters.is_empty()
        && listed.owner.thread().is_none()
    {
        listed.owner = owner;
    }
}

/// Whether an object is referred to. The first word of a freed one leads to the next free block.
fn lives(view: &View<'_>, addr: Addr) -> bool {
    /// More references than any lock has.
    const MOST: i64 = 1 << 24;
    let objects = &view.python.objects;
    let count = objects.refcount(addr);
    let plain = match objects.layout.kinds.counting {
        Counting::Biased => true,
        _ => objects.memory.u64(addr).is_ok_and(|word| word >> 32 == 0),
    };
    plain && count.is_ok_and(|count| (1..MOST).contains(&count.shown()))
}

/// Whether the words of the native lock are such as a lock has: a semaphore that is 0 or 1 and has
/// not more waiters than there are threads, or the two bits of a mutex.
fn is_sound(view: &View<'_>, lock: &PyLock) -> bool {
    let memory = &view.python.objects.memory;
    match lock.is_mutex {
        true => memory.u8(lock.native).is_ok_and(|byte| byte <= 3),
        false => memory.u64(lock.native).is_ok_and(|word| {
            let waiters = (word >> 32) as usize;
            word as u32 <= 1 && waiters <= view.process.threads().len()
        }),
    }
}
