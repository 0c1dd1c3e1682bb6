//! Whose each block of an allocator is: for every object where its block begins, and where the
//! blocks begin that belong to it.

use super::OfType;
use super::claims::Claims;
use super::what::What;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::marks::Marks;
use crate::heap::parts::{Part, PartKind, Parts, free_lists};
use crate::heap::pieces::Pieces;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Objects that one task looks at.
const BATCH: u32 = 1 << 14;

/// What the debug hooks of `PYTHONMALLOC=debug` have before the bytes they hand out (CPython's
/// Objects/obmalloc.c, `_PyMem_DebugRawAlloc`).
const DEBUG_HEAD: u64 = 16;

/// Who has which block.
pub(crate) struct Blocks<'p, 'm> {
    pieces: &'p Pieces<'m>,
    objects: Marks,
    unreached: Marks,
    buffers: Marks,
    freed: Marks,
    /// Blocks outside of all allocators that are known, by address.
    pub(super) loose: Vec<(Range<u64>, What)>,
    /// The memory that objects have mapped.
    pub(super) mapped: Vec<Range<u64>>,
    /// How many buffers the instances of each type have, and their bytes; by the type's number.
    sums: FxHashMap<u32, (u64, u64)>,
}

/// What one task found.
#[derive(Default)]
struct Found {
    sums: FxHashMap<u32, (u64, u64)>,
    loose: Vec<(Range<u64>, What)>,
    mapped: Vec<Range<u64>>,
}

impl<'p, 'm> Blocks<'p, 'm> {
    /// The blocks of all objects; `allocators` have claimed what they have.
    pub(crate) fn of(heap: &Heap, pieces: &'p Pieces<'m>, allocators: &Claims) -> Blocks<'p, 'm> {
        let mut blocks = Blocks {
            pieces,
            objects: Marks::new(pieces),
            unreached: Marks::new(pieces),
            buffers: Marks::new(pieces),
            freed: Marks::new(pieces),
            loose: Vec::new(),
            mapped: Vec::new(),
            sums: FxHashMap::default(),
        };
        free_lists(&heap.python, pieces, &mut |part| {
            if let Some(place) = pieces.place(part.start) {
                blocks.freed.set(place);
            }
        });
        let parts = Parts::new(&heap.python, pieces);
        let batches = (0..heap.count().div_ceil(BATCH)).into_par_iter();
        let found: Vec<Found> = batches
            .map(|batch| {
                let mut found = Found::default();
                let first = batch * BATCH;
                for id in first..heap.count().min(first.saturating_add(BATCH)) {
                    blocks.look(heap, &parts, allocators, id, &mut found);
                }
                found
            })
            .collect();
        for Found {
            loose,
            mapped,
            sums,
        } in found
        {
            for (number, (count, bytes)) in sums {
                let sum = blocks.sums.entry(number).or_default();
                *sum = (sum.0 + count, sum.1.saturating_add(bytes));
            }
            blocks.loose.extend(loose);
            blocks.mapped.extend(mapped);
        }
        let start = |(run, _): &(Range<u64>, What)| run.start;
        blocks.loose.sort_by_key(start);
        blocks
    }

    /// Marks what belongs to one object.
    fn look(
        &self,
        heap: &Heap,
        parts: &Parts<'_, '_>,
        allocators: &Claims,
        id: u32,
        found: &mut Found,
    ) {
        let Some(kind) = heap.kind(id) else {
            return;
        };
        let reached = heap.reachable().contains(id);
        let own = match reached {
            true => What::Objects,
            false => What::Unreached,
        };
        let mut tables = 0;
        let mut each = |part: Part| {
            let (start, len) = (part.start, part.len.unwrap_or(0));
            if part.kind != PartKind::Table {
                let sum = found.sums.entry(heap.kind_number(id)).or_default();
                *sum = (sum.0 + 1, sum.1.saturating_add(len));
            }
            let what = match part.kind {
                PartKind::Mapping => {
                    found.mapped.push(start.0..start.0.saturating_add(len));
                    return;
                }
                PartKind::Buffer if reached => What::Buffers,
                PartKind::Buffer | PartKind::Table => own,
            };
            tables += len;
            self.mark(start, len, what, allocators, &mut found.loose);
        };
        // What was told of a damaged object before the damage counts.
        let _ = parts.each(heap.address(id), kind, &mut each);
        let object = heap.address(id);
        let block = parts.block_of(object, kind);
        let before = object.0 - block.0.min(object.0);
        let len = heap.size(id).saturating_sub(tables).max(16) + before;
        self.mark(block, len, own, allocators, &mut found.loose);
    }

    fn mark(
        &self,
        start: Addr,
        len: u64,
        what: What,
        allocators: &Claims,
        loose: &mut Vec<(Range<u64>, What)>,
    ) {
        let marks = match what {
            What::Buffers => &self.buffers,
            What::Unreached => &self.unreached,
            _ => &self.objects,
        };
        match self.pieces.place(start) {
            Some(place) if allocators.holds(start.0) => {
                marks.set(place);
            }
            Some(_) if self.pieces.reaches(start, len) => {
                loose.push((start.0..start.0 + len, what));
            }
            _ => {}
        }
    }

    /// The buffers by the types of what has them.
    pub(super) fn buffers(&self, heap: &Heap) -> Vec<OfType> {
        let row = |(number, (count, bytes)): (&u32, &(u64, u64))| OfType {
            class: heap.kind_name(*number),
            count: *count,
            bytes: *bytes,
        };
        let mut rows: Vec<OfType> = self.sums.iter().map(row).collect();
        rows.sort_by(|one, other| (other.bytes, &one.class).cmp(&(one.bytes, &other.class)));
        rows
    }

    /// Whose the block is that begins at an address; `None` when no object has it. What is too large
    /// for pymalloc has gone through the debug hooks twice.
    #[inline]
    pub(crate) fn owner(&self, start: Addr, len: u64) -> Option<What> {
        let hooked = |head: u64| (head < len).then(|| self.at(start.add(head)))?;
        self.at(start)
            .or_else(|| hooked(DEBUG_HEAD))
            .or_else(|| hooked(2 * DEBUG_HEAD))
    }

    #[inline]
    fn at(&self, start: Addr) -> Option<What> {
        let place = self.pieces.place(start)?;
        match place {
            _ if self.objects.is_set(place) => Some(What::Objects),
            _ if self.buffers.is_set(place) => Some(What::Buffers),
            _ if self.unreached.is_set(place) => Some(What::Unreached),
            _ if self.freed.is_set(place) => Some(What::FreeLists),
            _ => None,
        }
    }
}
