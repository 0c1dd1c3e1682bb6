//! The list of interpreters (`_PyRuntime.interpreters`), and where else an interpreter can be found
//! when the list is damaged: the runtime knows the main one apart from the list, and every one
//! has thread states that point back to it.

use super::layout::Layout;
use super::object::Objects;
use super::runtime::Found;
use super::scan::{self, Regions};
use super::validate;
use crate::addr::Addr;
use crate::diag::Notes;
use crate::native::Process;
use rustc_hash::FxHashSet;

/// More interpreters than this are damage.
const MOST: usize = 100_000;

/// More memory than this is not searched, in bytes.
const MOST_SEARCHED: u64 = 256 << 20;

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
    let known: FxHashSet<Addr> = all.iter().copied().collect();
    let mut others = elsewhere(process, objects, found);
    others.retain(|addr| !known.contains(addr));
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

/// Whether something at `addr` may be an interpreter: its first thread state points back, or it
/// has none, or it has the namespaces of one.
fn may_be(objects: &Objects, addr: Addr) -> bool {
    let fields = &objects.layout.fields;
    let Ok(thread) = objects.memory.ptr(fields.interpreter.threads.of(addr)) else {
        return false;
    };
    let points_back = || objects.memory.ptr(fields.thread.interp.of(thread)) == Ok(addr);
    thread.is_null() || points_back() || {
        let verdict = validate::look(&objects.memory, &objects.layout, addr, &|_| false);
        verdict.namespaces
    }
}

/// Says so when the list was not begun at its head, because that is damaged.
fn wrong_head(objects: &Objects, found: &Found) -> Option<String> {
    let field = objects.layout.fields.runtime?.interpreters_head;
    let head = objects.memory.ptr(field.of(found.runtime.addr?));
    match head {
        Ok(head) if head == found.head => None,
        Ok(head) => Some(format!("{head} is no interpreter")),
        Err(fault) => Some(fault.to_string()),
    }
}

/// Interpreters that something other than the list leads to.
fn elsewhere(process: &Process, objects: &Objects, found: &Found) -> Vec<Addr> {
    let target = &*process.target;
    let layout = &*objects.layout;
    let pointers = target.threads.iter();
    let pointers = pointers.filter_map(|thread| thread.registers?.thread_pointer);
    let is_thread = validate::thread_test(&*target.memory, pointers);
    let look = |addr: &Addr| validate::look(&target.memory, layout, *addr, &is_thread);
    let mut all: Vec<Addr> = main_interpreter(objects, found)
        .filter(|addr| {
            let verdict = look(addr);
            verdict.threads || verdict.namespaces
        })
        .collect();
    let regions = Regions::of(target);
    let mut left = MOST_SEARCHED;
    for (_, regions) in regions.all() {
        let mut some = Vec::new();
        for (start, end) in regions {
            let length = end.since(*start).unwrap_or(0).min(left);
            some.push((*start, start.add(length)));
            left -= length;
        }
        let candidates = scan::interpreters(target, layout, &some, &is_thread);
        all.extend(candidates.into_iter().filter(|at| look(at).fits(layout)));
    }
    let mut seen = FxHashSet::default();
    all.retain(|addr| seen.insert(*addr));
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
