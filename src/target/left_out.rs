//! pydbg's note of what its core lacks on purpose: memory that no analysis of Python needs. The program
//! headers say that the file does not have it; that is also what they say of memory that was never
//! written, so the note tells the two apart.

use super::segments::{Piece, Source};
use crate::bytes;
use crate::diag::{Notes, human};
use std::ops::Range;

/// The type of the note, whose owner is pydbg: "pylo".
pub const TYPE: u32 = 0x7079_6c6f;

/// Bytes of a range: its start and its end.
const ENTRY: usize = 16;

/// The most ranges.
pub const MOST: usize = 8192;

/// The content of the note.
pub fn content(ranges: &[Range<u64>]) -> Vec<u8> {
    let words = ranges.iter().flat_map(|range| [range.start, range.end]);
    words.flat_map(u64::to_le_bytes).collect()
}

/// The ranges of a note.
pub(super) fn parse(content: &[u8]) -> Vec<Range<u64>> {
    let entries = content.chunks_exact(ENTRY).take(MOST);
    let ranges = entries.filter_map(|entry| {
        let range = bytes::u64_at(entry, 0)?..bytes::u64_at(entry, 8)?;
        (range.start < range.end).then_some(range)
    });
    let mut ranges: Vec<Range<u64>> = ranges.collect();
    ranges.sort_unstable_by_key(|range| range.start);
    ranges
}

/// Has what was left out be absent, and no zeros.
pub(super) fn apply(ranges: &[Range<u64>], pieces: &mut [Piece], notes: &Notes) {
    let mut bytes: u64 = 0;
    // Shared memory without a name is that of a file, for the kernel.
    let elsewhere = |piece: &&mut Piece| matches!(piece.source, Source::Zeros | Source::File(..));
    for piece in pieces.iter_mut().filter(elsewhere) {
        let at = ranges.partition_point(|range| range.end <= piece.start);
        let holds = |range: &Range<u64>| range.start <= piece.start && piece.end <= range.end;
        if ranges.get(at).is_some_and(holds) {
            piece.source = Source::Absent;
            bytes = bytes.saturating_add(piece.end - piece.start);
        }
    }
    if bytes > 0 {
        notes.info(format!(
            "{} of data that no analysis of Python needs are not in the core (--filter python)",
            human(bytes)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "damaged notes have such ranges"
    )]
    fn what_was_left_out_is_absent() {
        let raw = content(&[0x9000..0xa000, 0x1000..0x2000, 5..3]);
        let ranges = parse(&raw[..40]);
        assert_eq!(ranges, [0x1000..0x2000, 0x9000..0xa000]);
        let piece = |start, source| Piece {
            start,
            end: start + 0x1000,
            source,
        };
        let mut pieces = [
            piece(0x1000, Source::Zeros),
            piece(0x2000, Source::Zeros),
            piece(0x9000, Source::Core(7)),
        ];
        let notes = Notes::default();
        apply(&ranges, &mut pieces, &notes);
        let sources: Vec<Source> = pieces.iter().map(|piece| piece.source).collect();
        assert_eq!(sources, [Source::Absent, Source::Zeros, Source::Core(7)]);
        assert!(notes.all()[0].text.starts_with("4.1 kB"));
    }
}
