//! The heaps, pages and segments of the mimalloc that is part of CPython (src/segment.c, src/heap.c of
//! 2.1.2 in CPython 3.13, of 2.5.2 since 3.14). Each thread state has four heaps; segments that
//! ended threads have left behind belong to their interpreter (Python/pystate.c).

use super::blocks::Page;
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::python::layout::{Layout, MiHeap, MiInterpreter, MiPage, MiSegment, MiThread, PageTag};
use crate::target::Mapping;
use rustc_hash::FxHashSet;

/// Segments begin at multiples of this, in bytes.
pub(in crate::heap) const SEGMENT: u64 = 32 << 20;

/// The most slices of a segment.
pub(super) const MOST_SLICES: u64 = 512;

/// Queues of pages of a heap, and their size in bytes.
pub(in crate::heap) const QUEUES: u64 = 75;
pub(in crate::heap) const QUEUE: u64 = 24;

/// More thread states or segments than this are damage.
const MOST: usize = 1_000_000;

/// What is needed to read mimalloc.
pub(in crate::heap) struct Mimalloc<'a, W: ?Sized> {
    layout: &'a Layout,
    mappings: &'a [Mapping],
    pub(in crate::heap) memory: &'a W,
    thread: MiThread,
    heap: MiHeap,
    pub(in crate::heap) page: MiPage,
    pub(super) segment: MiSegment,
    interpreter: MiInterpreter,
    tag: PageTag,
}

/// The pages of one interpreter.
#[derive(Default)]
pub(in crate::heap) struct Pages {
    pub(in crate::heap) all: Vec<Page>,
    pub(in crate::heap) problems: Vec<String>,
}

impl<'a, W: Words + ?Sized> Mimalloc<'a, W> {
    pub(in crate::heap) fn new(
        layout: &'a Layout,
        mappings: &'a [Mapping],
        memory: &'a W,
    ) -> Option<Mimalloc<'a, W>> {
        let fields = &layout.fields;
        Some(Mimalloc {
            layout,
            mappings,
            memory,
            thread: fields.mi_thread?,
            heap: fields.mi_heap?,
            page: fields.mi_page?,
            segment: fields.mi_segment?,
            interpreter: fields.mi_interpreter?,
            tag: layout.kinds.page_tag?,
        })
    }

    /// All pages of an interpreter that belong to some kinds of heaps; `known` are thread states of
    /// it.
    pub(in crate::heap) fn pages(
        &self,
        interpreter: Addr,
        known: impl Iterator<Item = Addr>,
        kinds: &[u64],
    ) -> Pages {
        let mut pages = Pages::default();
        let mut heaps = Vec::new();
        for thread in self.threads(interpreter, known) {
            if self.u32(self.thread.initialized.of(thread)).unwrap_or(0) != 0 {
                let first = self.thread.heaps.of(thread);
                let size = u64::from(self.heap.size.offset);
                heaps.extend(kinds.iter().map(|index| first.add(index * size)));
            }
        }
        let mut broken = FxHashSet::default();
        for heap in heaps {
            if !self.queues(heap, &mut pages) {
                broken.insert(heap);
            }
        }
        for segment in self.abandoned(interpreter, &mut pages.problems) {
            let wanted = |page| kinds.contains(&self.tag(page));
            self.in_segment(segment, &wanted, &mut pages.all);
        }
        if !broken.is_empty() {
            let wanted = |page| {
                let heap = self.memory.u64(self.page.heap.of(page));
                heap.is_some_and(|heap| broken.contains(&Addr(heap)))
            };
            for segment in self.segments(&|_| true) {
                self.in_segment(segment, &wanted, &mut pages.all);
            }
        }
        pages.all.sort_unstable();
        pages.all.dedup();
        pages
    }

    /// The thread states of an interpreter, with those that are about to be freed.
    fn threads(&self, interpreter: Addr, known: impl Iterator<Item = Addr>) -> FxHashSet<Addr> {
        let fields = &self.layout.fields;
        let mut all: FxHashSet<Addr> = FxHashSet::default();
        let mut next = self.memory.u64(fields.interpreter.threads.of(interpreter));
        while let Some(at) = next.filter(|at| *at != 0).map(Addr)
            && all.len() < MOST
            && self.memory.u64(fields.thread.interp.of(at)) == Some(interpreter.0)
            && all.insert(at)
        {
            next = self.memory.u64(fields.thread.next.of(at));
        }
        all.extend(known);
        all
    }

    /// Adds the pages of a heap's queues; `false` if one of them is broken.
    fn queues(&self, heap: Addr, pages: &mut Pages) -> bool {
        let mut whole = true;
        for queue in 0..QUEUES {
            let mut before = Addr::NULL;
            let first = self.heap.pages.of(heap).add(queue * QUEUE);
            let mut next = self.memory.u64(first);
            // The link back tells that no page comes twice.
            while let Some(at) = next.map(Addr).filter(|at| !at.is_null()) {
                let back = self.memory.u64(self.page.prev.of(at)).map(Addr);
                let Some(page) = self.page_at(at).filter(|_| back == Some(before)) else {
                    pages.problems.push(format!(
                        "the queue of pages at {first} is broken at {at}; all segments were \
                         searched for the pages of its heap"
                    ));
                    whole = false;
                    break;
                };
                pages.all.push(page);
                before = at;
                next = self.memory.u64(self.page.next.of(at));
            }
        }
        whole
    }

    /// The page at an address, if one can be there.
    fn page_at(&self, at: Addr) -> Option<Page> {
        let segment = Addr(at.0 / SEGMENT * SEGMENT);
        let offset = at.since(self.segment.slices.of(segment))?;
        let size = u64::from(self.page.size.offset);
        let slice = offset / size;
        let fits = offset.is_multiple_of(size) && slice <= MOST_SLICES;
        fits.then_some(Page {
            addr: at,
            segment,
            slice,
        })
    }

    /// The segments that threads of an interpreter have left behind when they ended.
    fn abandoned(&self, interpreter: Addr, problems: &mut Vec<String>) -> Vec<Addr> {
        let f = &self.interpreter;
        if let Some(subproc) = f.subproc.zip(self.segment.subproc) {
            let (of_interpreter, of_segment) = subproc;
            let own = self.memory.u64(of_interpreter.of(interpreter));
            let is_own = |segment: Addr| {
                self.memory.u64(of_segment.of(segment)) == own
                    && self.memory.u64(self.segment.thread_id.of(segment)) == Some(0)
            };
            return self.segments(&is_own);
        }
        let mut all = Vec::new();
        let mut seen = FxHashSet::default();
        for list in [f.abandoned, f.abandoned_visited].into_iter().flatten() {
            let mut next = self.memory.u64(list.of(interpreter));
            // The low bits are a tag that changes with the list.
            while let Some(at) = next.map(|at| Addr(at / SEGMENT * SEGMENT))
                && !at.is_null()
            {
                if !seen.insert(at) || !self.is_segment(at) || all.len() == MOST {
                    problems.push(format!(
                        "the list of segments of ended threads is broken at {at}"
                    ));
                    let is_left = |segment: Addr| {
                        self.memory.u64(self.segment.thread_id.of(segment)) == Some(0)
                    };
                    all.extend(self.segments(&is_left));
                    return all;
                }
                all.push(at);
                let link = self.segment.abandoned_next;
                next = link.and_then(|link| self.memory.u64(link.of(at)));
            }
        }
        all
    }

    /// What the cookies of all segments have in common, as told by one of them.
    pub(super) fn secret(&self, segment: Addr) -> Option<u64> {
        Some(self.memory.u64(self.segment.cookie.of(segment))? ^ segment.0)
    }

    /// Whether a segment may be at an address.
    fn is_segment(&self, at: Addr) -> bool {
        let count = self.memory.u64(self.segment.slice_entries.of(at));
        let info = self.u32(self.page.slice_count.of(self.segment.slices.of(at)));
        count.is_some_and(|count| (2..=MOST_SLICES + 1).contains(&count))
            && info.is_some_and(|info| (1..MOST_SLICES).contains(&info))
            && self.secret(at).is_some_and(|secret| secret != at.0)
    }

    /// The segments in memory of which `wanted` holds.
    pub(super) fn segments(&self, wanted: &dyn Fn(Addr) -> bool) -> Vec<Addr> {
        let mappings = self.mappings.iter();
        let anonymous = mappings.filter(|mapping| mapping.write && mapping.file().is_none());
        let starts = anonymous.flat_map(|mapping| {
            let first = mapping.start.0.div_ceil(SEGMENT);
            (first..mapping.end.0.div_ceil(SEGMENT)).map(|index| Addr(index.wrapping_mul(SEGMENT)))
        });
        starts
            .filter(|at| self.is_segment(*at) && wanted(*at))
            .take(MOST)
            .collect()
    }

    /// The kind of heap that a page belongs to.
    pub(super) fn tag(&self, page: Addr) -> u64 {
        let byte = self.u16(page.add(self.tag.byte.into())).unwrap_or(0) & 0xff;
        byte >> self.tag.shift & u64::from(self.tag.mask)
    }

    /// Adds the used pages of a segment of which `wanted` holds.
    fn in_segment(&self, segment: Addr, wanted: &dyn Fn(Addr) -> bool, pages: &mut Vec<Page>) {
        let size = u64::from(self.page.size.offset);
        let slices = self.segment.slices.of(segment);
        let entries = self.memory.u64(self.segment.slice_entries.of(segment));
        let entries = entries.unwrap_or(0).min(MOST_SLICES);
        let length = |slice: u64| {
            let count = self.u32(self.page.slice_count.of(slices.add(slice * size)));
            count.unwrap_or(0).max(1)
        };
        // The first slices are the segment's own description.
        let mut slice = length(0);
        while slice < entries {
            let addr = slices.add(slice * size);
            let used = self.u32(self.page.block_size.of(addr)).unwrap_or(0) != 0;
            if used && wanted(addr) {
                pages.push(Page {
                    addr,
                    segment,
                    slice,
                });
            }
            slice += length(slice);
        }
    }
}
