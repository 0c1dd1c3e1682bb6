//! One entry of the table of arenas (`struct arena_object`, the same in every version).

use crate::addr::Addr;
use crate::bytes;

/// Fields of `struct arena_object`.
mod field {
    pub(super) const ADDRESS: usize = 0;
    /// The first pool that was never carved out.
    pub(super) const POOL_ADDRESS: usize = 8;
    /// Pools that are free, with those never carved out.
    pub(super) const FREE_POOLS: usize = 16;
    pub(super) const TOTAL_POOLS: usize = 20;
    pub(super) const FREE_LIST: usize = 24;
    pub(super) const NEXT: usize = 32;
}

/// Arenas are mapped, so they begin at a page.
const PAGE: u64 = 4096;

/// The smallest and the largest arena, in bytes: that of 2.7, and what huge pages make of one.
const SIZES: [u64; 2] = [256 << 10, 32 << 20];

/// An arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArenaObject {
    /// Its first byte.
    pub start: Addr,
    /// Its size in bytes.
    pub size: u64,
    /// Where its first pool begins: pools are aligned to their size, arenas to pages.
    pub first_pool: Addr,
    /// How many pools it has.
    pub pools: u32,
    /// How many of them were ever used.
    pub carved: u32,
    /// How many of all are free, as the entry tells it.
    pub free: u32,
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    Arena(ArenaObject),
    /// For an arena to come; the next one of that kind.
    Spare(Addr),
    Damaged,
}

/// Bytes of an entry.
pub(super) const SIZE: u64 = 48;

/// Reads an entry.
pub(super) fn entry(raw: &[u8], pool_size: u64) -> Entry {
    let word = |at| bytes::u64_at(raw, at);
    let half = |at| bytes::u32_at(raw, at);
    let read = || {
        let start = Addr(word(field::ADDRESS)?);
        if start.is_null() {
            return Some(Entry::Spare(Addr(word(field::NEXT)?)));
        }
        let (free, pools) = (half(field::FREE_POOLS)?, half(field::TOTAL_POOLS)?);
        let behind = Addr(word(field::POOL_ADDRESS)?);
        let list = Addr(word(field::FREE_LIST)?);
        let skewed = !start.0.is_multiple_of(pool_size);
        let size = (u64::from(pools) + u64::from(skewed)).checked_mul(pool_size)?;
        let end = start.0.checked_add(size)?;
        let first_pool = Addr(start.0.checked_next_multiple_of(pool_size)?);
        let carved = behind.since(first_pool)? / pool_size;
        let whole = start.0.is_multiple_of(PAGE)
            && size.is_power_of_two()
            && (SIZES[0]..=SIZES[1]).contains(&size)
            && free <= pools
            && behind.0.is_multiple_of(pool_size)
            && carved <= u64::from(pools)
            && (list.is_null() || (first_pool.0..end).contains(&list.0));
        whole.then_some(Entry::Arena(ArenaObject {
            start,
            size,
            first_pool,
            pools,
            carved: u32::try_from(carved).ok()?,
            free,
        }))
    };
    read().unwrap_or(Entry::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(address: u64, behind: u64, free: u32, total: u32) -> Vec<u8> {
        let mut raw = Vec::new();
        raw.extend(address.to_le_bytes());
        raw.extend(behind.to_le_bytes());
        raw.extend(free.to_le_bytes());
        raw.extend(total.to_le_bytes());
        raw.extend([0; 24]);
        raw
    }

    #[test]
    fn entries_are_told_apart() {
        const AT: u64 = 0x7f00_0010_1000;
        let read = |address, behind, free, total| entry(&raw(address, behind, free, total), 16384);
        // An arena that is not aligned to pools has one less.
        let Entry::Arena(arena) = read(AT, 0x7f00_0010_c000, 61, 63) else {
            panic!("no arena");
        };
        assert_eq!(
            (arena.size, arena.first_pool),
            (1 << 20, Addr(0x7f00_0010_4000))
        );
        assert_eq!((arena.pools, arena.carved), (63, 2));
        assert_eq!(read(0, 1, 2, 3), Entry::Spare(Addr::NULL));
        assert_eq!(read(AT, 0x7f00_0010_c000, 61, 64), Entry::Damaged);
        assert_eq!(read(AT, 0x7f00_0010_c008, 61, 63), Entry::Damaged);
        assert_eq!(read(AT, 0x7f00_0010_0000, 61, 63), Entry::Damaged);
        assert_eq!(read(AT, 0x7f00_0020_c000, 61, 63), Entry::Damaged);
        assert_eq!(read(AT, 0x7f00_0010_c000, 64, 63), Entry::Damaged);
        assert_eq!(read(AT + 8, 0x7f00_0010_c000, 61, 63), Entry::Damaged);
        assert_eq!(entry(&raw(AT, 0, 0, u32::MAX)[..40], 16384), Entry::Damaged);
    }
}
