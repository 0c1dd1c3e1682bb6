//! The list of interpreters (`_PyRuntime.interpreters`), and where else an interpreter can be found
//! when the list is damaged: the runtime knows the main one apart from the list, and every one
//! has thread states that point back to it.

use super::layout::Layout;
use super::object::Objects;
use super::runtime::Found;
use super::scan;
use super::validate;
use crate::addr::Addr;
use crate::diag::Notes;
use crate::native::Process;
use rustc_hash::FxHashSet;

/// More interpreters than this are damage.
const MOST: usize = 100_000;

/// The addresses of all interpreters, newest first as CPython links them.
pub(super) fn read(
    process: &Process,
    objects: &Objects,
    found: &Found,
    notes: &Notes,
) -> Vec<Addr> {
    let (mut all, problem) = follow(objects, found.head);
    let Some(problem) = problem.or_else(|| wrong_head(objects, found)) else {
        return all;
    };
    let mut known: FxHashSet<Addr> = all.iter().copied().collect();
    let mut others = elsewhere(process, objects, found);
    others.retain(|addr| known.insert(*addr));
    if others.is_empty() && problem == UNKNOWN_HEAD {
        return all;
    }
    notes.partial(format!(
        "the list of interpreters is damaged ({problem}); {} were found by it and {} more in memory",
        all.len(),
        others.len()
    ));
    all.extend(others);
    all
}

/// Follows the list from `head`; also tells why it ended before its end.
fn follow(objects: &Objects, head: Addr) -> (Vec<Addr>, Option<String>) {
    let next = objects.layout.fields.interpreter.next;
    let mut all = vec![head];
    let mut seen = FxHashSet::from_iter([head]);
    let mut at = head;
    loop {
        at = match objects.memory.ptr(next.of(at)) {
            Ok(next) if next.is_null() => return (all, None),
            Ok(next) if all.len() == MOST || !seen.insert(next) => {
                return (all, Some(format!("it comes back to {next}")));
            }
            Ok(next) if !may_be(objects, next) => {
                return (all, Some(format!("{next} is no interpreter")));
            }
            Ok(next) => next,
            Err(fault) => return (all, Some(fault.to_string())),
        };
        all.push(at);
    }
}

/// Whether something at `addr` may be an interpreter. One that is being made has neither thread
/// states nor namespaces yet, but is linked.
fn may_be(objects: &Objects, addr: Addr) -> bool {
    let fields = &objects.layout.fields.interpreter;
    let threads = objects.memory.ptr(fields.threads.of(addr));
    let next = || objects.memory.ptr(fields.next.of(addr));
    is_one(objects, addr)
        || threads == Ok(Addr::NULL) && next().is_ok_and(|next| is_one(objects, next))
}

/// Whether what is at `addr` has a thread state that points back, or the namespaces of one.
fn is_one(objects: &Objects, addr: Addr) -> bool {
    let fields = &objects.layout.fields;
    let thread = objects.memory.ptr(fields.interpreter.threads.of(addr));
    thread.is_ok_and(|thread| objects.memory.ptr(fields.thread.interp.of(thread)) == Ok(addr))
        || validate::look(&objects.memory, &objects.layout, addr, &|_| false).namespaces
}

/// Why the list may have been begun in its middle.
const UNKNOWN_HEAD: &str = "where it begins is not known";

/// Says so when the list was not begun at its head, because that is damaged.
fn wrong_head(objects: &Objects, found: &Found) -> Option<String> {
    let field = objects.layout.fields.runtime?.interpreters_head;
    let Some(runtime) = found.runtime.addr else {
        return Some(UNKNOWN_HEAD.into());
    };
    match objects.memory.ptr(field.of(runtime)) {
        Ok(head) if head == found.head => None,
        Ok(head) => Some(format!("{head} is no interpreter")),
        Err(fault) => Some(fault.to_string()),
    }
}

/// Interpreters that something other than the list leads to.
fn elsewhere(process: &Process, objects: &Objects, found: &Found) -> Vec<Addr> {
    let target = &*process.target;
    let layout = &*objects.layout;
    let f = &layout.fields.thread;
    let mut all: Vec<Addr> = main_interpreter(objects, found)
        .filter(|addr| is_one(objects, *addr))
        .collect();
    let mut seen = FxHashSet::from_iter(all.iter().copied());
    let pointers = target.threads.iter();
    let pointers = pointers.filter_map(|thread| thread.registers?.thread_pointer);
    let idents: FxHashSet<u64> = pointers.filter(|pointer| *pointer != 0).collect();
    let is_thread = |ident| idents.contains(&ident);
    scan::each_holder(target, &idents, &mut |at| {
        let state = at.sub(f.thread_id.offset.into());
        if let Ok(interpreter) = target.memory.ptr(f.interp.of(state))
            && interpreter.0.is_multiple_of(8)
            && seen.insert(interpreter)
            && validate::look(&target.memory, layout, interpreter, &is_thread).fits(layout)
        {
            all.push(interpreter);
        }
    });
    all
}

/// Where the runtime says that the main interpreter is, apart from the list.
fn main_interpreter(objects: &Objects, found: &Found) -> impl Iterator<Item = Addr> {
    let places = |layout: &Layout, runtime: Addr| {
        let fields = layout.fields.runtime?;
        let stated = objects
            .memory
            .ptr(fields.interpreters_main.of(runtime))
            .ok();
        let embedded = fields.main_interpreter.map(|field| field.of(runtime));
        Some(stated.into_iter().chain(embedded))
    };
    let places = found
        .runtime
        .addr
        .and_then(|at| places(&objects.layout, at));
    places.into_iter().flatten()
}
