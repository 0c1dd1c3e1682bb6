//! The verdicts, each a sentence with its evidence: what is wrong, and who waits where.

use super::{LocksView, owner, place, short, threads, title, waiting};
use crate::cli::render::number::list;
use crate::cli::{Out, Style};
use pydbg::sync::{BusyOwner, Deadlock, Kind, Lock, LostWakeup, Owner, Wait};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;

/// How many owners that are busy are told of; the table names the others.
const MOST_BUSY: usize = 5;
/// How many waiters of one lock are told of.
const MOST_WAITERS: usize = 5;

impl LocksView {
    /// Prints all verdicts; whether there were any but of busy owners.
    pub fn verdicts(&self, out: &mut Out<'_>) -> io::Result<bool> {
        let locks = &self.locks;
        for deadlock in &locks.deadlocks {
            self.deadlock(out, deadlock)?;
        }
        for at in &locks.orphaned {
            self.orphan(out, *at)?;
        }
        for lost in &locks.lost {
            self.lost(out, lost)?;
        }
        for busy in locks.busy.iter().take(MOST_BUSY) {
            self.busy(out, busy)?;
        }
        if let Some(more) = locks
            .busy
            .len()
            .checked_sub(MOST_BUSY)
            .filter(|more| *more > 0)
        {
            out.put(format_args!(
                "{more} more owners are busy; the table names them.\n\n"
            ))?;
        }
        Ok(!(locks.deadlocks.is_empty() && locks.orphaned.is_empty() && locks.lost.is_empty()))
    }

    /// Threads that wait for each other, thread by thread.
    fn deadlock(&self, out: &mut Out<'_>, deadlock: &Deadlock) -> io::Result<()> {
        let waits = deadlock.waits.iter();
        let waits: Vec<&Wait> = waits.filter_map(|at| self.locks.waits.get(*at)).collect();
        let ids: Vec<usize> = waits.iter().map(|wait| wait.thread).collect();
        let timed = match deadlock.timed {
            true => ", until a timeout ends one of the waits",
            false => "",
        };
        let text = match (ids.as_slice(), deadlock.ring) {
            ([one], _) => format!("Deadlock: thread {one} waits for itself{timed}."),
            (several, true) => format!(
                "Deadlock: threads {} wait for each other{timed}.",
                list(several)
            ),
            (several, false) => format!(
                "Deadlock: threads {} wait for what only they themselves could do{timed}.",
                list(several)
            ),
        };
        out.styled(Style::Strong, &text)?;
        out.end()?;
        for wait in waits {
            self.heading(out, wait.thread)?;
            self.wait(out, wait)?;
            if let Some(lock) = self.locks.all.get(wait.lock) {
                self.whose(out, lock)?;
            }
        }
        self.behind(out, &ids)?;
        out.end()
    }

    /// Those who wait for what these threads hold, or for one who does.
    fn behind(&self, out: &mut Out<'_>, ids: &[usize]) -> io::Result<()> {
        let mut by_owner: FxHashMap<usize, Vec<&Wait>> = FxHashMap::default();
        for wait in &self.locks.waits {
            let lock = self.locks.all.get(wait.lock);
            if let Some(owner) = lock.and_then(|lock| lock.owner.thread()) {
                by_owner.entry(owner).or_default().push(wait);
            }
        }
        let mut seen: FxHashSet<usize> = ids.iter().copied().collect();
        let mut left: Vec<usize> = ids.to_vec();
        let mut stuck = Vec::new();
        while let Some(owner) = left.pop() {
            for wait in by_owner.get(&owner).into_iter().flatten() {
                if seen.insert(wait.thread) {
                    left.push(wait.thread);
                    stuck.push(*wait);
                }
            }
        }
        stuck.sort_unstable_by_key(|wait| wait.thread);
        if !stuck.is_empty() {
            out.put(format_args!("Stuck behind that:\n"))?;
        }
        for wait in stuck.iter().take(MOST_WAITERS) {
            self.heading(out, wait.thread)?;
            self.wait(out, wait)?;
            if let Some(lock) = self.locks.all.get(wait.lock) {
                self.whose(out, lock)?;
            }
        }
        match stuck.len().saturating_sub(MOST_WAITERS) {
            0 => Ok(()),
            more => out.put(format_args!("and {more} more\n")),
        }
    }

    /// Who holds the lock of a wait, and where it was taken.
    fn whose(&self, out: &mut Out<'_>, lock: &Lock) -> io::Result<()> {
        let words = match (&lock.owner, lock.owner.thread()) {
            (_, Some(owner)) => match lock.kind {
                Kind::Thread | Kind::NativeThread => format!("which is thread {owner}"),
                kind if kind.is_held() => format!("which thread {owner} holds"),
                _ => format!("which thread {owner} works on"),
            },
            (Owner::AnyOf { threads: ids, .. }, _) => {
                format!("which is up to {}", threads(ids))
            }
            _ => return Ok(()),
        };
        out.put(format_args!("  {words} ("))?;
        out.target(lock.owner.evidence())?;
        out.put(format_args!(")\n"))?;
        place(out, lock.owner.place())
    }

    /// A lock that nobody can release.
    fn orphan(&self, out: &mut Out<'_>, at: usize) -> io::Result<()> {
        let Some(lock) = self.locks.all.get(at) else {
            return Ok(());
        };
        let text = format!("Orphaned: nobody can release {}: ", title(lock));
        out.styled(Style::Strong, &text)?;
        out.target(lock.owner.evidence())?;
        out.put(format_args!(".\n"))?;
        self.waiters(out, at)
    }

    /// A wait that nobody is left to end.
    fn lost(&self, out: &mut Out<'_>, lost: &LostWakeup) -> io::Result<()> {
        let Some(lock) = self.locks.all.get(lost.lock) else {
            return Ok(());
        };
        let text = format!(
            "Lost wakeup: {} for {}, and nobody is left to end that: ",
            waiting(&lock.waiters),
            title(lock)
        );
        out.styled(Style::Strong, &text)?;
        out.target(&lost.evidence)?;
        out.put(format_args!(".\n"))?;
        self.waiters(out, lost.lock)
    }

    /// A lock whose owner does something else.
    fn busy(&self, out: &mut Out<'_>, busy: &BusyOwner) -> io::Result<()> {
        let Some(lock) = self.locks.all.get(busy.lock) else {
            return Ok(());
        };
        let (holds, waiting) = (owner(&lock.owner).0, waiting(&lock.waiters));
        let verb = match lock.kind {
            Kind::Thread | Kind::NativeThread => format!("{waiting} for {holds}"),
            kind if kind.is_held() => {
                format!("{holds} holds {}, for which {waiting}", short(lock))
            }
            _ => format!("{holds} works on {}, for which {waiting}", short(lock)),
        };
        out.put(format_args!("Busy, no deadlock: "))?;
        out.target(&format!("{verb}: it is {}", busy.doing.text))?;
        out.put(format_args!(".\n"))?;
        place(out, lock.owner.place())?;
        out.end()
    }

    /// Those who wait for a lock, and where.
    fn waiters(&self, out: &mut Out<'_>, at: usize) -> io::Result<()> {
        let waits = self.locks.waits.iter().filter(|wait| wait.lock == at);
        for wait in waits.clone().take(MOST_WAITERS) {
            self.heading(out, wait.thread)?;
            self.wait(out, wait)?;
        }
        if let Some(more) = waits
            .count()
            .checked_sub(MOST_WAITERS)
            .filter(|more| *more > 0)
        {
            out.put(format_args!("and {more} more\n"))?;
        }
        out.end()
    }
}
