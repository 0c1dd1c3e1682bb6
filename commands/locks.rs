//! `locks`: who holds which lock, who waits for it, and what hangs the program.

use crate::cli::render::number::list;
use crate::cli::render::thread::ThreadView;
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use comfy_table::{Table, presets};
use pydbg::escape::escape;
use pydbg::sync::{Deadlock, Kind, Lock, Locks, Owner, Place, Wait};
use serde_json::{Value, json};
use std::io;

/// Show who holds each lock, who waits for it, and deadlocks.
///
/// Every lock that a thread waits for is listed, and every lock that a "with" statement is seen
/// to hold: threading.Lock and RLock, the GIL, pthread mutexes, and threads that are joined.
/// A cycle of threads that wait for each other is a deadlock and comes first, with the line that
/// took each lock and the line that waits.
///
/// An owner is "known" when the lock itself says who it is, and "inferred" when a frame of a
/// thread is inside of a "with" statement of the lock. A plain lock that was taken with acquire()
/// says nothing of its owner, which is unknown then.
///
/// Examples:
///     locks           deadlocks, and all locks that are waited for or held
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct LocksCommand {}

impl Run for LocksCommand {
    const NAME: &'static str = "locks";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let locks = Locks::of(&python);
        let mut threads = ThreadView::all(session)?;
        // What an owner does that does not wait is worth saying.
        let waits = |id| locks.waits.iter().any(|wait| Some(wait.thread) == id);
        let owns = |id| locks.all.iter().any(|lock| lock.owner.thread() == id);
        for view in &mut threads {
            if view.id.is_some() && owns(view.id) && !waits(view.id) {
                view.look(session);
            }
        }
        Ok(Box::new(Answer { locks, threads }))
    }
}

/// The locks of the process.
struct Answer {
    locks: Locks,
    threads: Vec<ThreadView>,
}

impl Answer {
    fn thread(&self, id: usize) -> Option<&ThreadView> {
        self.threads.iter().find(|view| view.id == Some(id))
    }

    /// `Thread 2 "alice" (LWP 77)`, as a heading of the lines below.
    fn heading(&self, out: &mut Out<'_>, id: usize) -> io::Result<()> {
        out.put(format_args!("Thread {id}"))?;
        if let Some(view) = self.thread(id) {
            if let Some(name) = view.name.as_ref().or(view.os_name.as_ref()) {
                out.put(format_args!(" \""))?;
                out.target(name)?;
                out.put(format_args!("\""))?;
            }
            if let Some(tid) = view.tid {
                out.put(format_args!(" (LWP {tid})"))?;
            }
        }
        out.put(format_args!(":\n"))
    }

    /// One cycle, thread by thread.
    fn deadlock(&self, out: &mut Out<'_>, deadlock: &Deadlock) -> io::Result<()> {
        let waits = deadlock.waits.iter();
        let waits: Vec<&Wait> = waits.filter_map(|at| self.locks.waits.get(*at)).collect();
        let threads: Vec<usize> = waits.iter().map(|wait| wait.thread).collect();
        let timed = match deadlock.timed {
            true => ", until a timeout ends one of the waits",
            false => "",
        };
        let text = match threads.as_slice() {
            [one] => format!("Deadlock: thread {one} waits for itself{timed}."),
            several => format!(
                "Deadlock: threads {} wait for each other{timed}.",
                list(several)
            ),
        };
        out.styled(Style::Strong, &text)?;
        out.put(format_args!("\n"))?;
        for wait in waits {
            let Some(lock) = self.locks.all.get(wait.lock) else {
                continue;
            };
            self.heading(out, wait.thread)?;
            out.put(format_args!("  waits for "))?;
            out.target(&title(lock))?;
            out.put(format_args!("\n"))?;
            place(out, wait.place.as_ref())?;
            if let Some(owner) = lock.owner.thread() {
                let verb = match lock.kind {
                    Kind::Thread => format!("which is thread {owner}"),
                    _ => format!("which thread {owner} holds"),
                };
                out.put(format_args!("  {verb} ("))?;
                out.target(lock.owner.evidence())?;
                out.put(format_args!(")\n"))?;
                place(out, lock.owner.place())?;
            }
        }
        Ok(())
    }

    /// Which locks nobody can release.
    fn orphans(&self, out: &mut Out<'_>) -> io::Result<()> {
        for lock in &self.locks.all {
            if let (Owner::Orphaned { evidence }, [_, ..]) = (&lock.owner, lock.waiters.as_slice())
            {
                let text = format!("Orphaned: {} will never be released", title(lock));
                out.styled(Style::Strong, &text)?;
                out.put(format_args!(": "))?;
                out.target(evidence)?;
                out.put(format_args!(".\n\n"))?;
            }
        }
        Ok(())
    }

    /// What an owner that does not wait is doing.
    fn doing(&self, owner: usize) -> Option<String> {
        let waits = self.locks.waits.iter().any(|wait| wait.thread == owner);
        let doing = self.thread(owner)?.doing.as_ref()?;
        (!waits).then(|| doing.text.clone())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["Address", "Kind", "Name", "Owner", "Evidence", "Waiters"]);
        for lock in &self.locks.all {
            let (owner, evidence) = match &lock.owner {
                Owner::Known { thread, .. } => (format!("thread {thread}"), "known".to_owned()),
                Owner::Inferred { thread, .. } => (format!("thread {thread}"), "inferred".into()),
                Owner::AnyOf { threads, .. } => match threads.as_slice() {
                    [] => ("nobody left".to_owned(), "known".into()),
                    several => (format!("any of {}", list(several)), "known".into()),
                },
                Owner::Process { pid, name, .. } => match name {
                    Some(name) => (format!("process {pid} ({})", escape(name)), "known".into()),
                    None => (format!("process {pid}"), "known".into()),
                },
                Owner::Orphaned { .. } => ("gone".to_owned(), "known".into()),
                Owner::Unknown { .. } => ("unknown".to_owned(), "-".into()),
                Owner::Nobody => ("nobody".to_owned(), "-".into()),
            };
            let doing = lock.owner.thread().and_then(|owner| self.doing(owner));
            table.add_row([
                lock.address.to_string(),
                lock.kind.words().to_owned(),
                escape(lock.name.as_deref().unwrap_or("-")).into_owned(),
                match doing {
                    Some(doing) => format!("{owner}: {}", escape(&doing)),
                    None => owner,
                },
                evidence,
                match lock.waiters.as_slice() {
                    [] => "-".to_owned(),
                    waiters => list(waiters),
                },
            ]);
        }
        table
    }
}

impl Report for Answer {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for deadlock in &self.locks.deadlocks {
            self.deadlock(out, deadlock)?;
            out.end()?;
        }
        self.orphans(out)?;
        if self.locks.all.is_empty() {
            out.put(format_args!("No thread waits for a lock that is known.\n"))?;
        } else {
            if self.locks.deadlocks.is_empty() {
                out.put(format_args!("No deadlock found.\n\n"))?;
            }
            for line in self.table().lines() {
                out.put(format_args!("{}\n", line.trim_end()))?;
            }
        }
        if !self.locks.unknown.is_empty() {
            out.end()?;
        }
        for (thread, address) in &self.locks.unknown {
            out.put(format_args!(
                "Thread {thread} waits on the futex at {address}, whose lock is not known.\n"
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mentioned = |view: &&ThreadView| {
            view.id.is_some_and(|id| {
                let waits = self.locks.waits.iter().any(|wait| wait.thread == id);
                waits || (self.locks.all.iter()).any(|lock| lock.owner.mentions(id))
            })
        };
        let threads = self.threads.iter().filter(mentioned);
        json!({
            "deadlocks": self.locks.deadlocks,
            "all": self.locks.all,
            "waits": self.locks.waits,
            "orphaned": self.locks.orphaned,
            "lost": self.locks.lost,
            "busy": self.locks.busy,
            "unknown": self.locks.unknown,
            "threads": threads.collect::<Vec<_>>(),
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

/// `    File "bank.py", line 12, in transfer`.
fn place(out: &mut Out<'_>, place: Option<&Place>) -> io::Result<()> {
    let Some(place) = place else { return Ok(()) };
    out.put(format_args!("    File \""))?;
    out.target(&place.file)?;
    out.put(format_args!("\", line "))?;
    match place.line {
        Some(line) => out.put(format_args!("{line}"))?,
        None => out.put(format_args!("?"))?,
    }
    out.put(format_args!(", in "))?;
    out.target(&place.function)?;
    out.put(format_args!("\n"))
}
