//! Arrays of equal rows in the process (the entries of a table, the items of a list), read in
//! pieces: a size that is damaged costs no memory, and what lies before an unmapped page is seen.

use super::{Objects, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Fault, Why};

/// Rows read at once.
const PIECE: u64 = 1024;

/// The largest size that any container is believed to have.
const MOST_ROWS: u64 = 1 << 40;

/// How an array lies in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Array {
    /// The first row.
    pub(super) at: Addr,
    /// How many rows.
    pub(super) count: u64,
    /// Bytes from one row to the next.
    pub(super) stride: u64,
    /// Where in a row the two words are that are wanted.
    pub(super) offset: u64,
}

/// Walks an array: the wanted word of each row and the word behind it. After a fault it ends.
pub(super) struct Rows<'o> {
    objects: &'o Objects,
    array: Array,
    piece: std::vec::IntoIter<(Addr, Addr)>,
}

impl Objects {
    /// Walks an array.
    pub(super) fn rows(&self, array: Array) -> Rows<'_> {
        let piece = Vec::new().into_iter();
        Rows {
            objects: self,
            array,
            piece,
        }
    }

    /// An error when so many bytes cannot be there: the size is damaged. What a core merely left
    /// out is no such error.
    pub(super) fn plausible(&self, at: Addr, count: u64, stride: u64) -> Result<(), Fault> {
        if count == 0 {
            return Ok(());
        }
        if count > MOST_ROWS {
            return Err(malformed(at));
        }
        let last = at.add(count.wrapping_mul(stride).wrapping_sub(1));
        match self.memory.u8(last) {
            Err(fault) if fault.why == Why::Unmapped => Err(malformed(at)),
            _ => Ok(()),
        }
    }
}

impl Rows<'_> {
    fn fill(&mut self) -> Result<(), Fault> {
        let Array { at, stride, .. } = self.array;
        let stride = stride.max(1);
        let mut count = self.array.count.min(PIECE);
        let read = |count: u64| {
            let size = count.saturating_mul(stride) as usize;
            self.objects.memory.bytes(at, size)
        };
        let raw = match read(count) {
            Ok(raw) => raw,
            Err(fault) => {
                let before = fault.addr.since(at).unwrap_or(0) / stride;
                if before == 0 || before >= count {
                    return Err(fault);
                }
                count = before;
                read(count)?
            }
        };
        let row = |index: u64| {
            let base = (index * stride + self.array.offset) as usize;
            let first = bytes::u64_at(&raw, base)?;
            let second = bytes::u64_at(&raw, base.saturating_add(8)).unwrap_or(0);
            Some((Addr(first), Addr(second)))
        };
        let piece: Vec<_> = (0..count).filter_map(row).collect();
        self.piece = piece.into_iter();
        self.array.at = at.add(count * stride);
        self.array.count -= count;
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(Addr, Addr), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.piece.next() {
                return Some(Ok(row));
            }
            if self.array.count == 0 {
                return None;
            }
            if let Err(fault) = self.fill() {
                self.array.count = 0;
                return Some(Err(fault));
            }
        }
    }
}
