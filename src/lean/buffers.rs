//! The data of objects that are there to have it: byte strings, byte arrays, arrays, mappings. An array of
//! numpy that may hold objects stays.

use super::insides::Insides;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::parts::{Part, PartKind, Parts};
use crate::heap::pieces::{Pieces, Words};
use crate::python::object::flags;
use rustc_hash::FxHashSet;

/// Where a `dtype` is behind the header of an `ndarray`, and its kind behind its own: a letter.
const DESCR: u64 = 40;
const KIND: u64 = 8;

/// Kinds of elements that are no objects and have none: numbers, text, times.
const PLAIN: &[u8] = b"?biufcSUmM";

/// Finds them.
pub(super) fn find(heap: &Heap, pieces: &Pieces<'_>, insides: &mut Insides<'_>) {
    let objects = &heap.python.objects;
    let parts = Parts::new(&heap.python, pieces);
    let fields = &objects.layout.fields;
    let arrays: FxHashSet<u32> = (0..heap.kinds().len() as u32)
        .filter(|number| &*heap.kind_name(*number) == "numpy.ndarray")
        .collect();
    for id in 0..heap.count() {
        let addr = heap.address(id);
        let Some(kind) = heap.kind(id) else {
            continue;
        };
        if kind.keeping.ty.is(flags::BYTES) {
            let size = pieces.u64(fields.object.ob_size.of(addr)).unwrap_or(0);
            insides.add(fields.bytes.data.of(addr).0, size);
        }
        if arrays.contains(&heap.kind_number(id)) {
            let descr = pieces.u64(objects.after(addr, DESCR)).map(Addr);
            let letter = descr.and_then(|descr| pieces.u8(objects.after(descr, KIND)));
            if !letter.is_some_and(|letter| PLAIN.contains(&letter)) {
                continue;
            }
        }
        // What was told of a damaged object before the damage counts.
        let _ = parts.each(addr, kind, &mut |part: Part| {
            if part.kind != PartKind::Table {
                insides.add(part.start.0, part.len.unwrap_or(0));
            }
        });
    }
}
