//! What the allocators really set aside: pymalloc says in the header of a pool how large its blocks
//! are (Objects/obmalloc.c), glibc in front of a chunk how large that is; mimalloc rounds up to one of
//! its sizes (`mi_bin`).

use super::Parts;
use crate::addr::Addr;
use crate::heap::pieces::{Pieces, Words};
use crate::python::Python;

/// The largest block of pymalloc.
const LARGEST_POOLED: u64 = 512;

/// Sizes of blocks and chunks are multiples of this.
const UNIT: u64 = 16;

/// What chunks that were not split may have more than was asked for.
const SLACK: u64 = 4096;

/// Tells how much was set aside for a block.
pub struct Reserved<'p, 'm> {
    pieces: &'p Pieces<'m>,
    pool_size: Option<u64>,
    /// Data of programs and libraries by address, in which no allocator has blocks.
    constants: Vec<(u64, u64)>,
}

impl<'p, 'm> Reserved<'p, 'm> {
    /// Of this process.
    pub fn new(python: &Python, pieces: &'p Pieces<'m>) -> Reserved<'p, 'm> {
        let process = &python.process;
        let mappings = process.target.mappings.iter();
        let constants = mappings.filter(|mapping| process.images.at(mapping.start).is_some());
        Reserved {
            pieces,
            pool_size: python.layout.kinds.pool_size.map(u64::from),
            constants: constants.map(|m| (m.start.0, m.end.0)).collect(),
        }
    }

    /// The bytes that are set aside for the block at `start`, of which `len` were asked for; 0 for a
    /// constant of a program or library.
    pub fn of(&self, start: Addr, len: Option<u64>) -> u64 {
        let pool_size = match self.pool_size {
            Some(pool_size) => pool_size,
            None if self.is_constant(start) => return 0,
            None => return len.map_or(0, size_class),
        };
        if len.is_none_or(|len| len <= LARGEST_POOLED)
            && let Some(size) = self.pooled(start, pool_size)
            && len.is_none_or(|len| len <= size)
        {
            return size;
        }
        if self.is_constant(start) {
            return 0;
        }
        // The word in front of the block is the chunk's size and three flags; it counts, too.
        let chunk = self.pieces.u64(start.sub(8)).map_or(0, |head| head & !7);
        let least = len.unwrap_or(0).saturating_add(8);
        let most = least.saturating_add(SLACK.max(least / 8));
        match chunk.is_multiple_of(UNIT) && (least..=most).contains(&chunk) {
            true => chunk,
            false => len.unwrap_or(0).next_multiple_of(UNIT),
        }
    }

    /// The size of the block of pymalloc that begins at an address.
    fn pooled(&self, start: Addr, pool_size: u64) -> Option<u64> {
        const HEADER: u64 = 48;
        const CLASS: u64 = 36;
        const LAST: u64 = 44;
        let pool = Addr(start.0 & !pool_size.checked_sub(1)?);
        let class = u64::from(self.pieces.u32(pool.add(CLASS))?).checked_add(1)?;
        let size = pool_size.checked_sub(self.pieces.u32(pool.add(LAST))?.into())?;
        let fits = size == class * UNIT || size == class * (UNIT / 2);
        let into = start.since(pool.add(HEADER))?;
        let begins = fits && (UNIT / 2..=LARGEST_POOLED).contains(&size);
        (begins && into.is_multiple_of(size)).then_some(size)
    }

    fn is_constant(&self, at: Addr) -> bool {
        let next = self.constants.partition_point(|(start, _)| *start <= at.0);
        let last = next
            .checked_sub(1)
            .and_then(|last| self.constants.get(last));
        last.is_some_and(|(_, end)| at.0 < *end)
    }
}

/// The size of mimalloc's blocks for so many bytes: of small ones two words more or less, of others
/// an eighth.
fn size_class(len: u64) -> u64 {
    const WORD: u64 = 8;
    const SMALL: u64 = 8;
    let words = len.div_ceil(WORD).max(1);
    match words {
        1 => WORD,
        2..=SMALL => words.next_multiple_of(2) * WORD,
        _ => {
            let step = ((words - 1).ilog2()).saturating_sub(2);
            words.next_multiple_of(1 << step).saturating_mul(WORD)
        }
    }
}

/// Bytes that belong to objects.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Blocks {
    /// What allocators have set aside for the objects and their tables.
    pub blocks: u64,
    /// The data of their buffers, and mappings of their own.
    pub buffers: u64,
}

impl Blocks {
    /// Adds others.
    pub fn add(&mut self, other: Blocks) {
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.buffers = self.buffers.saturating_add(other.buffers);
    }
}

impl Parts<'_, '_> {
    /// What belongs to the object at `addr`; what is damaged is left out.
    pub fn blocks(
        &self,
        addr: Addr,
        kind: &crate::heap::types::Kind,
        reserved: &Reserved<'_, '_>,
    ) -> Blocks {
        let own = self.own_len(addr, kind);
        let mut all = Blocks {
            blocks: reserved.of(self.block_of(addr, kind), own),
            buffers: 0,
        };
        // What was told until then is there.
        let _ = self.each(addr, kind, &mut |part| match part.kind {
            super::PartKind::Table => {
                let bytes = reserved.of(part.start, part.len);
                all.blocks = all.blocks.saturating_add(bytes);
            }
            _ => all.buffers = all.buffers.saturating_add(part.len.unwrap_or(0)),
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn sizes_are_those_of_mimalloc() {
        let sizes = [1, 8, 9, 24, 64, 65, 80, 81, 100, 129, 1000].map(size_class);
        assert_eq!(sizes, [8, 8, 16, 32, 64, 80, 80, 96, 112, 160, 1024]);
    }
}
