//! One lock in full: what is known of it, and the stacks of its owner and of those who wait.

use super::table::state;
use super::{LocksView, owner, place, title};
use crate::cli::render::choice::{self, Wanted};
use crate::cli::render::number::Extent;
use crate::cli::render::source::{self, Sources};
use crate::cli::render::traceback::Traceback;
use crate::cli::{Out, Session};
use serde_json::{Value, json};
use std::io;

/// How many stacks of waiters are shown.
const MOST_STACKS: usize = 8;

/// One lock.
pub struct OneLock {
    view: LocksView,
    /// Its position in [`Locks::all`](pydbg::sync::Locks::all).
    at: usize,
    /// The stacks of the owner and the waiters, in this order.
    stacks: Vec<Traceback>,
}

impl OneLock {
    /// Adds the stacks to the lock at this position.
    pub fn of(session: &Session, view: LocksView, at: usize) -> anyhow::Result<OneLock> {
        let python = session.python()?.clone();
        let roots = source::roots(session);
        let mut sources = Sources::new(&python, &roots);
        let wanted = Wanted {
            extent: Extent::Whole,
            fold: !session.json,
            locals: false,
            most: choice::most(session, Extent::Whole),
        };
        let lock = view.locks.all.get(at);
        let owner = lock.and_then(|lock| lock.owner.thread());
        let waiters = lock.map_or(&[][..], |lock| &lock.waiters);
        let ids = owner.into_iter().chain(waiters.iter().copied());
        let stacks = ids
            .take(MOST_STACKS)
            .filter_map(|id| view.thread(id).cloned())
            .map(|thread| Traceback::of(&python, &mut sources, thread, wanted, !session.json))
            .collect();
        Ok(OneLock { view, at, stacks })
    }

    /// Prints it.
    pub fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Some(lock) = self.view.locks.all.get(self.at) else {
            return Ok(());
        };
        out.target(&title(lock))?;
        out.put(format_args!(": {}", state(lock)))?;
        let (who, how) = owner(&lock.owner);
        if lock.owner.evidence().is_empty() {
            out.put(format_args!(".\n"))?;
        } else {
            out.put(format_args!("\n"))?;
            out.target(&format!("Owner: {who}"))?;
            if how != "-" {
                out.put(format_args!(", {how}"))?;
            }
            out.target(&format!(": {}", lock.owner.evidence()))?;
            out.put(format_args!(".\n"))?;
            place(out, lock.owner.place())?;
        }
        let waits = self.view.locks.waits.iter();
        for wait in waits.filter(|wait| wait.lock == self.at) {
            let timed = if wait.timed {
                ", at most for some time"
            } else {
                ""
            };
            out.put(format_args!("Waiter: thread {}{timed}: ", wait.thread))?;
            out.target(&wait.evidence)?;
            out.put(format_args!(".\n"))?;
        }
        for stack in &self.stacks {
            out.end()?;
            if let Some(id) = stack.thread.id {
                self.view.heading(out, id)?;
            }
            match stack.is_empty() {
                true => out.put(format_args!("  no Python frames; see \"bt\"\n"))?,
                false => stack.text(out)?,
            }
        }
        let count = lock.waiters.len() + usize::from(lock.owner.thread().is_some());
        if let Some(more) = count.checked_sub(MOST_STACKS).filter(|more| *more > 0) {
            out.put(format_args!("\n{more} more stacks are left out.\n"))?;
        }
        Ok(())
    }

    /// The same for a JSON document.
    pub fn json(&self) -> Value {
        let waits = self.view.locks.waits.iter();
        json!({
            "lock": self.view.locks.all.get(self.at),
            "waits": waits.filter(|wait| wait.lock == self.at).collect::<Vec<_>>(),
            "stacks": self.stacks,
        })
    }
}
