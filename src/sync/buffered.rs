//! Locks of buffered files (Modules/_io/bufferedio.c): `io.BufferedReader`, `BufferedWriter` and
//! `BufferedRandom` let one thread at a time in, and note which.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View, at_hand};
use crate::addr::Addr;
use crate::python::object::Objects;

/// The classes that have such a lock.
const BUFFERED: &[&str] = &[
    "_io.BufferedReader",
    "_io.BufferedWriter",
    "_io.BufferedRandom",
];

/// A text file, behind which is a buffered one.
const TEXT: &[&str] = &["_io.TextIOWrapper"];

/// Bytes of the waiting thread's stack that are searched for the file: the functions that wait
/// for the lock.
const NEAR: u64 = 8 << 10;

/// Bytes of the owner's stack that are searched for the file: all that it has called since.
const FAR: u64 = 16 << 20;

/// The longest name, in characters.
const LONGEST: u64 = 200;

/// Waits for the lock of a buffered file.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let native = waiter.native(view)?;
    let mut near = waiter.near(view);
    let file = near
        .find_map(|value| behind(view, value, native.addr))
        .or_else(|| on_stack(view, waiter.thread.id, native.addr))
        .or_else(|| standard(view, native.addr))?;
    let evidence = match native.parked {
        false => "it sleeps on the semaphore of the file's lock",
        true => "its entry in the parking lot names the file's lock",
    };
    Some(Found {
        evidence: evidence.into(),
        kind: Kind::BufferedFile,
        address: file,
        owner: Some(owner(view, file)),
        timed: waiter.timed(),
    })
}

/// The file among what the functions work with that wait for its lock.
fn on_stack(view: &View<'_>, thread: usize, native: Addr) -> Option<Addr> {
    let words = at_hand::of(view, thread, NEAR)?.all;
    let mut aligned = words.into_iter().filter(|word| word.0 % 8 == 0);
    aligned.find(|word| has_lock(view, *word, native))
}

/// The file among the standard streams, to which `print` writes without naming them.
fn standard(view: &View<'_>, native: Addr) -> Option<Addr> {
    const STREAMS: [&str; 6] = [
        "stdout",
        "stderr",
        "stdin",
        "__stdout__",
        "__stderr__",
        "__stdin__",
    ];
    let python = view.python;
    let sys = python.layout.fields.interpreter.sysdict;
    python.interpreters.iter().find_map(|interpreter| {
        let sys = python.objects.memory.ptr(sys.of(interpreter.addr)).ok()?;
        STREAMS.iter().find_map(|name| {
            let stream = python.objects.dict_get(sys, name).ok()??;
            behind(view, stream, native)
        })
    })
}

/// The value itself, or the file behind a text file, when it is a buffered file with this lock.
fn behind(view: &View<'_>, value: Addr, native: Addr) -> Option<Addr> {
    if has_lock(view, value, native) {
        return Some(value);
    }
    if !view.is_instance(value, TEXT) {
        return None;
    }
    // textio { int ok; int detached; Py_ssize_t chunk_size; PyObject *buffer; … }
    const BUFFER: u64 = 16;
    let objects = &view.python.objects;
    let buffer = objects.memory.ptr(objects.after(value, BUFFER)).ok()?;
    has_lock(view, buffer, native).then_some(buffer)
}

/// Whether this is a buffered file whose lock is at `native`.
fn has_lock(view: &View<'_>, file: Addr, native: Addr) -> bool {
    let lock = view.python.layout.fields.buffered.lock;
    !native.is_null()
        && view.python.objects.memory.ptr(lock.of(file)) == Ok(native)
        && view.is_instance(file, BUFFERED)
}

/// Who is inside of the file, which notes the ident of that thread.
fn owner(view: &View<'_>, file: Addr) -> Owner {
    let field = view.python.layout.fields.buffered.owner;
    let ident = match view.python.objects.memory.u64(field.of(file)) {
        Ok(0) => return Owner::unknown("its lock is being taken or released in this very moment"),
        Ok(ident) => ident,
        Err(fault) => return Owner::unknown(format!("the owner it names: {fault}")),
    };
    let says = format!("the file names ident {ident:#x} as its owner");
    let named = view.owner_named(ident, says.clone());
    let Some(thread) = named.thread() else {
        return named;
    };
    // After a fork, a new thread may have got the stack and with it the ident of a lost one. The
    // true owner is in a method of the file, which lies on its stack.
    let words = at_hand::of(view, thread, FAR);
    if words.is_some_and(|words| words.whole && !words.all.contains(&file)) {
        return Owner::unknown(format!("{says}, but the thread that has it is not in it"));
    }
    named
}

/// What the file is called: its raw file knows, as a path, `<stdout>`, or a descriptor.
pub(super) fn name(objects: &Objects, file: Addr) -> Option<String> {
    let raw = objects.layout.fields.buffered.raw.of(file);
    let raw = objects.memory.ptr(raw).ok().filter(|raw| !raw.is_null())?;
    let name = objects.attribute(raw, "name").ok()??;
    let text = objects.text(name, LONGEST).ok();
    let text = text.map(|text| text.value).or_else(|| {
        let descriptor = objects.int(name).ok()?;
        Some(format!("file descriptor {descriptor}"))
    });
    text.filter(|text| !text.is_empty())
}
