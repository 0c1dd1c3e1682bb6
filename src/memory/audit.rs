//! Counts of references against the references themselves. An object that counts more than other
//! objects refer to it, and than there are words elsewhere in memory that may be references to it, was
//! leaked: some code in C forgot to give a reference back. One that counts less than what the
//! collector would find gave one too many.
//!
//! Only objects that the collector tracks are judged. Words are no references that lie in free
//! memory of an allocator, in the part of a stack that is not in use, or in the blocks of a plain object
//! such as a list, whose references are all known; stale words elsewhere hide a leak, but make none up.

use super::books::Books;
use crate::addr::Addr;
use crate::bytes;
use crate::heap::alloc::{Span, Use};
use crate::heap::garbage::Members;
use crate::heap::graph::Watch;
use crate::heap::marks::{Ids, Marks};
use crate::heap::parts::Parts;
use crate::heap::pieces::{ALIGNMENT, Pieces, Words as _};
use crate::heap::{Heap, HeapError};
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Words that one task reads.
const BATCH: u64 = 1 << 17;

/// Low bits of a word that may be marks beside a reference.
const MARKS: u64 = 7;

/// Types whose instances have no other words that are references than those that are known; of many
/// others some are not told, as of the classes of ctypes.
const PLAIN: &[&str] = &[
    "bytearray",
    "bytes",
    "cell",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "set",
    "str",
    "tuple",
    "unicode",
];

/// The most words of one object, and of all, whose places are looked at.
const MOST_PLACES: u32 = 64;
const MOST_IN_ALL: usize = 1 << 18;

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

/// Counts words in memory.
struct Words<'a> {
    heap: &'a Heap,
}

impl Words<'_> {
    /// Counts the words outside of objects that may be references to these, which are in the order
    /// of their addresses.
    fn count(&self, rows: &mut [Miscounted]) -> Result<(), HeapError> {
        let python = &self.heap.python;
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
        let (counts, mut places) = self.places(&pieces, &ids, rows.len());
        Watch::quiet(&python.process.cancel).go_on()?;
        for (row, count) in rows.iter_mut().zip(counts) {
            row.words = count;
        }
        for thread in &target.threads {
            let registers = thread.registers.iter();
            let words = registers.flat_map(|registers| registers.general.iter().flatten());
            for row in words.filter_map(|word| ids.of(Addr(*word & !MARKS))) {
                if let Some(row) = rows.get_mut(row as usize) {
                    row.words = row.words.saturating_add(1);
                }
            }
        }
        places.truncate(MOST_IN_ALL);
        places.sort_unstable_by_key(|(_, at)| *at);
        for row in self.explained(&pieces, &places) {
            if let Some(row) = rows.get_mut(row as usize) {
                row.words = row.words.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// How many words may be references to each of the rows, and where some of them are.
    fn places(
        &self,
        pieces: &Pieces<'_>,
        ids: &Ids<'_, '_>,
        rows: usize,
    ) -> (Vec<u32>, Vec<(u32, Addr)>) {
        let target = &self.heap.python.process.target;
        let is_written = |at: Addr| target.mapping(at).is_some_and(|mapping| mapping.write);
        let parts: Vec<(Addr, u64)> = pieces
            .runs()
            .filter(|(start, ..)| is_written(*start))
            .flat_map(|(start, _, count)| {
                let steps = (0..count).step_by(BATCH as usize);
                steps.map(move |step| (start.add(step * ALIGNMENT), (count - step).min(BATCH)))
            })
            .collect();
        let dead = self.dead();
        let is_dead = |at: Addr| dead.iter().any(|(start, end)| *start <= at && at < *end);
        let counts: Vec<AtomicU32> = (0..rows).map(|_| AtomicU32::new(0)).collect();
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
        (
            counts.into_iter().map(AtomicU32::into_inner).collect(),
            places,
        )
    }

    /// The parts of stacks that are not in use.
    fn dead(&self) -> Vec<(Addr, Addr)> {
        // A function that calls no other uses this much in front of its stack's end.
        const RED_ZONE: u64 = 128;
        let python = &self.heap.python;
        let target = &python.process.target;
        let threads = target.threads.iter();
        let sps = threads.filter_map(|thread| thread.registers?.sp());
        let below = sps.filter_map(|sp| Some((target.mapping(sp)?.start, sp.sub(RED_ZONE))));
        below.chain(python.unused_frame_stacks()).collect()
    }

    /// The rows of the places that lie in free memory or in what is known of an object; one for each
    /// place. Places are in order.
    fn explained(&self, pieces: &Pieces<'_>, places: &[(u32, Addr)]) -> Vec<u32> {
        let owned = self.owned(pieces);
        let books = Books::of(&self.heap.python, pieces);
        let frame = self.heap.kinds().iter().map(|kind| &kind.keeping.ty);
        let frame = frame
            .filter(|ty| ty.name.as_deref() == Some("frame"))
            .map(|ty| ty.addr)
            .next();
        let explained = Mutex::new(Vec::new());
        books.each(&|span: Span| {
            let first = places.partition_point(|(_, at)| *at < span.start);
            let end = span.start.add(span.len);
            let within = places.iter().skip(first).take_while(|(_, at)| *at < end);
            let rows: Vec<u32> = within.map(|(row, _)| *row).collect();
            let is_dead = || self.is_dead_frame(span.start, pieces, frame);
            let is_owned = || {
                pieces
                    .place(span.start)
                    .is_some_and(|place| owned.is_set(place))
            };
            if !rows.is_empty() && (span.used != Use::Used || is_owned() || is_dead()) {
                let mut all = explained.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend(rows);
            }
        });
        explained
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a block has a frame that has ended, which code keeps for its next call (up to 3.10).
    fn is_dead_frame(&self, start: Addr, pieces: &Pieces<'_>, frame: Option<Addr>) -> bool {
        let layout = &self.heap.python.layout;
        let object = start.add(u64::from(layout.kinds.gc_head));
        let field = &layout.fields.object;
        let ty = pieces.u64(field.ob_type.of(object)).map(Addr);
        ty.is_some() && ty == frame && pieces.u64(object) == Some(0)
    }

    /// Where the blocks of plain objects begin.
    fn owned(&self, pieces: &Pieces<'_>) -> Marks {
        let owned = Marks::new(pieces);
        let parts = Parts::new(&self.heap.python, pieces);
        let mark = |start: Addr| {
            if let Some(place) = pieces.place(start) {
                owned.set(place);
            }
        };
        let kinds = 0..self.heap.kinds().len() as u32;
        let plain = |kind| PLAIN.contains(&&*self.heap.kind_name(kind));
        let plain: Vec<bool> = kinds.map(plain).collect();
        (0..self.heap.count()).into_par_iter().for_each(|id| {
            let number = self.heap.kind_number(id) as usize;
            let kind = self.heap.kinds().get(number);
            let is_plain = plain.get(number).copied().unwrap_or_default();
            if let Some(kind) = kind.filter(|_| is_plain) {
                let object = self.heap.address(id);
                mark(parts.block_of(object, kind));
                // What was told before damage is still its own.
                let _ = parts.each(object, kind, &mut |part| mark(part.start));
            }
        });
        owned
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
