//! Pools of threads (Lib/concurrent/futures/thread.py): which thread works on which future, and
//! which ones could take it from the queue of their executor.

use super::{Owner, View, queues};
use crate::addr::Addr;
use crate::python::PyFrame;
use crate::python::doing::library;
use rustc_hash::FxHashMap;

/// The most items of all queues that are looked at.
const MOST_ITEMS: usize = 100_000;

/// The most threads of executors that are looked at.
const MOST_THREADS: usize = 100_000;

const WORK_ITEM: &[&str] = &["concurrent.futures.thread._WorkItem"];

/// The thread pools of a process.
#[derive(Default)]
pub(super) struct Executors {
    /// The threads (gdb numbers) that work on a future, by future.
    running: FxHashMap<Addr, Vec<usize>>,
    /// The queue that a future waits in.
    queued: FxHashMap<Addr, Addr>,
    /// The threads (gdb numbers) that take work from a queue.
    workers: FxHashMap<Addr, Vec<usize>>,
    /// The `Thread` objects that were made for a queue, also of threads that have ended.
    made: FxHashMap<Addr, Vec<Addr>>,
}

impl Executors {
    pub(super) fn of(view: &View<'_>) -> Executors {
        let mut all = Executors::default();
        for (thread, state) in &view.states {
            for frame in &view.python.stack(state).frames {
                if library(&frame.file) == Some("executor") {
                    all.add_frame(view, *thread, frame);
                }
            }
        }
        all.add_made(view);
        let mut left = MOST_ITEMS;
        let queues = all.workers.keys().chain(all.made.keys());
        for queue in queues {
            let items = queues::items(view, *queue, left).unwrap_or_default();
            left = left.saturating_sub(items.len());
            let futures = items.iter().filter_map(|item| future_of(view, *item));
            all.queued.extend(futures.map(|future| (future, *queue)));
        }
        all
    }

    fn add_frame(&mut self, view: &View<'_>, thread: usize, frame: &PyFrame) {
        let item = match &*frame.function {
            "run" => view.receiver(frame),
            "_worker" => {
                if let Some(queue) = view.local(frame, "work_queue") {
                    self.workers.entry(queue).or_default().push(thread);
                }
                view.local(frame, "work_item")
            }
            _ => None,
        };
        let Some(future) = item.and_then(|item| future_of(view, item)) else {
            return;
        };
        let threads = self.running.entry(future).or_default();
        if !threads.contains(&thread) {
            threads.push(thread);
        }
    }

    /// Adds what the module itself remembers of the threads that it made.
    fn add_made(&mut self, view: &View<'_>) {
        let objects = &view.python.objects;
        let made = || {
            let namespace = view.python.module("concurrent.futures.thread")?;
            let queues = objects.dict_get(namespace, "_threads_queues").ok()??;
            objects.dict_items(view.attribute(queues, &["data"])?).ok()
        };
        for (reference, queue) in made().unwrap_or_default().into_iter().take(MOST_THREADS) {
            let thread = objects.memory.ptr(objects.after(reference, 0));
            if let Ok(thread) = thread
                && view.is_instance(thread, &["threading.Thread"])
            {
                self.made.entry(queue).or_default().push(thread);
            }
        }
    }

    /// Who could finish a future that is not done; `None` when no thread pool has it.
    pub(super) fn owner(&self, view: &View<'_>, future: Addr) -> Option<Owner> {
        match self.running.get(&future).map(Vec::as_slice) {
            Some([thread]) => {
                return Some(Owner::Inferred {
                    thread: *thread,
                    evidence: "a frame of the thread runs the work of this future".into(),
                    place: None,
                });
            }
            Some(_) => return Some(Owner::unknown("several threads run its work")),
            None => {}
        }
        let queue = self.queued.get(&future)?;
        let threads = self.workers.get(queue).cloned().unwrap_or_default();
        let made = self.made.get(queue).map_or(&[][..], Vec::as_slice);
        let evidence = match threads.len() {
            0 if made.iter().any(|thread| may_run(view, *thread)) => {
                return Some(Owner::unknown(
                    "it waits in the queue of an executor whose threads cannot be read",
                ));
            }
            0 => format!(
                "it waits in the queue of an executor whose threads ({}) have all ended",
                made.len()
            ),
            1 => "it waits in the queue of an executor with this one thread".into(),
            _ => "it waits in the queue of the executor of these threads".into(),
        };
        Some(Owner::AnyOf { threads, evidence })
    }
}

/// The future that an item of an executor's queue is about.
fn future_of(view: &View<'_>, item: Addr) -> Option<Addr> {
    if !view.is_instance(item, WORK_ITEM) {
        return None;
    }
    view.attribute(item, &["future"])
}

/// Whether a thread of this process may be the one that a `Thread` object stands for.
fn may_run(view: &View<'_>, thread: Addr) -> bool {
    let ident = view.number(thread, &["_ident"]);
    let ident = ident.and_then(|ident| u64::try_from(ident).ok());
    let running = ident.and_then(|ident| view.by_ident(ident));
    running.is_some_and(|running| view.runs(running, thread) != Some(false))
}
