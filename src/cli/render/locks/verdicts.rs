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

/// The waits for what a thread (gdb number) holds, by that thread.
type ByOwner<'l> = FxHashMap<usize, Vec<&'l Wait>>;

impl LocksView {
    /// Prints all verdicts; whether there were any but of busy owners.
    pub fn verdicts(&self, out: &mut Out<'_>) -> io::Result<bool> {
        let locks = &self.locks;
        let by_owner = self.by_owner();
        for deadlock in &locks.deadlocks {
            self.deadlock(out, deadlock, &by_owner)?;
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
        match locks.busy.len().saturating_sub(MOST_BUSY) {
            0 => {}
            more => out.put(format_args!(
                "{more} more owners are busy; the table names them.\n\n"
            ))?,
        }
        Ok(!(locks.deadlocks.is_empty() && locks.orphaned.is_empty() && locks.lost.is_empty()))
    }

    /// Who waits for what each thread holds.
    fn by_owner(&self) -> ByOwner<'_> {
        let mut by_owner = ByOwner::default();
        for wait in &self.locks.waits {
            let lock = self.locks.all.get(wait.lock);
            if let Some(owner) = lock.and_then(|lock| lock.owner.thread()) {
                by_owner.entry(owner).or_default().push(wait);
            }
        }
        by_owner
    }

    /// Threads that wait for each other, thread by thread.
    fn deadlock(
        &self,
        out: &mut Out<'_>,
        deadlock: &Deadlock,
        by_owner: &ByOwner<'_>,
    ) -> io::Result<()> {
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
            self.waiter(out, wait)?;
        }
        let behind = behind(by_owner, &ids);
        if !behind.is_empty() {
            out.put(format_args!("Stuck behind that:\n"))?;
        }
        self.waiters(out, &behind)?;
        out.end()
    }

    /// A thread that waits: for what, where, and whose that is.
    fn waiter(&self, out: &mut Out<'_>, wait: &Wait) -> io::Result<()> {
        self.heading(out, wait.thread)?;
        self.wait(out, wait)?;
        match self.locks.all.get(wait.lock) {
            Some(lock) => self.whose(out, lock),
            None => Ok(()),
        }
    }

    /// The first of those who wait, and how many there are besides.
    fn waiters(&self, out: &mut Out<'_>, waits: &[&Wait]) -> io::Result<()> {
        for wait in waits.iter().take(MOST_WAITERS) {
            self.waiter(out, wait)?;
        }
        match waits.len().saturating_sub(MOST_WAITERS) {
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
            (Owner::AnyOf { threads: ids, .. }, _) if !ids.is_empty() => {
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
        self.waiters_of(out, at)
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
        self.waiters_of(out, lost.lock)
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

    /// Those who wait for a lock that is nobody's.
    fn waiters_of(&self, out: &mut Out<'_>, at: usize) -> io::Result<()> {
        let waits = self.locks.waits.iter().filter(|wait| wait.lock == at);
        self.waiters(out, &waits.collect::<Vec<_>>())?;
        out.end()
    }
}

/// Those who wait for what these threads hold, or for one who does.
fn behind<'l>(by_owner: &ByOwner<'l>, ids: &[usize]) -> Vec<&'l Wait> {
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
    stuck
}
