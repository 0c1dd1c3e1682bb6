//! Where in its file a core has which memory.

use std::ops::Range;

/// Memory that a core holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dumped {
    /// Its addresses.
    pub range: Range<u64>,
    /// Where it lies in the file.
    pub offset: u64,
}

/// What a core holds of a range; `all` is by address and apart.
pub fn within(all: &[Dumped], range: Range<u64>) -> impl Iterator<Item = Dumped> {
    let first = all.partition_point(|piece| piece.range.end <= range.start);
    let rest = all.get(first..).unwrap_or_default().iter();
    let end = range.end;
    let inside = rest.take_while(move |piece| piece.range.start < end);
    inside.map(move |piece| {
        let start = piece.range.start.max(range.start);
        Dumped {
            range: start..piece.range.end.min(range.end),
            offset: piece.offset.saturating_add(start - piece.range.start),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_at_the_ends_of_a_range() {
        let piece = |start, end, offset| Dumped {
            range: start..end,
            offset,
        };
        let all = [piece(0, 10, 100), piece(20, 30, 200), piece(30, 40, 300)];
        let found: Vec<Dumped> = within(&all, 5..33).collect();
        assert_eq!(
            found,
            [piece(5, 10, 105), piece(20, 30, 200), piece(30, 33, 300)]
        );
        assert_eq!(within(&all, 10..20).count(), 0);
    }
}
