//! Locks as they are shown: the verdicts, the table, one lock in full, the picture.

pub mod one;
pub mod picture;
mod table;
mod verdicts;

use super::location;
use super::number::list;
use super::thread::ThreadView;
use crate::cli::{Out, Session};
use pydbg::diag::thousands;
use pydbg::sync::{Lock, Locks, Owner, Place, Wait};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::io;

/// The locks of the process, and its threads.
pub struct LocksView {
    /// Locks, waits and verdicts.
    pub locks: Locks,
    /// All threads.
    pub threads: Vec<ThreadView>,
}

impl LocksView {
    /// Adds the threads to what is known of locks.
    pub fn of(session: &Session, locks: Locks) -> anyhow::Result<LocksView> {
        let threads = ThreadView::all(session)?;
        Ok(LocksView { locks, threads })
    }

    fn thread(&self, id: usize) -> Option<&ThreadView> {
        self.threads.iter().find(|view| view.id == Some(id))
    }

    /// `"alice" (LWP 77)`, with a blank before it; nothing for a thread that has neither.
    fn who(&self, id: usize) -> String {
        let Some(view) = self.thread(id) else {
            return String::new();
        };
        let name = view.name.as_ref().or(view.os_name.as_ref());
        let name = name.map_or_else(String::new, |name| format!(" \"{name}\""));
        match view.tid {
            Some(tid) => format!("{name} (LWP {tid})"),
            None => name,
        }
    }

    /// `Thread 2 "alice" (LWP 77):`, as a heading of the lines below.
    fn heading(&self, out: &mut Out<'_>, id: usize) -> io::Result<()> {
        out.put(format_args!("Thread {id}"))?;
        out.target(&self.who(id))?;
        out.put(format_args!(":\n"))
    }

    /// What a thread waits for and where, in lines below its heading.
    fn wait(&self, out: &mut Out<'_>, wait: &Wait) -> io::Result<()> {
        let Some(lock) = self.locks.all.get(wait.lock) else {
            return Ok(());
        };
        let timed = if wait.timed {
            ", at most for some time"
        } else {
            ""
        };
        out.put(format_args!("  waits for "))?;
        out.target(&title(lock))?;
        out.put(format_args!("{timed}\n"))?;
        if let Some(native) = &wait.native {
            out.put(format_args!("    in "))?;
            out.target(native)?;
            out.put(format_args!("\n"))?;
        }
        place(out, wait.place.as_ref())
    }

    /// Everything that was found, for a JSON document.
    pub fn json(&self) -> Value {
        let locks = &self.locks;
        let waiting = locks.waits.iter().map(|wait| &wait.thread);
        let owners = locks.all.iter().flat_map(|lock| lock.owner.threads());
        let mentioned: FxHashSet<&usize> = waiting.chain(owners).collect();
        let is_mentioned = |view: &&ThreadView| view.id.is_some_and(|id| mentioned.contains(&id));
        let threads: Vec<_> = self.threads.iter().filter(is_mentioned).collect();
        json!({
            "deadlocks": locks.deadlocks,
            "all": locks.all,
            "waits": locks.waits,
            "orphaned": locks.orphaned,
            "lost": locks.lost,
            "busy": locks.busy,
            "unknown": locks.unknown,
            "threads": threads,
        })
    }
}

/// `bank.alice.lock (threading.Lock at 0x7f…)`.
fn title(lock: &Lock) -> String {
    let kind = format!("{} at {}", lock.kind.words(), lock.address);
    match &lock.name {
        Some(name) => format!("{name} ({kind})"),
        None => format!("a {kind}"),
    }
}

/// `bank.alice.lock`, or what it is and where.
fn short(lock: &Lock) -> String {
    let kind = || format!("{} at {}", lock.kind.words(), lock.address);
    lock.name.clone().unwrap_or_else(kind)
}

/// How many threads are named in a sentence.
const MOST_NAMED: usize = 8;

/// `thread 2`, `threads 2 and 3`, `204 threads`.
pub fn threads(ids: &[usize]) -> String {
    match ids {
        [one] => format!("thread {one}"),
        several if several.len() <= MOST_NAMED => format!("threads {}", list(several)),
        many => format!("{} threads", thousands(many.len())),
    }
}

/// `thread 2 waits`, `threads 2 and 3 wait`.
pub fn waiting(ids: &[usize]) -> String {
    let verb = if ids.len() == 1 { "waits" } else { "wait" };
    format!("{} {verb}", threads(ids))
}

/// Who holds a lock in a few words, and how sure that is.
fn owner(owner: &Owner) -> (String, &'static str) {
    match owner {
        Owner::Known { thread, .. } => (format!("thread {thread}"), "known"),
        Owner::Inferred { thread, .. } => (format!("thread {thread}"), "inferred"),
        Owner::AnyOf { threads, .. } => match threads.as_slice() {
            [] => ("nobody is left".to_owned(), "inferred"),
            [one] => (format!("up to thread {one}"), "inferred"),
            [_, _, _, _, _, ..] => (format!("up to any of {}", threads.len()), "inferred"),
            few => (format!("up to any of {}", list(few)), "inferred"),
        },
        Owner::Process { pid, name, .. } => match name {
            Some(name) => (format!("process {pid} ({name})"), "known"),
            None => (format!("process {pid}"), "known"),
        },
        Owner::Orphaned { .. } => ("gone".to_owned(), "known"),
        Owner::Unknown { .. } => ("unknown".to_owned(), "-"),
        Owner::Nobody => ("nobody".to_owned(), "-"),
    }
}

/// `    File "bank.py", line 12, in transfer`.
fn place(out: &mut Out<'_>, place: Option<&Place>) -> io::Result<()> {
    let Some(place) = place else { return Ok(()) };
    out.put(format_args!("    "))?;
    location::put(out, &place.file, place.line, "?", &place.function)?;
    out.end()
}
