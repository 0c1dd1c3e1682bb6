//! pymalloc's pools (Objects/obmalloc.c, `struct pool_header`; the same in every version but for
//! the size of a pool). A pool is aligned to its size and begins with its header; behind it lie
//! blocks of one size. What looks like a pool is believed when its header, its list of free blocks
//! and its count of used ones agree with each other.

use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;
use serde::Serialize;

/// Fields of `struct pool_header`.
mod header {
    /// How many blocks are in use.
    pub(super) const COUNT: usize = 0;
    /// The first free block.
    pub(super) const FREE: usize = 8;
    /// The class of sizes: blocks have (class + 1) · 16 bytes, before 3.7 or so · 8.
    pub(super) const CLASS: usize = 36;
    /// Where the first block is that was never used.
    pub(super) const NEXT: usize = 40;
    /// The last place where a block may begin.
    pub(super) const LAST: usize = 44;
    /// Bytes.
    pub(super) const SIZE: usize = 48;
}

/// The largest block, in bytes.
const LARGEST: u32 = 512;

/// The block of a pool that an address is in.
#[derive(Clone, Debug, Serialize)]
pub struct Pooled {
    /// Where the pool begins.
    pub pool: Addr,
    /// Its size in bytes.
    pub pool_size: u32,
    /// The size of its blocks in bytes.
    pub block_size: u32,
    /// How many of its blocks are in use.
    pub used: u32,
    /// Where the block begins; `None` for an address in the header or behind the last block.
    pub block: Option<Addr>,
    /// What the address is in.
    pub state: BlockState,
}

/// What part of a pool an address is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// A block in use.
    Used,
    /// A block that was freed.
    Free,
    /// A block that was never used.
    Unused,
    /// The pool's header.
    Header,
    /// The rest behind the last block.
    Rest,
}

impl Pooled {
    /// In words.
    pub(super) fn words(&self) -> String {
        let pool = format!("the pymalloc pool at {}", self.pool);
        let size = self.block_size;
        match (self.state, self.block) {
            (BlockState::Header, _) => {
                format!("in the header of {pool}, whose blocks have {size} bytes")
            }
            (BlockState::Used, Some(block)) => {
                format!("in a block of {size} bytes at {block}, in use, of {pool}")
            }
            (BlockState::Free, Some(block)) => {
                format!("in a free block of {size} bytes at {block}, of {pool}")
            }
            (BlockState::Unused, Some(block)) => {
                format!("in a block of {size} bytes at {block}, never used, of {pool}")
            }
            _ => format!("in the rest behind the blocks of {pool}"),
        }
    }
}

/// The pool and block that `address` is in; `None` when it is in no pool.
pub(super) fn find(memory: &dyn Memory, pool_size: u32, address: Addr) -> Option<Pooled> {
    let pool = Addr(address.0 & !(u64::from(pool_size).checked_sub(1)?));
    let raw = memory.bytes(pool, pool_size as usize).ok()?;
    let word = |at| bytes::u32_at(&raw, at);
    let (used, class) = (word(header::COUNT)?, word(header::CLASS)?);
    let (next, last) = (word(header::NEXT)?, word(header::LAST)?);
    let block_size = pool_size.checked_sub(last)?;
    let sizes = [8, 16].map(|unit| class.checked_add(1).and_then(|n| n.checked_mul(unit)));
    if !sizes.contains(&Some(block_size)) || !(8..=LARGEST).contains(&block_size) {
        return None;
    }
    let first = header::SIZE as u32;
    let carved = next.checked_sub(first)?;
    if carved % block_size != 0 || next > pool_size || used == 0 {
        return None;
    }
    let free = free_blocks(&raw, pool, block_size, next)?;
    if used.checked_add(u32::try_from(free.len()).ok()?)? != carved / block_size {
        return None;
    }
    let offset = u32::try_from(address.since(pool)?).ok()?;
    let (block, state) = match offset.checked_sub(first) {
        None => (None, BlockState::Header),
        Some(into) => {
            let at = first + into / block_size * block_size;
            match at {
                _ if at > last => (None, BlockState::Rest),
                _ if at >= next => (Some(at), BlockState::Unused),
                _ if free.contains(&at) => (Some(at), BlockState::Free),
                _ => (Some(at), BlockState::Used),
            }
        }
    };
    Some(Pooled {
        pool,
        pool_size,
        block_size,
        used,
        block: block.map(|at| pool.add(u64::from(at))),
        state,
    })
}

/// The offsets of the free blocks; `None` when the list leaves the pool or has no end.
fn free_blocks(raw: &[u8], pool: Addr, block_size: u32, next: u32) -> Option<Vec<u32>> {
    let mut free = Vec::new();
    let mut at = bytes::u64_at(raw, header::FREE)?;
    while at != 0 {
        let offset = u32::try_from(Addr(at).since(pool)?).ok()?;
        let into = offset.checked_sub(header::SIZE as u32)?;
        let fits = into % block_size == 0 && offset < next;
        if !fits || free.len() > raw.len() / 8 {
            return None;
        }
        free.push(offset);
        at = bytes::u64_at(raw, offset as usize)?;
    }
    Some(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    const POOL: u64 = 0x7f00_0000_4000;

    /// A pool of 4 KiB with blocks of 64 bytes, of which five were carved and one is free.
    fn pool(count: u32, free: u64) -> Synth {
        let mut raw = vec![0; 4096];
        let mut put = |at: usize, bytes: &[u8]| raw[at..at + bytes.len()].copy_from_slice(bytes);
        put(header::COUNT, &count.to_le_bytes());
        put(header::FREE, &free.to_le_bytes());
        put(header::CLASS, &3u32.to_le_bytes());
        put(header::NEXT, &(48 + 5 * 64u32).to_le_bytes());
        put(header::LAST, &(4096 - 64u32).to_le_bytes());
        let mut memory = Synth::default();
        memory.add(POOL, raw);
        memory
    }

    #[test]
    fn each_part_of_a_pool_is_told() {
        let memory = pool(4, POOL + 48 + 64);
        let state = |at: u64| find(&memory, 4096, Addr(POOL + at)).unwrap().state;
        assert_eq!(state(10), BlockState::Header);
        assert_eq!(state(48 + 3), BlockState::Used);
        assert_eq!(state(48 + 64 + 63), BlockState::Free);
        assert_eq!(state(48 + 5 * 64), BlockState::Unused);
        assert_eq!(state(4095), BlockState::Rest);
        let block = find(&memory, 4096, Addr(POOL + 48 + 130)).unwrap().block;
        assert_eq!(block, Some(Addr(POOL + 48 + 128)));
    }

    #[test]
    fn what_does_not_add_up_is_no_pool() {
        let at = Addr(POOL + 100);
        for (count, free) in [
            (5, POOL + 112),
            (4, 0),
            (4, POOL + 113),
            (4, 0x1000),
            (0, 0),
        ] {
            assert!(
                find(&pool(count, free), 4096, at).is_none(),
                "{count} {free:#x}"
            );
        }
        assert!(find(&pool(4, POOL + 112), 16384, at).is_none());
    }
}
