//! Words in memory that may be references to some objects, but for those that certainly are none.

use super::Miscounted;
use crate::addr::Addr;
use crate::bytes;
use crate::heap::alloc::{Span, Use};
use crate::heap::graph::Watch;
use crate::heap::marks::{Ids, Marks};
use crate::heap::parts::Parts;
use crate::heap::pieces::{ALIGNMENT, Pieces, Words as _};
use crate::heap::{Heap, HeapError};
use crate::memory::books::Books;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// Counts words in memory.
pub(super) struct Words<'a> {
    pub(super) heap: &'a Heap,
}

impl Words<'_> {
    /// Counts the words outside of objects that may be references to these, which are in the order
    /// of their addresses.
    pub(super) fn count(&self, rows: &mut [Miscounted]) -> Result<(), HeapError> {
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
        let python = &self.heap.python;
        let threads = python.process.threads().iter();
        let unused = threads.filter_map(|thread| python.process.unused_stack(thread.id));
        let unused = unused.map(|range| (range.start, range.end));
        unused.chain(python.unused_frame_stacks()).collect()
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
        books.each(&|_, span: Span| {
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
