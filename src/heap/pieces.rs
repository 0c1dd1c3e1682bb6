//! The target's memory in pieces that are found fast, each with the bytes themselves where the
//! backing store can lend them. Objects are looked at by the million, in no order.

use crate::addr::Addr;
use crate::bytes;
use crate::target::{Mapping, Memory};
use std::borrow::Cow;

/// Binary logarithm of what one entry of the inner table stands for.
const INNER_BITS: u32 = 21;

/// Binary logarithm of what one inner table stands for.
const OUTER_BITS: u32 = 34;

/// Entries of an inner table.
const INNER: usize = 1 << (OUTER_BITS - INNER_BITS);

/// Entries of the outer table: a process has at most 2^47 bytes of memory.
const OUTER: usize = 1 << (47 - OUTER_BITS);

/// Objects begin at multiples of this, in bytes.
pub(crate) const ALIGNMENT: u64 = 8;

/// Reads words of the target.
pub trait Words: Sync {
    /// The 64-bit word at an address; `None` where it cannot be read.
    fn u64(&self, addr: Addr) -> Option<u64>;
}

/// One run of readable memory.
struct Piece<'m> {
    start: u64,
    end: u64,
    /// How many places for objects all pieces before it have.
    places: u64,
    /// The bytes, if they can be lent as a whole.
    bytes: Option<&'m [u8]>,
}

/// All readable memory.
pub struct Pieces<'m> {
    memory: &'m dyn Memory,
    /// By address, apart.
    all: Vec<Piece<'m>>,
    /// For each outer entry that has any memory, a table of the first piece that does not end
    /// before what the inner entry stands for.
    inner: Vec<Option<Box<[u32; INNER]>>>,
    places: u64,
}

impl<'m> Pieces<'m> {
    /// The memory of these mappings, in which objects may lie.
    pub fn new(memory: &'m dyn Memory, mappings: &[Mapping]) -> Pieces<'m> {
        let mut all: Vec<Piece<'m>> = Vec::new();
        let mut places = 0;
        let readable = mappings.iter().filter(|mapping| mapping.read);
        for mapping in readable.filter(|mapping| mapping.end.0 >> OUTER_BITS < OUTER as u64) {
            let mut at = mapping.start.0;
            let mut add = |start: u64, end: u64, bytes| {
                let after = all.last().is_none_or(|last| last.end <= start);
                if start < end && after {
                    all.push(Piece {
                        start,
                        end,
                        places,
                        bytes,
                    });
                    places += (end - start).div_ceil(ALIGNMENT);
                }
            };
            for (start, end) in memory.runs(mapping.start, mapping.end) {
                let bytes = memory.borrow(start, (end.0 - start.0) as usize);
                add(at, start.0, None);
                add(start.0, end.0, bytes);
                at = end.0;
            }
            add(at, mapping.end.0, None);
        }
        let mut inner: Vec<Option<Box<[u32; INNER]>>> = (0..OUTER).map(|_| None).collect();
        for (index, piece) in all.iter().enumerate() {
            for granule in piece.start >> INNER_BITS..=(piece.end - 1) >> INNER_BITS {
                let outer = (granule >> (OUTER_BITS - INNER_BITS)) as usize;
                let Some(table) = inner.get_mut(outer) else {
                    continue;
                };
                let table = table.get_or_insert_with(|| Box::new([u32::MAX; INNER]));
                if let Some(entry) = table.get_mut(granule as usize % INNER) {
                    *entry = (*entry).min(index as u32);
                }
            }
        }
        Pieces {
            memory,
            all,
            inner,
            places,
        }
    }

    /// The piece that holds an address.
    #[inline]
    fn find(&self, addr: u64) -> Option<&Piece<'m>> {
        let granule = addr >> INNER_BITS;
        let table = self.inner.get((addr >> OUTER_BITS) as usize)?.as_ref()?;
        let mut index = *table.get(granule as usize % INNER)? as usize;
        loop {
            let piece = self.all.get(index)?;
            if addr < piece.end {
                return (piece.start <= addr).then_some(piece);
            }
            index += 1;
        }
    }

    /// Whether there is memory from an address on for so many bytes.
    pub(crate) fn reaches(&self, addr: Addr, len: u64) -> bool {
        let Some(end) = addr.0.checked_add(len) else {
            return false;
        };
        let mut at = addr.0;
        while at < end {
            match self.find(at) {
                Some(piece) => at = piece.end,
                None => return false,
            }
        }
        true
    }

    /// How many places for objects there are.
    pub(super) fn places(&self) -> u64 {
        self.places
    }

    /// The number of the place at an address, if an object may begin there.
    #[inline]
    pub(crate) fn place(&self, addr: Addr) -> Option<u64> {
        if !addr.0.is_multiple_of(ALIGNMENT) {
            return None;
        }
        let piece = self.find(addr.0)?;
        Some(piece.places + (addr.0 - piece.start) / ALIGNMENT)
    }

    /// The runs of places, as the address of the first, its number, and how many.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Addr, u64, u64)> {
        let piece = |piece: &Piece<'_>| {
            let count = (piece.end - piece.start).div_ceil(ALIGNMENT);
            (Addr(piece.start), piece.places, count)
        };
        self.all.iter().map(piece)
    }

    /// `len` bytes at an address.
    #[inline]
    pub fn bytes(&self, addr: Addr, len: usize) -> Option<Cow<'m, [u8]>> {
        let lent = self.find(addr.0).and_then(|piece| {
            let at = (addr.0 - piece.start) as usize;
            piece.bytes?.get(at..at.checked_add(len)?)
        });
        match lent {
            Some(bytes) => Some(Cow::Borrowed(bytes)),
            None => self.memory.bytes(addr, len).ok(),
        }
    }

    /// The byte at an address.
    #[inline]
    pub fn u8(&self, addr: Addr) -> Option<u8> {
        self.bytes(addr, 1)?.first().copied()
    }

    /// The 32-bit word at an address.
    #[inline]
    pub fn u32(&self, addr: Addr) -> Option<u32> {
        bytes::array_at(&self.bytes(addr, 4)?, 0).map(u32::from_le_bytes)
    }
}

impl Words for Pieces<'_> {
    #[inline]
    fn u64(&self, addr: Addr) -> Option<u64> {
        let lent = self
            .find(addr.0)
            .and_then(|piece| bytes::u64_at(piece.bytes?, (addr.0 - piece.start) as usize));
        lent.or_else(|| self.memory.u64(addr).ok())
    }
}
