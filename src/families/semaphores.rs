//! Semaphores and other futexes in memory that processes share. A lock of multiprocessing is a semaphore
//! that does not say who holds it, but each process counts how often it took it: where every process
//! that maps the semaphore has been looked into, and none counts it as taken, whoever held it has ended.

use super::words::pids;
use super::{Ends, Key, Member};
use crate::addr::Addr;
use crate::sync::{Kind, SharedLock, made_locks, shared_locks};
use crate::target::proc::Task;
use crate::target::proc_files::ProcFiles;
use crate::target::sharing::{Shared, SharedMemory, Sharing};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What is known of shared memory, read when it is first asked for.
pub(super) struct Semaphores<'m> {
    members: &'m [Member],
    memory: FxHashMap<i32, Option<SharedMemory>>,
    /// The locks of each process: those that it or its parent has made, and all that it has.
    made: FxHashMap<i32, Arc<Vec<SharedLock>>>,
    all: FxHashMap<i32, Option<Arc<Vec<SharedLock>>>>,
    mappers: FxHashMap<Shared, Result<Vec<i32>, String>>,
}

/// Who could end a wait for something in shared memory.
pub(super) struct Told {
    pub(super) key: Key,
    pub(super) ends: Ends,
    pub(super) evidence: String,
}

impl<'m> Semaphores<'m> {
    pub(super) fn new(members: &'m [Member]) -> Semaphores<'m> {
        Semaphores {
            members,
            memory: FxHashMap::default(),
            made: FxHashMap::default(),
            all: FxHashMap::default(),
            mappers: FxHashMap::default(),
        }
    }

    /// Who could end the wait of thread `waiter` of a process for the futex at `futex`; `None` where
    /// that is no shared memory. `kind` is the kind of lock it belongs to, if that is known.
    pub(super) fn told(
        &mut self,
        member: &Member,
        futex: Addr,
        waiter: i32,
        kind: Option<Kind>,
    ) -> Option<Told> {
        let place = self.place(member.pid, futex)?;
        let told = |ends, evidence: String| {
            Some(Told {
                key: Key::Shared(place),
                ends,
                evidence,
            })
        };
        let mappers = match self.mappers(member.pid, futex, place) {
            Ok(mappers) => mappers,
            Err(why) => return told(Ends::open(&why), why),
        };
        if kind == Some(Kind::ProcessLock) {
            let (ends, evidence) = match self.holder(&mappers, place, member.pid, waiter) {
                Ok(found) => found,
                Err(why) => (Ends::open(&why), why),
            };
            return told(ends, evidence);
        }
        let ends = self.all_of(&mappers, waiter);
        told(
            ends,
            format!(
                "only the processes that map it can end that: {}",
                pids(&mappers)
            ),
        )
    }

    /// Where in which file something lies.
    fn place(&mut self, pid: i32, at: Addr) -> Option<Shared> {
        let memory = self.memory.entry(pid);
        let memory = memory.or_insert_with(|| SharedMemory::of(Task::of(pid)).ok());
        memory.as_ref()?.at(at)
    }

    /// All processes that map it, the one that `pid` is among them; why that is not known, or may be
    /// anybody.
    fn mappers(&mut self, pid: i32, at: Addr, place: Shared) -> Result<Vec<i32>, String> {
        if let Some(known) = self.mappers.get(&place) {
            return known.clone();
        }
        let found = self.find_mappers(pid, at);
        self.mappers.insert(place, found.clone());
        found
    }

    fn find_mappers(&self, pid: i32, at: Addr) -> Result<Vec<i32>, String> {
        let sharing = Sharing::of(&ProcFiles::Live(Task::of(pid)));
        let sharing = sharing.ok_or("nothing tells which other processes share it")?;
        let others = sharing.others(at);
        let others = others.ok_or("nothing tells which other processes share it")?;
        if sharing.unreadable_kin > 0 {
            return Err(format!(
                "{} processes that could share it may not be looked at",
                sharing.unreadable_kin
            ));
        }
        let is_member = |pid: &&i32| self.members.iter().any(|member| member.pid == **pid);
        if let Some(outside) = others.iter().find(|pid| !is_member(pid)) {
            return Err(format!(
                "process {outside}, which is not of the family, shares it"
            ));
        }
        let mut all: Vec<i32> = others.iter().copied().chain([pid]).collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn member(&self, pid: i32) -> Option<&'m Member> {
        self.members.iter().find(|member| member.pid == pid)
    }

    /// All threads of these processes but one.
    fn all_of(&self, those: &[i32], waiter: i32) -> Ends {
        let members = those.iter().filter_map(|pid| self.member(*pid));
        let tids = members.flat_map(Member::tids);
        Ends::of(tids.filter(|tid| *tid != waiter).collect())
    }

    /// The lock at a place as each process knows it.
    fn counted(
        &mut self,
        mappers: &[i32],
        place: Shared,
    ) -> Result<Vec<(i32, SharedLock)>, String> {
        let mut all = Vec::new();
        for pid in mappers {
            let python = self.member(*pid).and_then(|member| member.python.as_ref());
            let python = python
                .ok_or_else(|| format!("process {pid} maps it, in which no CPython was found"))?;
            let made = self.made.entry(*pid);
            let made = Arc::clone(made.or_insert_with(|| Arc::new(made_locks(python))));
            let before = all.len();
            self.add(&mut all, *pid, &made, place);
            if all.len() > before {
                continue;
            }
            let every = self.all.entry(*pid);
            let every = every.or_insert_with(|| shared_locks(python).map(Arc::new));
            let every = every.clone();
            let every = every
                .ok_or_else(|| format!("not all memory of process {pid} was searched for locks"))?;
            self.add(&mut all, *pid, &every, place);
            if all.len() == before {
                return Err(format!(
                    "process {pid} maps it, and no object in it was found that tells whether it holds it"
                ));
            }
        }
        Ok(all)
    }

    /// Adds those of a process's locks that lie at a place.
    fn add(
        &mut self,
        all: &mut Vec<(i32, SharedLock)>,
        pid: i32,
        locks: &[SharedLock],
        place: Shared,
    ) {
        for lock in locks {
            if self.place(pid, lock.semaphore) == Some(place) {
                all.push((pid, lock.clone()));
            }
        }
    }

    /// Who holds a lock that only one can hold.
    fn holder(
        &mut self,
        mappers: &[i32],
        place: Shared,
        pid: i32,
        waiter: i32,
    ) -> Result<(Ends, String), String> {
        let all = self.counted(mappers, place)?;
        if all
            .iter()
            .any(|(_, lock)| lock.value.is_none_or(|value| value > 0))
        {
            return Err("it is free".into());
        }
        if let Some((pid, _)) = all.iter().find(|(_, lock)| lock.taking.is_some()) {
            return Err(format!("a thread of process {pid} may be about to have it"));
        }
        let counts = |pid: i32| {
            all.iter()
                .any(|(other, lock)| *other == pid && lock.count > 0)
        };
        let holds = |(_, lock): &&(i32, SharedLock)| {
            // A fork copies the count; the parent, which took it, still counts it.
            lock.count > 0 && !lock.copied_from.is_some_and(counts)
        };
        let holders: Vec<&(i32, SharedLock)> = all.iter().filter(holds).collect();
        let odd = all.iter().any(|(_, lock)| lock.count < 0);
        match holders.as_slice() {
            [] if !odd => Ok((
                Ends::of(Vec::new()),
                format!(
                    "it is locked, and none of the processes that map it ({}) counts it as taken, so \
                     whoever held it has ended",
                    pids(mappers)
                ),
            )),
            [(_, lock)] if lock.copied_from.is_some() => Err(format!(
                "what process {} counts may be a copy of what its parent counted",
                holders[0].0
            )),
            // What one process took, another one may release: where that is done, or could be meant
            // by a process that waits for what it took itself, it is up to all of them.
            [(holder, lock)] if !odd && *holder != pid => {
                let taker = lock.taker.and_then(|thread| {
                    let threads = self.member(*holder)?.process.threads();
                    Some((thread, threads.get(thread.checked_sub(1)?)?.tid))
                });
                Ok(match taker {
                    Some((thread, tid)) => (
                        Ends::of(vec![tid]),
                        format!("process {holder} counts it as taken, by its thread {thread}"),
                    ),
                    None => (
                        self.all_of(&[*holder], waiter),
                        format!("process {holder} counts it as taken, by a thread that has ended"),
                    ),
                })
            }
            _ => Ok((
                self.all_of(mappers, waiter),
                format!("it is up to the processes that map it: {}", pids(mappers)),
            )),
        }
    }
}
