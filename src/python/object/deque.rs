//! `collections.deque` (Modules/_collectionsmodule.c): blocks of items in a doubly linked list,
//! the first and the last of them partly used.

use super::{Objects, malformed};
use crate::addr::Addr;
use crate::target::Fault;

/// The largest deque that is believed.
const MOST_ITEMS: u64 = 1 << 40;

/// Walks the items of a deque. After a fault it ends.
pub struct DequeItems<'o> {
    objects: &'o Objects,
    block: Addr,
    /// The index in the block of the next item.
    index: u64,
    left: u64,
}

impl Objects {
    /// How many items the deque at `addr` has; its type is the caller's to know.
    pub fn deque_len(&self, addr: Addr) -> Result<u64, Fault> {
        let f = &self.layout.fields.deque;
        let length = match f.length {
            Some(length) => self.memory.u64(length.of(addr))?,
            None => self
                .memory
                .u64(self.layout.fields.object.ob_size.of(addr))?,
        };
        // `rightindex` follows `leftindex` in every version, and says the length modulo the size
        // of a block.
        let first = self.memory.u64(f.left_index.of(addr))?;
        let last = self.memory.u64(f.left_index.of(addr).add(8))?;
        let block = self.deque_block_items();
        let indices = length
            .wrapping_add(first)
            .wrapping_sub(last.wrapping_add(1));
        let sound = first < block && last < block && indices.is_multiple_of(block);
        match sound && length <= MOST_ITEMS {
            true => Ok(length),
            false => Err(malformed(addr)),
        }
    }

    /// Walks the items of the deque at `addr`; its type is the caller's to know.
    pub fn deque_iter(&self, addr: Addr) -> Result<DequeItems<'_>, Fault> {
        let f = &self.layout.fields.deque;
        Ok(DequeItems {
            objects: self,
            block: self.memory.ptr(f.left_block.of(addr))?,
            index: self.memory.u64(f.left_index.of(addr))?,
            left: self.deque_len(addr)?,
        })
    }

    /// The items of the deque at `addr`, at most `most` of them.
    pub fn deque_items(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        if !self.is_builtin(addr, &["collections.deque"])? {
            return Err(malformed(addr));
        }
        self.deque_iter(addr)?.take(most).collect()
    }

    /// The `maxlen` of the deque at `addr`.
    pub fn deque_maxlen(&self, addr: Addr) -> Result<Option<u64>, Fault> {
        let maxlen = self.memory.i64(self.layout.fields.deque.maxlen.of(addr))?;
        Ok(u64::try_from(maxlen).ok())
    }

    fn deque_block_items(&self) -> u64 {
        // The links of 2.7 stand in another order, yet behind the items too.
        let f = &self.layout.fields.deque_block;
        u64::from(f.right.offset.saturating_sub(f.data.offset) / 8).max(1)
    }
}

impl Iterator for DequeItems<'_> {
    type Item = Result<Addr, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let item = self.step();
        self.left = if item.is_ok() { self.left - 1 } else { 0 };
        Some(item)
    }
}

impl DequeItems<'_> {
    fn step(&mut self) -> Result<Addr, Fault> {
        let (memory, f) = (
            &self.objects.memory,
            &self.objects.layout.fields.deque_block,
        );
        if self.index >= self.objects.deque_block_items() {
            self.block = memory.ptr(f.right.of(self.block))?;
            self.index = 0;
        }
        let item = memory.ptr(f.data.of(self.block).add(self.index * 8))?;
        self.index += 1;
        Ok(item)
    }
}
