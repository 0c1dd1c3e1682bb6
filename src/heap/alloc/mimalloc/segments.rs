//! All segments in memory, whoever has them, and what is in them (src/segment.c).

use super::blocks::{Free, HUGE, Page, SLICE};
use super::walk::{MOST_SLICES, Mimalloc};
use crate::addr::Addr;
use crate::heap::alloc::{Gap, Span, Use};
use crate::heap::pieces::{Pieces, Words};
use crate::python::Python;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// A segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Segment {
    /// Its first byte.
    pub start: Addr,
    /// Its size in bytes; more than 32 MiB where one block fills it.
    pub size: u64,
    /// The thread that has it, as `pthread_self()` tells it; 0 after that has ended.
    pub thread: u64,
}

/// The segments of a process.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    /// By address, apart.
    pub all: Vec<Segment>,
}

/// What a run of slices is.
pub(super) enum Run<'r> {
    /// No page has it.
    Unused,
    /// A page; blocks were given out from where `blocks` says on, and the free ones of them are
    /// marked.
    Page(&'r PageRun<'r>),
    /// It cannot be believed, and why.
    Damaged(String),
}

/// A page in use.
pub(super) struct PageRun<'r> {
    /// Where its blocks begin.
    pub(super) start: Addr,
    /// Their size.
    pub(super) size: u64,
    /// How many were ever given out.
    pub(super) count: u64,
    /// How many it has room for.
    pub(super) room: u64,
    pub(super) free: &'r Free,
    /// The kind of heap it belongs to.
    pub(super) kind: u64,
}

/// The reader of a process; `None` where mimalloc's structs are not known.
pub(super) fn reader<'a, 'm>(
    python: &'a Python,
    pieces: &'a Pieces<'m>,
) -> Option<Mimalloc<'a, Pieces<'m>>> {
    Mimalloc::new(&python.layout, &python.process.target.mappings, pieces)
}

impl Segments {
    /// Finds them: what begins like one at every place where one may be, and has the process's own
    /// secret in its cookie.
    pub fn of(python: &Python, pieces: &Pieces<'_>) -> Segments {
        let Some(reader) = reader(python, pieces) else {
            return Segments::default();
        };
        let found = reader.segments(&|_| true);
        let secrets = found.iter().filter_map(|at| reader.secret(*at));
        let mut counts: FxHashMap<u64, usize> = FxHashMap::default();
        for secret in secrets {
            *counts.entry(secret).or_default() += 1;
        }
        let own = counts.iter().max_by_key(|(_, count)| **count);
        let own = own.map(|(secret, _)| *secret);
        let mut all: Vec<Segment> = Vec::new();
        for at in found.into_iter().filter(|at| reader.secret(*at) == own) {
            let Some(segment) = reader.segment(at) else {
                continue;
            };
            match all.last_mut() {
                Some(last) if last.start.add(last.size) > at => {
                    // Of a large segment that was given back, others may have parts by now.
                    if last.thread == 0 && !reader.has_pages(last) {
                        last.size = at.0 - last.start.0;
                        all.push(segment);
                    }
                }
                _ => all.push(segment),
            }
        }
        Segments { all }
    }

    /// Tells the memory of a segment as spans side by side, in the order of addresses. Pages that
    /// cannot be believed are left out; they are the gaps that are returned.
    pub fn spans(
        &self,
        python: &Python,
        pieces: &Pieces<'_>,
        segment: &Segment,
        tell: &mut dyn FnMut(Span),
    ) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let Some(reader) = reader(python, pieces) else {
            return gaps;
        };
        let mut put = |start: Addr, end: Addr, used| {
            if let Some(len) = end.since(start).filter(|len| *len > 0) {
                tell(Span { start, len, used });
            }
        };
        put(segment.start, reader.own_end(segment), Use::Overhead);
        reader.runs(segment, &mut |start, end, run| match run {
            Run::Unused => put(start, end, Use::Free),
            Run::Page(page) => {
                put(start, page.start, Use::Overhead);
                let place = |index: u64| page.start.add(index * page.size);
                for index in 0..page.count {
                    let used = match page.free.contains(index) {
                        true => Use::Free,
                        false => Use::Used,
                    };
                    put(place(index), place(index + 1), used);
                }
                put(place(page.count), place(page.room), Use::Fresh);
                put(place(page.room), end, Use::Overhead);
            }
            Run::Damaged(why) => gaps.push(Gap {
                start,
                len: end.0 - start.0,
                why,
            }),
        });
        gaps
    }
}

impl<W: Words + ?Sized> Mimalloc<'_, W> {
    /// The segment at an address.
    fn segment(&self, start: Addr) -> Option<Segment> {
        /// More than a process can map.
        const LARGEST: u64 = 1 << 47;
        let slices = self.memory.u64(self.segment.all_slices.of(start))?;
        let size = slices.checked_mul(SLICE).filter(|size| *size < LARGEST)?;
        start.0.checked_add(size)?;
        Some(Segment {
            start,
            size,
            thread: self.memory.u64(self.segment.thread_id.of(start))?,
        })
    }

    /// Whether a segment has any page in use.
    fn has_pages(&self, segment: &Segment) -> bool {
        let mut any = false;
        self.runs(segment, &mut |_, _, run| any |= !matches!(run, Run::Unused));
        any
    }

    /// How many slices a segment's own description takes.
    fn own(&self, segment: &Segment) -> u64 {
        let own = self.memory.u64(self.segment.own_slices.of(segment.start));
        own.unwrap_or(1)
            .clamp(1, (segment.size / SLICE).clamp(1, MOST_SLICES))
    }

    /// Where that ends.
    pub(super) fn own_end(&self, segment: &Segment) -> Addr {
        let end = segment.start.add(segment.size);
        segment.start.add(self.own(segment) * SLICE).min(end)
    }

    /// Meets what lies behind a segment's own description, by address, each with its bounds.
    pub(super) fn runs(&self, segment: &Segment, meet: &mut dyn FnMut(Addr, Addr, Run<'_>)) {
        let end = segment.start.add(segment.size);
        let size = u64::from(self.page.size.offset);
        let slices = self.segment.slices.of(segment.start);
        let entries = self
            .memory
            .u64(self.segment.slice_entries.of(segment.start));
        let entries = entries.unwrap_or(0).min(MOST_SLICES);
        let place = |slice: u64| segment.start.add(slice * SLICE).min(end);
        let own = self.own(segment);
        let mut free = Free::default();
        let mut slice = own;
        while slice < entries && place(slice) < end {
            let addr = slices.add(slice * size);
            let count = self.u32(self.page.slice_count.of(addr)).unwrap_or(0);
            let to = match slice + count {
                // A page that is more than the segment describes fills it.
                next if next >= entries => end,
                next => place(next),
            };
            let page = Page {
                addr,
                segment: segment.start,
                slice,
            };
            match count {
                0 => {
                    let why = format!("nothing tells how long the page at {addr} is");
                    meet(place(slice), end, Run::Damaged(why));
                    return;
                }
                _ => self.run(&page, place(slice), to, &mut free, meet),
            }
            slice += count;
        }
        // Slices without a description, if there are any, are of no page.
        if slice < entries || entries <= own {
            meet(place(slice.max(own)), end, Run::Unused);
        }
    }

    fn run(
        &self,
        page: &Page,
        from: Addr,
        to: Addr,
        free: &mut Free,
        meet: &mut dyn FnMut(Addr, Addr, Run<'_>),
    ) {
        let f = &self.page;
        if self.u32(f.block_size.of(page.addr)).unwrap_or(0) == 0 {
            return meet(from, to, Run::Unused);
        }
        let Some(blocks) = self
            .blocks(page)
            .filter(|blocks| (from..=to).contains(&blocks.start))
        else {
            let why = format!(
                "the blocks of the page at {} are not where it lies",
                page.addr
            );
            return meet(from, to, Run::Damaged(why));
        };
        let room = self
            .u16(f.reserved.of(page.addr))
            .unwrap_or(0)
            .max(blocks.count);
        let extent = to.0 - blocks.start.0;
        // A block that fills its page may have no size of its own.
        let size = match room {
            1 if blocks.size >= HUGE => extent,
            _ => blocks.size,
        };
        if let Some(why) = self.mark_free(page, &blocks, free) {
            return meet(from, to, Run::Damaged(why));
        }
        if room.checked_mul(size).is_none_or(|bytes| bytes > extent) {
            let why = format!("the page at {} is too short for its blocks", page.addr);
            return meet(from, to, Run::Damaged(why));
        }
        let run = PageRun {
            start: blocks.start,
            size,
            count: blocks.count,
            room,
            free,
            kind: self.tag(page.addr),
        };
        meet(from, to, Run::Page(&run));
    }
}
