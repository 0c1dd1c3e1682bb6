//! Where a thread keeps exceptions (Include/cpython/pystate.h): the one being raised
//! (`curexc_*`, `current_exception` from 3.12 on) and those being handled, a stack with an item
//! for each generator in progress (`_PyErr_StackItem`, 3.7+), which up to 3.6 lies in the thread
//! state and in the frames (`f_exc_*`, Include/frameobject.h).

use super::{Chain, Held, Reader};
use crate::addr::Addr;
use crate::python::layout::Field;
use crate::target::Fault;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// More generators than this are not in progress in one thread; it is damage.
const MOST_ITEMS: usize = 10_000;

/// At most this many of a thread's exceptions are read.
const MOST_HANDLED: usize = 100;

/// Offset of `f_exc_type` behind the header of a frame object, the same in 2.7 and 3.6; value and
/// traceback follow.
const FRAME_EXC_TYPE: u64 = 72;

/// The exceptions of one thread.
#[derive(Clone, Default, Debug)]
pub struct ThreadExceptions {
    /// Raised and not caught yet: C code unwinds.
    pub raised: Option<Chain>,
    /// Handled by an `except` or `finally` block in progress, innermost first: what
    /// `sys.exc_info()` gives, then what it gives to the callers of the generators in progress.
    pub handled: Vec<Chain>,
    /// Given to a hook that has not returned, by the name of the hook; none of those above.
    pub hooked: Vec<(&'static str, Chain)>,
    /// The full name of what another thread asked this one to raise, which it has not done yet.
    pub pending: Option<Arc<str>>,
    /// What could not be read, in words.
    pub problem: Option<String>,
}

/// The exceptions of the thread state at `tstate`, whose stack has frames at these addresses.
pub(super) fn read(reader: &Reader<'_>, tstate: Addr, frames: &[Addr]) -> ThreadExceptions {
    let mut found = ThreadExceptions::default();
    match raised(reader, tstate) {
        Ok(Some(held)) => found.raised = Some(Chain::read(reader, held)),
        Ok(None) => {}
        Err(fault) => found.problem = Some(format!("the exception being raised: {fault}")),
    }
    let (mut states, problem) = match reader.objects.layout.fields.thread.exc_info {
        Some(top) => items(reader, top.of(tstate)),
        None => words(reader, tstate, frames),
    };
    found.problem = found.problem.or(problem);
    let mut seen = FxHashSet::default();
    states.retain(|held| seen.insert(held.value));
    if states.len() > MOST_HANDLED {
        let more = states.len() - MOST_HANDLED;
        let text = format!("{more} more exceptions being handled are left out");
        found.problem = found.problem.or(Some(text));
    }
    found.handled = states
        .into_iter()
        .take(MOST_HANDLED)
        .map(|held| Chain::read(reader, held))
        .collect();
    found.pending = pending(reader, tstate);
    found
}

/// The exception that the thread state raises or, failing that, handles innermost, and whether it
/// is raised; read without what it leads to.
pub(super) fn in_flight(reader: &Reader<'_>, tstate: Addr) -> Option<(Addr, bool)> {
    if let Ok(Some(held)) = raised(reader, tstate)
        && reader.is_exception(held.value)
    {
        return Some((held.value, true));
    }
    let handled = match reader.objects.layout.fields.thread.exc_info {
        Some(top) => items(reader, top.of(tstate)).0,
        None => words(reader, tstate, &[]).0,
    };
    let first = handled.first()?;
    let is_one = reader.is_exception(first.value);
    is_one.then_some((first.value, false))
}

/// The exception being raised.
fn raised(reader: &Reader<'_>, tstate: Addr) -> Result<Option<Held>, Fault> {
    let f = &reader.objects.layout.fields.thread;
    let ptr = |field: Option<Field>| match field {
        Some(field) => reader.objects.memory.ptr(field.of(tstate)),
        None => Ok(Addr::NULL),
    };
    let held = match f.current_exception {
        Some(_) => Held::value(ptr(f.current_exception)?),
        None => Held {
            class: ptr(f.raised_type)?,
            value: ptr(f.raised_value)?,
            traceback: ptr(f.raised_traceback)?,
        },
    };
    let is_one = reader.is_set(held.class) || reader.is_set(held.value);
    Ok(is_one.then_some(held))
}

/// 3.7+: the linked items, of which those without an exception are left out.
fn items(reader: &Reader<'_>, top: Addr) -> (Vec<Held>, Option<String>) {
    let memory = &reader.objects.memory;
    let mut states = Vec::new();
    let mut seen = FxHashSet::default();
    let mut walk = || -> Result<(), String> {
        let Some(f) = reader.objects.layout.fields.exc_item else {
            return Ok(());
        };
        let ptr = |at: Addr| memory.ptr(at).map_err(|fault| fault.to_string());
        let mut at = ptr(top)?;
        while !at.is_null() {
            if seen.len() >= MOST_ITEMS || !seen.insert(at) {
                return Err(format!("it comes back to {at}"));
            }
            let held = Held {
                class: f.exc_type.map_or(Ok(Addr::NULL), |f| ptr(f.of(at)))?,
                value: ptr(f.exc_value.of(at))?,
                traceback: f.exc_traceback.map_or(Ok(Addr::NULL), |f| ptr(f.of(at)))?,
            };
            if reader.is_set(held.value) {
                states.push(held);
            }
            at = ptr(f.previous.of(at))?;
        }
        Ok(())
    };
    let problem = walk().err();
    let problem = problem.map(|why| format!("the stack of exceptions being handled: {why}"));
    (states, problem)
}

/// Up to 3.6: the words of the thread state, then those that frames have put aside.
fn words(reader: &Reader<'_>, tstate: Addr, frames: &[Addr]) -> (Vec<Held>, Option<String>) {
    let f = &reader.objects.layout.fields.thread;
    let (Some(class), Some(value), Some(traceback)) =
        (f.handled_type, f.handled_value, f.handled_traceback)
    else {
        return (Vec::new(), None);
    };
    let ptr = |at: Addr| reader.objects.memory.ptr(at);
    let own = || -> Result<Held, Fault> {
        Ok(Held {
            class: ptr(class.of(tstate))?,
            value: ptr(value.of(tstate))?,
            traceback: ptr(traceback.of(tstate))?,
        })
    };
    let put_aside = |frame: &Addr| -> Result<Held, Fault> {
        let at = reader.objects.after(*frame, FRAME_EXC_TYPE);
        Ok(Held {
            class: ptr(at)?,
            value: ptr(at.add(8))?,
            traceback: ptr(at.add(16))?,
        })
    };
    let all = std::iter::once(own()).chain(frames.iter().map(put_aside));
    let mut states = Vec::new();
    let mut problem = None;
    for held in all {
        match held {
            Ok(held) if reader.is_set(held.class) && reader.is_set(held.value) => {
                states.push(held);
            }
            Ok(_) => {}
            Err(fault) => problem = Some(format!("the exceptions being handled: {fault}")),
        }
    }
    (states, problem)
}

/// What another thread asked for by `PyThreadState_SetAsyncExc`: a class, or an exception.
fn pending(reader: &Reader<'_>, tstate: Addr) -> Option<Arc<str>> {
    let objects = reader.objects;
    let field = objects.layout.fields.thread.async_exc;
    let asked = objects.memory.ptr(field.of(tstate)).ok()?;
    if !reader.is_set(asked) {
        return None;
    }
    let ty = objects.as_type(asked).or_else(|_| objects.type_of(asked));
    Some(objects.full_name(&*ty.ok()?))
}
