//! Counts of references against the references themselves. An object that counts more than there are
//! words in all of memory that may be references to it was leaked: some code in C forgot to give a
//! reference back. One that counts less than what the collector would find gave one too many.
//!
//! Only objects that the collector tracks are judged. Words in free blocks of pymalloc and in the part of
//! a stack that is not in use are no references; stale words elsewhere hide a leak, but make none up.

use super::garbage::Members;
use super::graph::Watch;
use super::marks::{Ids, Marks};
use super::pieces::{ALIGNMENT, Pieces};
use super::{Heap, HeapError};
use crate::addr::Addr;
use crate::bytes;
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Words that one task reads.
const BATCH: u64 = 1 << 17;

/// Low bits of a word that may be marks beside a reference.
const MARKS: u64 = 7;

/// The most words of one object, and of all, whose places are looked at.
const MOST_PLACES: u32 = 64;
const MOST_IN_ALL: usize = 1 << 18;

/// What is wrong with the count of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It counts less than there are references: it will be freed while it is in use.
    TooFew,
    /// It counts more than there are words in memory that may be references.
    Leaked,
    /// It counts more than the references that are known; words that are no known references may
    /// be the others.
    Unexplained,
}

/// An object whose count is not explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Miscounted {
    /// The object.
    pub address: Addr,
    /// What is wrong.
    pub verdict: Verdict,
    /// What it counts.
    pub count: u32,
    /// References of objects and of CPython's own states that are known.
    pub known: u32,
    /// Words in memory that are its address, but for those that are certainly none.
    pub words: u32,
    #[serde(skip)]
    id: u32,
}

/// Objects of one type whose counts are wrong in the same way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MiscountedType {
    /// The full name of the type.
    pub name: Arc<str>,
    /// What is wrong.
    pub verdict: Verdict,
    /// How many objects.
    pub objects: u64,
    /// By how much their counts differ in all.
    pub difference: u64,
    /// One of them.
    pub example: Addr,
}

/// All objects whose counts are wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Audit {
    /// How many objects were looked at.
    pub objects: u64,
    /// How many were left out because they are never freed, or count in a way that is not known.
    pub uncounted: u64,
    /// The types, what is surest and most first.
    pub types: Vec<MiscountedType>,
    /// The objects, by address.
    pub all: Vec<Miscounted>,
}

impl Miscounted {
    /// By how much the count differs.
    pub fn difference(&self) -> u32 {
        match self.verdict {
            Verdict::TooFew => self.known.saturating_sub(self.count),
            Verdict::Leaked => self.count.saturating_sub(self.words),
            Verdict::Unexplained => self.count.saturating_sub(self.known),
        }
    }
}

impl Heap {
    /// Compares the counts of all objects that the collector tracks with the references to them.
    pub fn audit(self: &Arc<Heap>) -> Result<Audit, HeapError> {
        let members = Members::read(self)?;
        Watch::quiet(&self.python.process.cancel).go_on()?;
        let nodes = self.count();
        let mut told = vec![0_u32; nodes as usize];
        let add = |counts: &mut Vec<u32>, id: u32| {
            if let Some(count) = counts.get_mut(id as usize) {
                *count = count.saturating_add(1);
            }
        };
        let is_tracked = |id: u32| members.list(id).is_some();
        let mut known = vec![0_u32; nodes as usize];
        for from in 0..nodes {
            let sure = is_tracked(from) && members.is_known(self.kind_number(from));
            for to in members.told.targets_of(from).iter().filter(|_| sure) {
                add(&mut told, *to);
            }
            for to in self.references().targets_of(from) {
                add(&mut known, *to);
            }
        }
        for (id, _) in self.held().filter(|(_, root)| root.certain) {
            add(&mut known, id);
        }
        let at = |counts: &[u32], id: u32| counts.get(id as usize).copied().unwrap_or(0);
        let mut all = Vec::new();
        let mut open = Vec::new();
        let (mut objects, mut uncounted) = (0, 0);
        for id in (0..nodes).filter(|id| is_tracked(*id)) {
            let Some(count) = members.counts.of(id) else {
                uncounted += 1;
                continue;
            };
            objects += 1;
            let mut row = Miscounted {
                address: self.address(id),
                verdict: Verdict::Unexplained,
                count,
                known: at(&known, id),
                words: 0,
                id,
            };
            if at(&told, id) > count {
                row.verdict = Verdict::TooFew;
                row.known = at(&told, id);
                all.push(row);
            } else if count > row.known {
                open.push(row);
            }
        }
        self.count_words(&mut open)?;
        for row in &mut open {
            // CPython's own code forgets references to modules that it makes once and for good.
            let is_module = || &*self.class(row.id) == "module";
            if row.count > row.words && !is_module() {
                row.verdict = Verdict::Leaked;
            }
        }
        all.extend(open);
        all.sort_by_key(|row| row.address);
        Ok(Audit {
            objects,
            uncounted,
            types: self.miscounted_types(&all),
            all,
        })
    }

    /// Counts the words in memory that may be references to these objects, which are in the order of
    /// their addresses.
    fn count_words(&self, rows: &mut [Miscounted]) -> Result<(), HeapError> {
        let python = &self.python;
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let marks = Marks::new(&pieces);
        for place in rows.iter().filter_map(|row| pieces.place(row.address)) {
            marks.set(place);
        }
        let ids = Ids {
            pieces: &pieces,
            ranks: &marks.ranked(),
        };
        let sps = target
            .threads
            .iter()
            .filter_map(|thread| thread.registers?.sp());
        // A function that calls no other uses this much in front of its stack's end.
        const RED_ZONE: u64 = 128;
        let dead = sps.filter_map(|sp| Some((target.mapping(sp)?.start, sp.sub(RED_ZONE))));
        let dead: Vec<(Addr, Addr)> = dead.collect();
        let is_dead = |at: Addr| dead.iter().any(|(start, end)| *start <= at && at < *end);
        let is_written = |at: Addr| target.mapping(at).is_some_and(|mapping| mapping.write);
        let parts: Vec<(Addr, u64)> = pieces
            .runs()
            .filter(|(start, ..)| is_written(*start))
            .flat_map(|(start, _, count)| {
                let steps = (0..count).step_by(BATCH as usize);
                steps.map(move |step| (start.add(step * ALIGNMENT), (count - step).min(BATCH)))
            })
            .collect();
        let counts: Vec<AtomicU32> = rows.iter().map(|_| AtomicU32::new(0)).collect();
        let places: Vec<(u32, Addr)> = parts
            .par_iter()
            .flat_map_iter(|(start, count)| {
                let raw = pieces.bytes(*start, (count * ALIGNMENT) as usize);
                let mut found = Vec::new();
                for (index, word) in (0..).zip(raw.as_deref().unwrap_or_default().chunks_exact(8)) {
                    let word = bytes::u64_at(word, 0).unwrap_or(0) & !MARKS;
                    let Some(row) = ids.of(Addr(word)) else {
                        continue;
                    };
                    let at = start.add(index * ALIGNMENT);
                    if is_dead(at) {
                        continue;
                    }
                    let seen = counts.get(row as usize);
                    let seen = seen.map_or(0, |count| count.fetch_add(1, Ordering::Relaxed));
                    if seen < MOST_PLACES {
                        found.push((row, at));
                    }
                }
                found
            })
            .collect();
        Watch::quiet(&python.process.cancel).go_on()?;
        for (row, count) in rows.iter_mut().zip(counts) {
            row.words = count.into_inner();
        }
        for thread in &target.threads {
            let registers = thread
                .registers
                .iter()
                .flat_map(|registers| registers.general.iter().flatten());
            for row in registers.filter_map(|word| ids.of(Addr(*word & !MARKS))) {
                if let Some(row) = rows.get_mut(row as usize) {
                    row.words = row.words.saturating_add(1);
                }
            }
        }
        let few = places.iter().take(MOST_IN_ALL).par_bridge();
        let free: Vec<u32> = few
            .filter(|(_, at)| python.is_unused_block(*at))
            .map(|(row, _)| *row)
            .collect();
        for row in free {
            if let Some(row) = rows.get_mut(row as usize) {
                row.words = row.words.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// The types of objects whose counts are wrong, what is surest and most first.
    fn miscounted_types(&self, all: &[Miscounted]) -> Vec<MiscountedType> {
        let mut rows: Vec<&Miscounted> = all.iter().collect();
        let key = |row: &Miscounted| (row.verdict, self.kind_number(row.id));
        rows.sort_by_key(|row| (key(row), row.id));
        let same = rows.chunk_by(|a, b| key(a) == key(b));
        let ty = |run: &[&Miscounted]| {
            let first = run.first()?;
            let differences = run.iter().map(|row| u64::from(row.difference()));
            Some(MiscountedType {
                name: self.class(first.id),
                verdict: first.verdict,
                objects: run.len() as u64,
                difference: differences.sum(),
                example: first.address,
            })
        };
        let mut types: Vec<MiscountedType> = same.filter_map(ty).collect();
        types.sort_by_key(|ty| (ty.verdict, Reverse(ty.objects), ty.example));
        types
    }
}
