//! Ranges of addresses or offsets.

use std::ops::Range;

/// Ranges by where they begin, those joined that overlap or touch.
pub fn joined<T: Copy + Ord>(mut ranges: Vec<Range<T>>) -> Vec<Range<T>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<T>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_overlap_are_joined() {
        let ranges = vec![5..6, 1..4, 2..3, 4..5, 8..9];
        assert_eq!(joined(ranges), [1..6, 8..9]);
        assert!(joined::<u64>(Vec::new()).is_empty());
    }
}
