//! Counts of references against the references themselves. An object that counts more than other
//! objects refer to it, and than there are words elsewhere in memory that may be references to it, was
//! leaked: some code in C forgot to give a reference back. One that counts less than what the
//! collector would find gave one too many.
//!
//! Only objects that the collector tracks are judged. Words are no references that lie in free
//! memory of an allocator, in the part of a stack that is not in use, or in the blocks of a plain object
//! such as a list, whose references are all known; stale words elsewhere hide a leak, but make none up.

mod words;

use crate::addr::Addr;
use crate::heap::garbage::Members;
use crate::heap::graph::Watch;
use crate::heap::{Heap, HeapError};
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;
use words::Words;

/// What is wrong with the count of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It counts less than there are references: it will be freed while it is in use.
    TooFew,
    /// It counts more than objects refer to it and words elsewhere may do.
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
    /// References of objects alone.
    pub objects: u32,
    /// Words outside of objects that are its address, but for those that are certainly none.
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
            Verdict::Leaked => self.count - self.explained().min(self.count),
            Verdict::Unexplained => self.count.saturating_sub(self.known),
        }
    }

    /// The most references that there can be.
    fn explained(&self) -> u32 {
        self.objects.saturating_add(self.words)
    }
}

impl Audit {
    /// Compares the counts of all objects that the collector tracks with the references to them.
    pub fn of(heap: &Heap) -> Result<Audit, HeapError> {
        let members = Members::read(heap)?;
        Watch::quiet(&heap.python.process.cancel).go_on()?;
        let nodes = heap.count();
        let mut told = vec![0_u32; nodes as usize];
        let add = |counts: &mut Vec<u32>, id: u32| {
            if let Some(count) = counts.get_mut(id as usize) {
                *count = count.saturating_add(1);
            }
        };
        let is_tracked = |id: u32| members.list(id).is_some();
        let mut known = vec![0_u32; nodes as usize];
        for from in 0..nodes {
            let sure = is_tracked(from) && members.is_known(heap.kind_number(from));
            for to in members.told.targets_of(from).iter().filter(|_| sure) {
                add(&mut told, *to);
            }
            for to in heap.references().targets_of(from) {
                add(&mut known, *to);
            }
        }
        let by_objects = known.clone();
        for (id, _) in heap.held().filter(|(_, root)| root.certain) {
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
                address: heap.address(id),
                verdict: Verdict::Unexplained,
                count,
                known: at(&known, id),
                objects: at(&by_objects, id),
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
        Words { heap }.count(&mut open)?;
        for row in &mut open {
            // CPython's own code forgets references to modules that it makes once and for good.
            let is_module = || &*heap.class(row.id) == "module";
            if row.count > row.explained() && !is_module() {
                row.verdict = Verdict::Leaked;
            }
        }
        all.extend(open);
        all.sort_by_key(|row| row.address);
        Ok(Audit {
            objects,
            uncounted,
            types: by_type(heap, &all),
            all,
        })
    }
}

/// The types of objects whose counts are wrong, what is surest and most first.
fn by_type(heap: &Heap, all: &[Miscounted]) -> Vec<MiscountedType> {
    let mut rows: Vec<&Miscounted> = all.iter().collect();
    let key = |row: &Miscounted| (row.verdict, heap.kind_number(row.id));
    rows.sort_by_key(|row| (key(row), row.id));
    let same = rows.chunk_by(|a, b| key(a) == key(b));
    let ty = |run: &[&Miscounted]| {
        let first = run.first()?;
        let differences = run.iter().map(|row| u64::from(row.difference()));
        Some(MiscountedType {
            name: heap.class(first.id),
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
