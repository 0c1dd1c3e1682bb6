//! Objects whose class has a say when they die: `__del__` is called, and may keep them alive. The
//! collector of 2.7 does not free what has one, nor what that leads to (Modules/gcmodule.c
//! `has_finalizer`).

use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::graph::NodeSet;

/// What such a method is called.
const NAME: &str = "__del__";

/// `b_type` of the block of a loop in 2.7, and the size of a `PyTryBlock`.
const SETUP_LOOP: u32 = 120;
const BLOCK: u64 = 12;

/// The most blocks of a frame (`CO_MAXBLOCKS`).
const MOST_BLOCKS: u32 = 20;

/// Which objects have a finalizer.
pub(super) struct Finalizers<'h> {
    heap: &'h Heap,
    /// Whether instances of a type have one, by the number of the type.
    kinds: Vec<bool>,
    /// Whether the collector leaves such objects alone.
    legacy: bool,
}

impl Finalizers<'_> {
    /// Looks at all types.
    pub(super) fn of(heap: &Heap) -> Finalizers<'_> {
        // The version that has classes of the old style is the one that does.
        let legacy = heap.python.layout.fields.instance.is_some();
        let objects = &heap.python.objects;
        let kinds = heap.kinds().iter().map(|kind| {
            let ty = &kind.keeping.ty;
            (!legacy || ty.is_heap()) && objects.class_attribute(ty, NAME).is_some()
        });
        Finalizers {
            heap,
            kinds: kinds.collect(),
            legacy,
        }
    }

    /// Those of these objects whose finalizer is called.
    pub(super) fn among(&self, ids: &NodeSet) -> Vec<u32> {
        ids.iter().filter(|id| self.has(*id)).collect()
    }

    /// Whether what has a finalizer is never freed by the collector.
    pub(super) fn are_kept(&self) -> bool {
        self.legacy
    }

    fn has(&self, id: u32) -> bool {
        let number = self.heap.kind_number(id) as usize;
        let own = self.kinds.get(number).is_some_and(|has| *has);
        own || self.legacy && self.has_legacy(id)
    }

    /// Instances of classes of the old style, and generators that are within a `try`.
    fn has_legacy(&self, id: u32) -> bool {
        let (address, python) = (self.heap.address(id), &self.heap.python);
        match &*self.heap.class(id) {
            "instance" => python.objects.has_old_attribute(address, NAME),
            "generator" => self.is_within_try(address).unwrap_or(false),
            _ => false,
        }
    }

    fn is_within_try(&self, generator: Addr) -> Option<bool> {
        let python = &self.heap.python;
        let (fields, memory) = (&python.layout.fields, &python.objects.memory);
        let frame = memory.ptr(fields.generator.frame.of(generator)).ok()?;
        if frame.is_null() {
            return Some(false);
        }
        let count = memory.u32(fields.frame.iblock?.of(frame)).ok()?;
        let blocks = fields.frame.blockstack?.of(frame);
        let kind = |index| memory.u32(blocks.add(u64::from(index) * BLOCK)).ok();
        let mut kinds = (0..count.min(MOST_BLOCKS)).map(kind);
        Some(kinds.any(|kind| kind.is_some_and(|kind| kind != SETUP_LOOP)))
    }
}
