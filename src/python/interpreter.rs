//! Interpreters (Include/internal/pycore_interp.h) and everything about their threads that does
//! not need a stack: native thread, name, GIL.

use super::gil::Gil;
use super::layout::Layout;
use super::object::Objects;
use super::runner;
use super::runtime::{Found, Runtime};
use super::thread::{self, Matcher, State};
use super::{GilState, Interpreter, PyThread, interpreter_list, lost, names};
use crate::addr::Addr;
use crate::diag::Notes;
use crate::native::Process;
use crate::target::{Memory, Registers};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Reads all interpreters, newest first as CPython links them.
pub(super) fn read_all(
    process: &Process,
    objects: &Objects,
    found: &Found,
    notes: &Notes,
) -> Vec<Interpreter> {
    let layout = &*objects.layout;
    let memory = &*process.target.memory;
    let matcher = Matcher::new(&process.target);
    let addresses = interpreter_list::read(process, objects, found, notes);
    let mut states: Vec<Vec<State>> = Vec::new();
    for (index, interpreter) in addresses.iter().enumerate() {
        // The list ends with the interpreter that was made first.
        let is_main = index + 1 == addresses.len();
        let list = thread::list(memory, layout, *interpreter);
        let mut all = list.all.clone();
        if let Some(odd) = &list.odd {
            notes.partial(format!("the list of thread states is damaged: {odd}"));
        }
        if let Some((found, problem)) =
            lost::find(&process.target, layout, *interpreter, &list, is_main)
        {
            notes.partial(format!(
                "the list of thread states of the interpreter at {interpreter} is damaged after \
                 {} of them ({problem}); {} more were found in memory",
                list.all.len(),
                found.len()
            ));
            all.extend(found);
        }
        states.push(
            all.into_iter()
                .map(|at| State::read(memory, layout, at))
                .collect(),
        );
    }
    let known: FxHashSet<Addr> = states.iter().flatten().map(|state| state.addr).collect();
    let natives = process.target.threads.iter();
    let natives: FxHashMap<i32, &Registers> = natives
        .filter_map(|thread| Some((thread.tid, thread.registers.as_ref()?)))
        .collect();
    let all = states.iter();
    let mut tids: Vec<Vec<Option<i32>>> = all
        .map(|states| states.iter().map(|state| matcher.tid(state)).collect())
        .collect();
    runner::put_right(process, layout, &states, &mut tids);
    let shares = gil_users(process, found, &addresses, &states);
    let mut interpreters = Vec::new();
    for (index, ((addr, states), tids)) in addresses.iter().zip(&states).zip(&tids).enumerate() {
        let gil = Gil::of(process, layout, &found.runtime, *addr);
        let active = shares.get(index).and_then(Option::as_deref);
        let state = match &gil {
            Ok(gil) => gil.state(memory, active, &|tstate| known.contains(&tstate)),
            Err(why) => GilState::Unknown(why.clone()),
        };
        let id = layout
            .fields
            .interpreter
            .id
            .and_then(|field| memory.i64(field.of(*addr)).ok());
        // Before interpreters had ids, the main one was the last of the list.
        let id = id.unwrap_or((addresses.len() - 1 - index) as i64);
        let names = names::read(objects, *addr).unwrap_or_else(|fault| {
            notes.partial(format!("the names of threads are not known: {fault}"));
            FxHashMap::default()
        });
        let blank = states.iter().filter(|state| state.blank).count();
        if blank > 0 {
            notes.partial(format!(
                "{blank} thread states say nothing of themselves: whose they are, and the Python \
                 frames of those threads, are not known"
            ));
        }
        let cleared = states.iter().filter(|state| state.cleared).count();
        if cleared > 0 {
            notes.info(format!(
                "{cleared} thread states that are about to be freed are left out"
            ));
        }
        let known = states.iter().zip(tids).filter(|(state, _)| !state.cleared);
        let threads = known.map(|(thread, tid)| {
            let tid = *tid;
            let registers = tid.and_then(|tid| natives.get(&tid).copied());
            let pointer = registers.and_then(|registers| registers.thread_pointer);
            let ident = pointer.filter(|pointer| *pointer != 0).or(thread.ident);
            Arc::new(PyThread {
                tstate: thread.addr,
                interpreter: id,
                ident,
                tid,
                name: ident.and_then(|ident| names.get(&ident).cloned()),
                holds_gil: matches!(&state, GilState::Held { tstate, .. } if *tstate == thread.addr),
                waits_for_gil: waits(thread, registers, &gil, &state),
                attachment: thread.attachment,
            })
        });
        interpreters.push(Interpreter {
            addr: *addr,
            id,
            threads: threads.collect(),
            shares_gil_with: Vec::new(),
            collecting: collecting(memory, layout, &found.runtime, *addr),
            gil: state,
        });
    }
    note_finalizing(objects, found, notes);
    note_sharing(&mut interpreters, memory, layout);
    note_collections(&interpreters, notes);
    interpreters
}

/// For each interpreter, the thread states marked as running among all interpreters that share
/// its GIL; `None` where the version has no such mark.
fn gil_users(
    process: &Process,
    found: &Found,
    addresses: &[Addr],
    states: &[Vec<State>],
) -> Vec<Option<Vec<Addr>>> {
    let memory = &*process.target.memory;
    let gil = |interpreter: &Addr| {
        let field = found.layout.fields.interpreter.gil?;
        memory.ptr(field.of(*interpreter)).ok()
    };
    let gils: Vec<Option<Addr>> = addresses.iter().map(gil).collect();
    let marked = found.layout.kinds.status.is_some();
    let users = |gil: &Option<Addr>| {
        let sharing = gils.iter().zip(states).filter(|(other, _)| *other == gil);
        let all = sharing.flat_map(|(_, states)| states);
        all.filter(|state| state.active == Some(true))
            .map(|state| state.addr)
            .collect()
    };
    gils.iter().map(|gil| marked.then(|| users(gil))).collect()
}

/// Whether a thread waits for the GIL; `None` when neither it nor its registers tell.
fn waits(
    thread: &State,
    registers: Option<&Registers>,
    gil: &Result<Gil, String>,
    state: &GilState,
) -> Option<bool> {
    if *state == GilState::Disabled {
        return Some(false);
    }
    let sleeps = match (gil, registers) {
        (Ok(gil), Some(registers)) => gil.is_awaited_by(registers),
        _ => None,
    };
    match (sleeps, thread.requests_gil) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (sleeps, requests) => sleeps.or(requests),
    }
}

/// Fills in which interpreters use the same GIL; up to 3.11 there is one for all.
fn note_sharing(interpreters: &mut [Interpreter], memory: &dyn Memory, layout: &Layout) {
    let field = layout.fields.interpreter.gil;
    let gil = |interpreter: &Interpreter| {
        let gil = field.map(|field| memory.ptr(field.of(interpreter.addr)));
        (interpreter.id, gil.and_then(Result::ok))
    };
    let gils: Vec<(i64, Option<Addr>)> = interpreters.iter().map(gil).collect();
    for (interpreter, (id, gil)) in interpreters.iter_mut().zip(&gils) {
        let same = gils
            .iter()
            .filter(|(other, used)| other != id && used == gil);
        interpreter.shares_gil_with = same.map(|(other, _)| *other).collect();
    }
}

/// Whether a collection of garbage is in progress: in the interpreter (3.9+), or in the runtime
/// that they all share (3.7, 3.8).
fn collecting(
    memory: &dyn Memory,
    layout: &Layout,
    runtime: &Runtime,
    interpreter: Addr,
) -> Option<bool> {
    let collecting = layout.fields.gc?.collecting;
    let own = layout.fields.interpreter.gc.map(|gc| gc.of(interpreter));
    let shared = || Some(layout.fields.runtime?.gc?.of(runtime.addr?));
    let gc = own.or_else(shared)?;
    match memory.i32(collecting.of(gc)).ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Notes that garbage was being collected: then objects may be half torn down.
fn note_collections(interpreters: &[Interpreter], notes: &Notes) {
    for interpreter in interpreters.iter().filter(|i| i.collecting == Some(true)) {
        notes.info(format!(
            "interpreter {} is in the middle of collecting garbage",
            interpreter.id
        ));
    }
}

/// Notes that the runtime was being finalized: then daemon threads hang on purpose.
fn note_finalizing(objects: &Objects, found: &Found, notes: &Notes) {
    let field = found
        .layout
        .fields
        .runtime
        .map(|runtime| runtime.finalizing);
    let (Some(field), Some(runtime)) = (field, found.runtime.addr) else {
        return;
    };
    if let Ok(thread) = objects.memory.ptr(field.of(runtime))
        && !thread.is_null()
    {
        notes.info(format!(
            "Python is shutting down (by the thread state at {thread})"
        ));
    }
}
