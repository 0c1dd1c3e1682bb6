//! One pool of pymalloc (Objects/obmalloc.c, `struct pool_header`; the same in every version but
//! for the size of a pool). A pool is aligned to its size and begins with its header; behind it lie
//! blocks of one size. A pool is believed when its header, its list of free blocks and its count of
//! used ones agree with each other.

use crate::addr::Addr;
use crate::bytes;

/// Fields of `struct pool_header`.
pub(crate) mod header {
    /// How many blocks are in use.
    pub(crate) const COUNT: usize = 0;
    /// The first free block.
    pub(crate) const FREE: usize = 8;
    /// The class of sizes: blocks have (class + 1) · 16 bytes, before 3.7 or so · 8.
    pub(crate) const CLASS: usize = 36;
    /// Where the first block is that was never used.
    pub(crate) const NEXT: usize = 40;
    /// The last place where a block may begin.
    pub(crate) const LAST: usize = 44;
    /// Bytes.
    pub(crate) const SIZE: u32 = 48;
}

/// The largest block, in bytes.
pub(crate) const LARGEST: u32 = 512;

/// The most blocks that a pool may have: 16 KiB in blocks of 8 bytes.
const MOST_BLOCKS: usize = 2048;

/// Why a pool cannot be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Its bytes cannot be read.
    Unreadable,
    /// Its header makes no sense.
    Header,
    /// Its list of free blocks leaves the blocks that were used once, or has no end.
    List,
    /// Blocks in use and free blocks are not as many as those that were used once.
    Count,
}

impl Damage {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Damage::Unreadable => "it cannot be read",
            Damage::Header => "its header makes no sense",
            Damage::List => "its list of free blocks is broken",
            Damage::Count => "its count of used blocks does not fit its list of free ones",
        }
    }
}

/// One bit for each block of a pool, set for free ones.
pub struct FreeBlocks([u64; MOST_BLOCKS / 64]);

impl Default for FreeBlocks {
    fn default() -> FreeBlocks {
        FreeBlocks([0; MOST_BLOCKS / 64])
    }
}

impl FreeBlocks {
    /// Whether a block is free.
    #[inline]
    pub fn contains(&self, index: u32) -> bool {
        let word = self.0.get(index as usize / 64).copied().unwrap_or(0);
        word >> (index % 64) & 1 == 1
    }

    /// Whether there is room for it and it was not there before.
    #[inline]
    fn insert(&mut self, index: u32) -> bool {
        let bit = 1 << (index % 64);
        match self.0.get_mut(index as usize / 64) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    fn clear(&mut self, blocks: u32) {
        let words = (blocks as usize).div_ceil(64);
        self.0.iter_mut().take(words).for_each(|word| *word = 0);
    }
}

/// A pool that has blocks in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// The size of its blocks in bytes.
    pub block_size: u32,
    /// Its class of sizes.
    pub class: u32,
    /// How many of its blocks are in use.
    pub used: u32,
    /// How many of its blocks were ever used.
    pub carved: u32,
    /// How many blocks it has room for.
    pub room: u32,
}

impl Pool {
    /// Bytes in front of the first block.
    pub const HEADER: u32 = header::SIZE;

    /// The pool at `at`, whose bytes are `raw`, with its free blocks marked in `free`; `None` if none
    /// of its blocks is in use, which says nothing of its header.
    #[inline]
    pub fn read(raw: &[u8], at: Addr, free: &mut FreeBlocks) -> Result<Option<Pool>, Damage> {
        let word = |at| bytes::u32_at(raw, at).ok_or(Damage::Unreadable);
        let used = word(header::COUNT)?;
        if used == 0 {
            return Ok(None);
        }
        let (class, next) = (word(header::CLASS)?, word(header::NEXT)?);
        let size = u32::try_from(raw.len()).map_err(|_| Damage::Header)?;
        let block_size = size.checked_sub(word(header::LAST)?);
        let block_size = block_size.ok_or(Damage::Header)?;
        let sizes = [8, 16].map(|unit| class.checked_add(1).and_then(|n| n.checked_mul(unit)));
        if !sizes.contains(&Some(block_size)) || !(8..=LARGEST).contains(&block_size) {
            return Err(Damage::Header);
        }
        let bytes = next.checked_sub(header::SIZE).ok_or(Damage::Header)?;
        if !bytes.is_multiple_of(block_size) || next > size {
            return Err(Damage::Header);
        }
        let carved = bytes / block_size;
        free.clear(carved);
        let count = mark(raw, at, block_size, carved, free).ok_or(Damage::List)?;
        if used.checked_add(count) != Some(carved) {
            return Err(Damage::Count);
        }
        Ok(Some(Pool {
            block_size,
            class,
            used,
            carved,
            room: (size - header::SIZE) / block_size,
        }))
    }
}

/// Marks the free blocks and counts them; `None` when the list leaves the blocks that were used or
/// has no end.
fn mark(raw: &[u8], at: Addr, size: u32, carved: u32, free: &mut FreeBlocks) -> Option<u32> {
    let mut count = 0;
    let mut next = bytes::u64_at(raw, header::FREE)?;
    while next != 0 {
        let offset = u32::try_from(Addr(next).since(at)?).ok()?;
        let into = offset.checked_sub(header::SIZE)?;
        let index = into / size;
        if !into.is_multiple_of(size) || index >= carved || !free.insert(index) {
            return None;
        }
        count += 1;
        next = bytes::u64_at(raw, offset as usize)?;
    }
    Some(count)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::target::synth_random::Random;

    /// The bytes of a pool at `at`: blocks of one size, of which the first `carved` were used and
    /// those in `free` were freed, in that order.
    pub(crate) fn pool(at: u64, pool: usize, size: u32, carved: u32, free: &[u32]) -> Vec<u8> {
        let mut raw = vec![0; pool];
        let mut put = |at: usize, bytes: &[u8]| raw[at..at + bytes.len()].copy_from_slice(bytes);
        let place = |index: u32| header::SIZE + index * size;
        put(header::COUNT, &(carved - free.len() as u32).to_le_bytes());
        put(header::CLASS, &(size / 16 - 1).to_le_bytes());
        put(header::NEXT, &place(carved).to_le_bytes());
        put(header::LAST, &(pool as u32 - size).to_le_bytes());
        let mut link = header::FREE;
        for index in free {
            put(link, &(at + u64::from(place(*index))).to_le_bytes());
            link = place(*index) as usize;
        }
        raw
    }

    const AT: u64 = 0x7f00_0000_4000;

    #[test]
    fn random_pools_are_read() {
        let mut random = Random::new(0x5eed_0011);
        for _ in 0..300 {
            let bytes = [4096, 16384][random.below(2)];
            let size = 16 * (1 + random.below(32) as u32);
            let room = (bytes as u32 - header::SIZE) / size;
            let carved = 1 + random.below(room as usize) as u32;
            let mut blocks: Vec<u32> = (0..carved).collect();
            for index in (1..blocks.len()).rev() {
                blocks.swap(index, random.below(index + 1));
            }
            let freed = &blocks[..random.below(carved as usize)];
            let raw = pool(AT, bytes, size, carved, freed);
            let mut free = FreeBlocks::default();
            let read = Pool::read(&raw, Addr(AT), &mut free).unwrap().unwrap();
            assert_eq!(
                (read.block_size, read.carved, read.room),
                (size, carved, room)
            );
            assert_eq!(read.used + freed.len() as u32, carved);
            for index in 0..room {
                assert_eq!(free.contains(index), freed.contains(&index));
            }
        }
    }

    /// Whatever the bytes are, reading ends, and what is believed adds up.
    #[test]
    fn damaged_pools_are_refused_or_whole() {
        let mut random = Random::new(0x5eed_0012);
        for _ in 0..2000 {
            let mut raw = pool(AT, 4096, 64, 40, &[3, 17, 5, 39]);
            for _ in 0..=random.below(6) {
                let at = [0, 8, 36, 40, 44, 48 + 3 * 64, random.below(4096)][random.below(7)];
                raw[at + random.below(4).min(4095 - at)] = random.number() as u8;
            }
            let mut free = FreeBlocks::default();
            if let Ok(Some(read)) = Pool::read(&raw, Addr(AT), &mut free) {
                let marked = (0..read.carved)
                    .filter(|index| free.contains(*index))
                    .count();
                assert_eq!(read.used + marked as u32, read.carved);
                assert!(read.carved <= read.room);
            }
        }
    }

    #[test]
    fn each_damage_has_its_name() {
        let read = |raw: &[u8]| Pool::read(raw, Addr(AT), &mut FreeBlocks::default());
        let whole = pool(AT, 4096, 64, 5, &[1, 3]);
        assert!(read(&whole).is_ok_and(|pool| pool.is_some()));
        let with = |at: usize, bytes: &[u8]| {
            let mut raw = whole.clone();
            raw[at..at + bytes.len()].copy_from_slice(bytes);
            read(&raw)
        };
        assert_eq!(with(header::COUNT, &[0]), Ok(None));
        assert_eq!(with(header::COUNT, &[4]), Err(Damage::Count));
        assert_eq!(with(header::CLASS, &[9]), Err(Damage::Header));
        assert_eq!(with(header::NEXT, &[1]), Err(Damage::Header));
        assert_eq!(with(header::FREE, &[1]), Err(Damage::List));
        // The third block's link leads back to the first of the list.
        let first = (AT + 48 + 64).to_le_bytes();
        assert_eq!(with(48 + 3 * 64, &first), Err(Damage::List));
        assert_eq!(read(&whole[..20]), Err(Damage::Unreadable));
        assert_eq!(read(&whole[..2048]), Err(Damage::Header));
    }
}
