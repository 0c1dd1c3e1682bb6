//! The objects that have text or bytes: `str` with its copies in other encodings, `bytes`,
//! `bytearray`, arrays, the buffers of files.

use super::blanks::Blanks;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::parts::{Part, PartKind, Parts};
use crate::heap::pieces::Pieces;
use crate::python::object::{Objects, flags};
use rustc_hash::FxHashSet;

/// Blanks what all objects have, but for the strings that are kept.
pub(super) fn blank(
    heap: &Heap,
    pieces: &Pieces<'_>,
    kept: &FxHashSet<Addr>,
    blanks: &mut Blanks<'_>,
) {
    let objects = &heap.python.objects;
    let parts = Parts::new(&heap.python, pieces);
    for id in 0..heap.count() {
        let addr = heap.address(id);
        let Some(kind) = heap.kind(id).filter(|_| !kept.contains(&addr)) else {
            continue;
        };
        let is_text = kind.keeping.ty.is(flags::STR);
        if is_text {
            text(objects, addr, blanks);
        } else if kind.keeping.ty.is(flags::BYTES) {
            bytes(objects, addr, blanks);
        }
        // What was told of a damaged object before the damage counts.
        let _ = parts.each(addr, kind, &mut |part: Part| {
            if is_text || part.kind == PartKind::Buffer {
                blanks.marks(part.start, part.len.unwrap_or(0), 1);
            }
        });
    }
}

/// Blanks the characters of a `str`.
pub(super) fn text(objects: &Objects, addr: Addr, blanks: &mut Blanks<'_>) {
    if let Ok((data, count, width)) = objects.string_data(addr) {
        blanks.marks(data, count.saturating_mul(width), width);
    }
}

/// Blanks a `bytes` object.
pub(super) fn bytes(objects: &Objects, addr: Addr, blanks: &mut Blanks<'_>) {
    let fields = &objects.layout.fields;
    if let Ok(size) = objects.memory.u64(fields.object.size.of(addr)) {
        blanks.marks(fields.bytes.data.of(addr), size, 1);
    }
}
