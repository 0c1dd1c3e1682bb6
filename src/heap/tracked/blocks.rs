//! The blocks of one page of mimalloc (src/alloc.c, src/page.c of 2.1.2 in CPython 3.13, of 2.5.2
//! since 3.14): those ever given out, without the free ones, which are on three lists; of the rest
//! those with an object that is marked as tracked in `ob_gc_bits`.

use super::mimalloc::Mimalloc;
use crate::addr::Addr;
use crate::heap::pieces::Words;

/// A slice of a segment, in bytes.
const SLICE: u64 = 64 << 10;

/// Bits of `ob_gc_bits`.
const TRACKED: u64 = 1;
const FROZEN: u64 = 8;

/// The flags in the low bits of the list of what other threads have freed.
const THREAD_FREE_FLAGS: u64 = 3;

/// A block that fills a page of its own has no size in 3.13 but this or more.
const HUGE: u64 = 2 << 30;

/// One page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Page {
    /// The page's `mi_page_t`.
    pub(super) addr: Addr,
    /// The segment it lies in.
    pub(super) segment: Addr,
    /// Its first slice.
    pub(super) slice: u64,
}

/// One bit for each block of a page, set for free ones.
pub(super) struct Free(Vec<u64>);

impl Default for Free {
    fn default() -> Free {
        // As many as a count of 16 bits can tell.
        Free(vec![0; (1 << 16) / 64])
    }
}

impl Free {
    fn clear(&mut self, blocks: u64) {
        self.0
            .iter_mut()
            .take(blocks as usize / 64 + 1)
            .for_each(|word| *word = 0);
    }

    fn contains(&self, index: u64) -> bool {
        let word = self.0.get(index as usize / 64).copied().unwrap_or(0);
        word >> (index % 64) & 1 == 1
    }

    /// Whether it was not there before.
    fn insert(&mut self, index: u64) -> bool {
        let new = !self.contains(index);
        if let Some(word) = self.0.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
        new
    }
}

/// Where the blocks of a page are.
struct Blocks {
    start: Addr,
    size: u64,
    count: u64,
}

impl<W: Words + ?Sized> Mimalloc<'_, W> {
    /// Meets the objects of a page, each with whether it is frozen. Tells in words what is wrong.
    pub(super) fn objects(
        &self,
        page: &Page,
        free: &mut Free,
        meet: &mut dyn FnMut(Addr, bool),
    ) -> Option<String> {
        let Some(blocks) = self.blocks(page) else {
            return Some(format!(
                "the blocks of the page at {} are not where it lies",
                page.addr
            ));
        };
        let problem = self.mark_free(page, &blocks, free);
        let debug_offset = self.u16(self.page.debug_offset.of(page.addr))? & 0xff;
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
            let bits = self.memory.u64(object.add(self.gc_bits)).unwrap_or(0);
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
        let ty = self.memory.u64(object.add(self.ob_type)).unwrap_or(0);
        ty != 0 && ty.is_multiple_of(8) && ty < BEYOND
    }

    fn blocks(&self, page: &Page) -> Option<Blocks> {
        let at = page.addr;
        let f = &self.page;
        let count = self.u16(f.capacity.of(at))?;
        let slices = self.u32(f.slice_count.of(at))?;
        let first = page.segment.add(page.slice * SLICE);
        let (start, size) = match f.start {
            Some(start) => (
                Addr(self.memory.u64(start.of(at))?),
                self.memory.u64(f.block_size.of(at))?,
            ),
            None => {
                let size = self.u32(f.block_size.of(at))?;
                // Small blocks do not begin where the page does.
                let skipped = match size {
                    8..=64 => 3 * size,
                    65..=512 => size,
                    _ => 0,
                };
                (first.add(skipped), size)
            }
        };
        let alone = count <= 1 || size >= HUGE;
        let end = start.since(first)?.checked_add(count.checked_mul(size)?)?;
        let fits = size >= 8 && end <= slices * SLICE || alone;
        let count = if alone { count.min(1) } else { count };
        fits.then_some(Blocks { start, size, count })
    }

    /// Marks the free blocks of a page.
    fn mark_free(&self, page: &Page, blocks: &Blocks, free: &mut Free) -> Option<String> {
        free.clear(blocks.count);
        let f = &self.page;
        for (list, flags) in [
            (f.free, 0),
            (f.local_free, 0),
            (f.thread_free, THREAD_FREE_FLAGS),
        ] {
            let mut next = self.memory.u64(list.of(page.addr)).unwrap_or(0) & !flags;
            while next != 0 {
                let offset = Addr(next).since(blocks.start);
                let index = offset.and_then(|offset| {
                    let whole = offset.checked_rem(blocks.size)? == 0;
                    let index = whole.then_some(offset / blocks.size)?;
                    (index < blocks.count).then_some(index)
                });
                if !index.is_some_and(|index| free.insert(index)) {
                    // It may have led through used blocks. What is freed is untracked before.
                    free.clear(blocks.count);
                    return Some(format!(
                        "a list of free blocks of the page at {} is broken at {}; only the \
                         objects' own marks tell there",
                        page.addr,
                        Addr(next)
                    ));
                }
                next = self.memory.u64(Addr(next)).unwrap_or(0);
            }
        }
        None
    }

    /// The 16-bit word at an address.
    pub(super) fn u16(&self, at: Addr) -> Option<u64> {
        self.memory.u64(at).map(|word| word & 0xffff)
    }

    /// The 32-bit word at an address.
    pub(super) fn u32(&self, at: Addr) -> Option<u64> {
        self.memory.u64(at).map(|word| word & 0xffff_ffff)
    }
}
