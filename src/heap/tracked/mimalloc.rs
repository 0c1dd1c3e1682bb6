//! Objects of free-threaded builds: blocks of the two heaps that each thread state has for what the
//! collector tracks, and of the segments that ended threads have left behind
//! (Python/gc_free_threading.c, Python/pystate.c; mimalloc's src/segment.c).

use super::Tracked;
use super::blocks::{Free, Page};
use crate::addr::Addr;
use crate::diag::Cancel;
use crate::heap::pieces::Words;
use crate::python::Python;
use crate::python::layout::{Layout, MiHeap, MiInterpreter, MiPage, MiSegment, MiThread, PageTag};
use crate::target::Mapping;
use rustc_hash::FxHashSet;

/// Segments begin at multiples of this, in bytes.
const SEGMENT: u64 = 32 << 20;

/// The most slices of a segment.
const MOST_SLICES: u64 = 512;

/// Queues of pages of a heap, and their size in bytes.
const QUEUES: u64 = 75;
const QUEUE: u64 = 24;

/// Which of a thread's heaps have objects that the collector tracks: without and with a dictionary
/// and weak references in front of them.
const HEAPS: [u64; 2] = [2, 3];

/// More thread states or segments than this are damage.
const MOST: usize = 1_000_000;

/// What is needed to read mimalloc.
pub(super) struct Mimalloc<'a, W: ?Sized> {
    layout: &'a Layout,
    mappings: &'a [Mapping],
    pub(super) memory: &'a W,
    thread: MiThread,
    heap: MiHeap,
    pub(super) page: MiPage,
    segment: MiSegment,
    interpreter: MiInterpreter,
    tag: PageTag,
    /// Offsets in an object.
    pub(super) ob_type: u64,
    pub(super) gc_bits: u64,
}

/// The pages of one interpreter.
#[derive(Default)]
struct Pages {
    all: Vec<Page>,
    problems: Vec<String>,
}

/// Calls `found` with each tracked object and the index of its generation.
pub(super) fn each<W: Words + ?Sized>(
    python: &Python,
    memory: &W,
    cancel: &Cancel,
    tracked: &mut Tracked,
    found: &mut dyn FnMut(Addr, u8),
) {
    let mappings = &python.process.target.mappings;
    let Some(mimalloc) = Mimalloc::new(&python.layout, mappings, memory) else {
        let problem = "how this build allocates is not known".to_owned();
        tracked.add("tracked".into(), 0, Some(problem));
        return;
    };
    let mut free = Free::default();
    for interpreter in &python.interpreters {
        let states = interpreter.threads.iter().map(|thread| thread.tstate);
        let pages = mimalloc.pages(interpreter.addr, states);
        let mut problems = pages.problems;
        let normal = tracked.add("tracked".into(), interpreter.id, None);
        let frozen = tracked.add("permanent".into(), interpreter.id, None);
        let mut counts = [0_u64; 2];
        for page in &pages.all {
            if cancel.is_cancelled() {
                problems.push("stopped before its end".to_owned());
                break;
            }
            let problem = mimalloc.objects(page, &mut free, &mut |object, is_frozen| {
                let [ordinary, permanent] = &mut counts;
                let (index, count) = match is_frozen {
                    true => (frozen, permanent),
                    false => (normal, ordinary),
                };
                *count += 1;
                found(object, index);
            });
            problems.extend(problem);
        }
        let [ordinary, permanent] = counts;
        tracked.put(normal, ordinary, shorten(problems));
        tracked.put(frozen, permanent, None);
    }
}

/// The first of many problems, and how many there are.
fn shorten(problems: Vec<String>) -> Option<String> {
    let more = problems.len().saturating_sub(1);
    let first = problems.into_iter().next()?;
    Some(match more {
        0 => first,
        more => format!("{first} (and {more} more such things)"),
    })
}

impl<'a, W: Words + ?Sized> Mimalloc<'a, W> {
    fn new(layout: &'a Layout, mappings: &'a [Mapping], memory: &'a W) -> Option<Mimalloc<'a, W>> {
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
            ob_type: fields.object.ob_type.offset.into(),
            gc_bits: fields.object.gc_bits?.offset.into(),
        })
    }

    /// All pages of an interpreter with objects that the collector may track; `known` are thread
    /// states of it.
    fn pages(&self, interpreter: Addr, known: impl Iterator<Item = Addr>) -> Pages {
        let mut pages = Pages::default();
        let mut heaps = Vec::new();
        for thread in self.threads(interpreter, known) {
            if self.u32(self.thread.initialized.of(thread)).unwrap_or(0) != 0 {
                let first = self.thread.heaps.of(thread);
                let size = u64::from(self.heap.size.offset);
                heaps.extend(HEAPS.map(|index| first.add(index * size)));
            }
        }
        let mut broken = FxHashSet::default();
        for heap in heaps {
            if !self.queues(heap, &mut pages) {
                broken.insert(heap);
            }
        }
        for segment in self.abandoned(interpreter, &mut pages.problems) {
            let wanted = |page| HEAPS.contains(&self.tag(page));
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
    fn secret(&self, segment: Addr) -> Option<u64> {
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
    fn segments(&self, wanted: &dyn Fn(Addr) -> bool) -> Vec<Addr> {
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
    fn tag(&self, page: Addr) -> u64 {
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

#[cfg(test)]
#[path = "mimalloc_tests.rs"]
mod tests;
