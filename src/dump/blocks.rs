//! The memory of a core in blocks, each of which is copied at once.

use super::copy::Shared;
use super::layout::Layout;
use super::plan::Via;
use super::stage::SLOT;

/// Bytes of a block.
pub(super) const BLOCK: usize = SLOT;
/// The most pieces of a block.
const MOST_PIECES: usize = 1024;

/// A run of bytes of the process, and where in the file it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) address: u64,
    pub(super) len: usize,
    pub(super) offset: u64,
    /// Where it is in the file that is mapped there, if it is read from that.
    pub(super) within: u64,
}

/// What is copied at once.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) from: Via,
    pub(super) pieces: Vec<Piece>,
}

impl Block {
    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }
}

/// The stored bytes of all segments in blocks.
pub(super) fn blocks(layout: &Layout, files: &[Shared]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut room = 0;
    for placed in &layout.segments {
        let segment = &placed.segment;
        let base = match segment.from {
            Via::File(index) => files.get(index).map_or(0, |shared| shared.base),
            Via::Memory | Via::Forbidden => 0,
        };
        for run in &segment.runs {
            let mut address = run.start;
            while address < run.end {
                let fits = blocks.last().is_some_and(|block| {
                    block.from == segment.from && block.pieces.len() < MOST_PIECES && room > 0
                });
                if !fits {
                    room = BLOCK;
                    blocks.push(Block {
                        from: segment.from,
                        pieces: Vec::new(),
                    });
                }
                let len = (run.end - address).min(room as u64) as usize;
                if let Some(block) = blocks.last_mut() {
                    block.pieces.push(Piece {
                        address,
                        len,
                        offset: placed.offset + (address - segment.range.start),
                        within: address.wrapping_sub(base),
                    });
                }
                room -= len;
                address += len as u64;
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::plan::Segment;

    #[test]
    fn blocks_hold_all_bytes_once() {
        let block = BLOCK as u64;
        let segment = |range: std::ops::Range<u64>, runs: &[(u64, u64)], from| {
            let runs = runs.iter().map(|&(start, end)| start..end).collect();
            (4, Segment::whole(range, runs, from))
        };
        let segments = vec![
            segment(
                0x1000..0x9000,
                &[(0x1000, 0x2000), (0x8000, 0x9000)],
                Via::Memory,
            ),
            segment(block..4 * block, &[(block, 3 * block)], Via::Memory),
            segment(
                8 * block..9 * block,
                &[(8 * block, 9 * block)],
                Via::Forbidden,
            ),
        ];
        let layout = Layout::new(segments, 100, 0);
        let blocks = blocks(&layout, &[]);
        let sizes: Vec<usize> = blocks.iter().map(Block::len).collect();
        assert_eq!(sizes, [BLOCK, BLOCK, 0x2000, BLOCK]);
        let pieces: Vec<_> = blocks.iter().flat_map(|block| &block.pieces).collect();
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces[1].offset, pieces[0].offset + 0x7000);
        assert_eq!(pieces[2].offset, pieces[1].offset + 0x1000);
        assert_eq!(blocks[3].from, Via::Forbidden);
    }
}
