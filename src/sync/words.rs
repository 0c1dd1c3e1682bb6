//! What each thread waits for, in a few words: `waiting for bank.lock, which thread 3 holds`.

use super::{Gathered, Kind, Lock, Locks, Owner, View, names};
use crate::addr::Addr;
use crate::python::Python;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// How it is said that a thread waits.
const WAITING: &str = "waiting for ";

/// What a thread waits for.
#[derive(Clone, Debug, Serialize)]
pub struct WaitsFor {
    /// What it is.
    pub kind: Kind,
    /// How a person would write it.
    pub name: Option<String>,
    /// Where it is.
    pub address: Addr,
    /// Who holds it.
    pub owner: Owner,
}

impl Locks {
    /// What each thread (gdb number) waits for, without the verdicts and without the locks that
    /// nobody waits for.
    pub fn waits_of(python: &Python) -> FxHashMap<usize, WaitsFor> {
        let view = View::new(python);
        let found = Gathered::of(&view, false).locks;
        let waited = |lock: &Lock| !lock.waiters.is_empty();
        let mut locks = Locks {
            all: found.all.into_iter().filter(waited).collect(),
            ..Locks::default()
        };
        names::give(&view, &mut locks);
        let mut waits = FxHashMap::default();
        for lock in locks.all {
            for thread in &lock.waiters {
                let wait = WaitsFor {
                    kind: lock.kind,
                    name: lock.name.clone(),
                    address: lock.address,
                    owner: lock.owner.clone(),
                };
                waits.insert(*thread, wait);
            }
        }
        waits
    }
}

impl WaitsFor {
    /// In a few words, where they say more than `doing`, which says what the thread does by its
    /// own stack alone.
    pub fn words(&self, doing: &str) -> Option<String> {
        let (context, doing) = doing.split_at_checked(doing.find(WAITING)?)?;
        let holder = match &self.owner {
            Owner::Known { thread, .. } | Owner::Inferred { thread, .. } => match self.kind {
                Kind::Thread | Kind::NativeThread => {
                    let limit = limit(doing);
                    return Some(format!("{context}{WAITING}thread {thread} to end{limit}"));
                }
                _ if self.kind.is_held() => format!(", which thread {thread} holds"),
                _ => format!(", which thread {thread} can end"),
            },
            Owner::Process { pid, name, .. } => {
                let name = name.as_ref().map_or(String::new(), |n| format!(" ({n})"));
                format!(", which process {pid}{name} holds")
            }
            Owner::Orphaned { .. } if self.kind.is_held() => ", which nobody can release".into(),
            Owner::Orphaned { .. }
            | Owner::AnyOf { .. }
            | Owner::Unknown { .. }
            | Owner::Nobody => String::new(),
        };
        // What is made of a lock, such as an event, says more than the name of that lock.
        let named = !matches!(self.kind, Kind::FileLock);
        let plain = named && (doing.starts_with("waiting for a lock") || !self.kind.is_held());
        let says_more = !holder.is_empty() || (plain && self.name.is_some());
        if self.kind == Kind::Gil || !says_more {
            return None;
        }
        let what = match (&self.name, self.kind.is_held()) {
            (Some(name), true) if self.kind == Kind::FileLock => format!("a lock on {name}"),
            (Some(name), true) => name.clone(),
            (None, true) => format!("a {}", self.kind.words()),
            // How it waits for something that is not held, the functions on its stack say best.
            (name, false) => {
                let what = doing.strip_prefix(WAITING).unwrap_or(doing);
                let what = what.split(", at most ").next().unwrap_or(what);
                let name = name.as_ref().map_or(String::new(), |n| format!(" ({n})"));
                format!("{what}{name}")
            }
        };
        let limit = limit(doing);
        Some(format!("{context}{WAITING}{what}{holder}{limit}"))
    }
}

/// `, at most 3.2 s more` of what a thread does.
fn limit(doing: &str) -> &str {
    const UNIT: &str = " s more";
    let Some(start) = doing.find(", at most ") else {
        return "";
    };
    let tail = doing.get(start..).unwrap_or_default();
    let end = tail.find(UNIT).map_or(tail.len(), |at| at + UNIT.len());
    tail.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kind: Kind, name: Option<&str>, owner: Owner, doing: &str) -> Option<String> {
        let wait = WaitsFor {
            kind,
            name: name.map(str::to_owned),
            address: Addr(0x1000),
            owner,
        };
        wait.words(doing)
    }

    #[test]
    fn the_name_and_the_owner_are_said_where_they_are_known() {
        let known = || Owner::known(3, "");
        let said = words(
            Kind::Lock,
            Some("bank.lock"),
            known(),
            "waiting for a lock: with a:",
        );
        assert_eq!(said.unwrap(), "waiting for bank.lock, which thread 3 holds");
        let timed = "waiting for a lock, at most 3.2 s more: lock.acquire(timeout=9)";
        let said = words(Kind::RLock, None, known(), timed).unwrap();
        assert_eq!(
            said,
            "waiting for a threading.RLock, which thread 3 holds, at most 3.2 s more"
        );
        let said = words(
            Kind::Lock,
            Some("a"),
            Owner::unknown(""),
            "waiting for a lock",
        );
        assert_eq!(said.unwrap(), "waiting for a");
        let said = words(
            Kind::Lock,
            None,
            Owner::unknown(""),
            "waiting for a lock: x",
        );
        assert_eq!(said, None);
        let doing = "waiting for a thread to end";
        let said = words(Kind::Thread, Some("thread \"w\""), known(), doing).unwrap();
        assert_eq!(said, "waiting for thread 3 to end");
        let doing = "waiting for an item of a queue";
        let said = words(Kind::Lock, Some("waiter"), Owner::unknown(""), doing);
        assert_eq!(said, None);
        let said = words(Kind::Queue, Some("jobs"), Owner::unknown(""), doing);
        assert_eq!(said.unwrap(), "waiting for an item of a queue (jobs)");
        let nested = "in a signal handler, waiting for a lock: with a:";
        let said = words(Kind::Lock, Some("a"), known(), nested).unwrap();
        assert_eq!(
            said,
            "in a signal handler, waiting for a, which thread 3 holds"
        );
        assert_eq!(words(Kind::Gil, Some("the GIL"), known(), "waiting"), None);
    }
}
