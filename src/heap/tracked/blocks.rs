//! The objects in the blocks of a page of mimalloc that the collector tracks: they are marked so in
//! `ob_gc_bits` (Python/gc_free_threading.c).

use crate::addr::Addr;
use crate::heap::alloc::mimalloc::{Free, Mimalloc, Page};
use crate::heap::pieces::Words;
use crate::python::layout::Layout;

/// Bits of `ob_gc_bits`.
const TRACKED: u64 = 1;
const FROZEN: u64 = 8;

/// Tells the objects of pages.
pub(super) struct Objects<'a, W: ?Sized> {
    pub(super) mimalloc: Mimalloc<'a, W>,
    /// Offsets in an object.
    ob_type: u64,
    gc_bits: u64,
}

impl<'a, W: Words + ?Sized> Objects<'a, W> {
    pub(super) fn new(layout: &Layout, mimalloc: Mimalloc<'a, W>) -> Option<Objects<'a, W>> {
        let object = &layout.fields.object;
        Some(Objects {
            mimalloc,
            ob_type: object.ob_type.offset.into(),
            gc_bits: object.gc_bits?.offset.into(),
        })
    }

    /// Meets the objects of a page, each with whether it is frozen. Tells in words what is wrong.
    pub(super) fn each(
        &self,
        page: &Page,
        free: &mut Free,
        meet: &mut dyn FnMut(Addr, bool),
    ) -> Option<String> {
        let Some(blocks) = self.mimalloc.blocks(page) else {
            return Some(format!(
                "the blocks of the page at {} are not where it lies",
                page.addr
            ));
        };
        let problem = self.mimalloc.mark_free(page, &blocks, free);
        let problem =
            problem.map(|problem| format!("{problem}; only the objects' own marks tell there"));
        let debug_offset = self
            .mimalloc
            .u16(self.mimalloc.page.debug_offset.of(page.addr))?
            & 0xff;
        let into = debug_offset
            .checked_sub(self.ob_type)
            .filter(|into| *into <= 48);
        let Some(into) = into else {
            return Some(format!(
                "the page at {} says that types lie at {debug_offset}",
                page.addr
            ));
        };
        for index in (0..blocks.count).filter(|index| !free.contains(*index)) {
            let object = blocks.start.add(index * blocks.size + into);
            let bits = self
                .mimalloc
                .memory
                .u64(object.add(self.gc_bits))
                .unwrap_or(0);
            if bits & TRACKED != 0 && self.has_type(object) {
                meet(object, bits & FROZEN != 0);
            }
        }
        problem
    }

    /// Whether there is an address where an object has its type. A freed block that waits on a list
    /// of its heap has none under CPython's debug hooks, which fill it with a pattern.
    fn has_type(&self, object: Addr) -> bool {
        const BEYOND: u64 = 1 << 47;
        let ty = self
            .mimalloc
            .memory
            .u64(object.add(self.ob_type))
            .unwrap_or(0);
        ty != 0 && ty.is_multiple_of(8) && ty < BEYOND
    }
}
