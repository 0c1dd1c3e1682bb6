//! Pools of processes (Lib/multiprocessing/pool.py, Lib/concurrent/futures/process.py and loky's copy of
//! it): whoever waits for a result waits for one thread of the same process, which takes results from
//! the workers out of a pipe. Both ends of that pipe are open in the process itself, which never
//! writes into it while the pool runs.

use super::Member;
use crate::addr::Addr;
use crate::python::{PyFrame, PyThread, Python};
use std::sync::Arc;

/// How many items of a pool are looked at.
const MOST_ITEMS: usize = 100_000;

/// Files whose functions handle the results of pools.
const POOL: &str = "/multiprocessing/pool.py";
const EXECUTORS: [&str; 2] = [
    "/concurrent/futures/process.py",
    "/loky/process_executor.py",
];

/// The thread (gdb number) from which a waiting one gets its result, and what says so.
pub(super) fn handler(
    member: &Member,
    state: &PyThread,
    future: Option<Addr>,
) -> Option<(usize, String)> {
    let python = member.python.as_ref()?;
    let of_pool = || {
        let cache = awaited_cache(python, state)?;
        let is_it = |frame: &PyFrame| {
            let handles = &*frame.function == "_handle_results" && frame.file.ends_with(POOL);
            handles && local(python, frame, "cache") == Some(cache)
        };
        let thread = find(member, python, is_it)?;
        let evidence = "the result of a pool, which it takes from the workers";
        Some((thread, format!("thread {thread} hands over {evidence}")))
    };
    let of_executor = || {
        let future = future?;
        let is_it = |frame: &PyFrame| manages(python, frame, future);
        let thread = find(member, python, is_it)?;
        let evidence = "the future, whose result it takes from the workers of its pool";
        Some((thread, format!("thread {thread} ends {evidence}")))
    };
    of_pool().or_else(of_executor)
}

/// Whether a thread is one that takes results from the workers of a pool.
pub(super) fn takes_results(python: &Python, state: &PyThread) -> bool {
    let stack = python.stack(state);
    stack.frames.iter().any(|frame| {
        let pool = &*frame.function == "_handle_results" && frame.file.ends_with(POOL);
        pool || is_manager(frame)
    })
}

/// The `_cache` of the pool whose result a thread waits for.
fn awaited_cache(python: &Python, state: &PyThread) -> Option<Addr> {
    const WAITS: [&str; 3] = ["wait", "get", "next"];
    let stack = python.stack(state);
    let mut frames = stack.frames.iter();
    let frame =
        frames.find(|frame| WAITS.contains(&&*frame.function) && frame.file.ends_with(POOL))?;
    let result = local(python, frame, "self")?;
    python.objects.attribute(result, "_cache").ok()?
}

/// The thread that manages an executor: in a method of `_ExecutorManagerThread`, before 3.9 in a
/// function.
fn is_manager(frame: &PyFrame) -> bool {
    const MANAGE: [&str; 3] = [
        "wait_result_broken_or_wakeup",
        "run",
        "_queue_management_worker",
    ];
    let of_library = EXECUTORS.iter().any(|file| frame.file.ends_with(file));
    of_library && MANAGE.contains(&&*frame.function)
}

/// Whether a frame is of the thread that will finish a future.
fn manages(python: &Python, frame: &PyFrame, future: Addr) -> bool {
    if !is_manager(frame) {
        return false;
    }
    let objects = &python.objects;
    let pending = local(python, frame, "pending_work_items").or_else(|| {
        let thread = local(python, frame, "self")?;
        objects.attribute(thread, "pending_work_items").ok()?
    });
    let items = pending.and_then(|pending| objects.dict_items(pending).ok());
    let mut items = items.into_iter().flatten().take(MOST_ITEMS);
    // Loky's items have slots.
    let is_its = |item| {
        let found = objects.getattr(item, "future").ok().flatten();
        found.is_some_and(|found| found.value == future)
    };
    items.any(|(_, item)| is_its(item))
}

/// The thread (gdb number) that has such a frame.
fn find(member: &Member, python: &Python, is_it: impl Fn(&PyFrame) -> bool) -> Option<usize> {
    let threads = member.process.threads().iter();
    let has = |state: &Arc<PyThread>| python.stack(state).frames.iter().any(&is_it);
    let mut found = threads.filter(|thread| python.thread_of(thread.tid).is_some_and(has));
    Some(found.next()?.id)
}

/// The value of a frame's variable.
pub(super) fn local(python: &Python, frame: &PyFrame, name: &str) -> Option<Addr> {
    let variables = python.variables(frame);
    let mut all = variables.all.iter();
    all.find(|variable| *variable.name == *name)?.value
}
