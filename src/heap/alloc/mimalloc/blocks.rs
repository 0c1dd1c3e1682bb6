//! The blocks of one page of mimalloc (src/alloc.c, src/page.c of 2.1.2 in CPython 3.13, of 2.5.2
//! since 3.14): those ever given out, of which the free ones are on three lists.

use super::walk::Mimalloc;
use crate::addr::Addr;
use crate::heap::pieces::Words;

/// A slice of a segment, in bytes.
pub(super) const SLICE: u64 = 64 << 10;

/// The flags in the low bits of the list of what other threads have freed.
const THREAD_FREE_FLAGS: u64 = 3;

/// A block that fills a page of its own has no size in 3.13 but this or more.
pub(super) const HUGE: u64 = 2 << 30;

/// One page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::heap) struct Page {
    /// The page's `mi_page_t`.
    pub(in crate::heap) addr: Addr,
    /// The segment it lies in.
    pub(in crate::heap) segment: Addr,
    /// Its first slice.
    pub(in crate::heap) slice: u64,
}

/// One bit for each block of a page, set for free ones.
pub(in crate::heap) struct Free(Vec<u64>);

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

    pub(in crate::heap) fn contains(&self, index: u64) -> bool {
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
pub(in crate::heap) struct Blocks {
    pub(in crate::heap) start: Addr,
    pub(in crate::heap) size: u64,
    /// How many were ever given out.
    pub(in crate::heap) count: u64,
}

impl<W: Words + ?Sized> Mimalloc<'_, W> {
    /// Where the blocks of a page are; `None` if that is not in the page.
    pub(in crate::heap) fn blocks(&self, page: &Page) -> Option<Blocks> {
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

    /// Marks the free blocks of a page. Tells in words what is wrong; then none is marked.
    pub(in crate::heap) fn mark_free(
        &self,
        page: &Page,
        blocks: &Blocks,
        free: &mut Free,
    ) -> Option<String> {
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
                        "a list of free blocks of the page at {} is broken at {}",
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
    pub(in crate::heap) fn u16(&self, at: Addr) -> Option<u64> {
        self.memory.u64(at).map(|word| word & 0xffff)
    }

    /// The 32-bit word at an address.
    pub(in crate::heap) fn u32(&self, at: Addr) -> Option<u64> {
        self.memory.u64(at).map(|word| word & 0xffff_ffff)
    }
}
