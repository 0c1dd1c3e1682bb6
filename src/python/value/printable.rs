//! Which characters `str.isprintable` accepts, and `repr` hence leaves as they are. Each Python
//! version has its own Unicode database; `printable.txt` says since which 3.x a character is in.

use std::sync::OnceLock;

/// Ranges of code points by the minor version, as `fixtures/tables/printable.py` writes them.
const TABLE: &str = include_str!("printable.txt");

/// Code points that are printable in 3.`since` and newer.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u32,
    last: u32,
    since: u8,
}

/// Whether `str.isprintable` of this Python version accepts the code point.
pub(super) fn is_printable(code: u32, version: (u8, u8)) -> bool {
    static RANGES: OnceLock<Vec<Range>> = OnceLock::new();
    let ranges = RANGES.get_or_init(|| parse(TABLE));
    let after = ranges.partition_point(|range| range.first <= code);
    let range = after.checked_sub(1).and_then(|index| ranges.get(index));
    range.is_some_and(|range| code <= range.last && (3, range.since) <= version)
}

/// The ranges in order.
fn parse(table: &str) -> Vec<Range> {
    let code = |word: &str| u32::from_str_radix(word, 16).ok();
    let mut ranges: Vec<Range> = table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(since, words)| Some((since.parse().ok()?, words)))
        .flat_map(|(since, words)| words.split(' ').map(move |word| (since, word)))
        .filter_map(|(since, word)| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            Some(Range {
                first: code(first)?,
                last: code(last)?,
                since,
            })
        })
        .collect();
    ranges.sort_unstable_by_key(|range| range.first);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let words: usize = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(' ').count() - 1)
            .sum();
        let ranges = parse(TABLE);
        assert_eq!(ranges.len(), words, "each word is a range");
        assert!(ranges.iter().all(|range| range.first <= range.last));
        assert!(ranges.windows(2).all(|pair| pair[0].last < pair[1].first));
        // What `sum(chr(c).isprintable() for c in range(sys.maxunicode + 1))` says.
        let count = |minor: u8| -> u32 {
            let known = ranges.iter().filter(|range| range.since <= minor);
            known.map(|range| range.last - range.first + 1).sum()
        };
        assert_eq!((count(6), count(14)), (128003, 154810));
    }

    #[test]
    fn controls_separators_and_surrogates_are_not_printable() {
        for code in [
            0x1f, 0x7f, 0xa0, 0xad, 0x378, 0x200b, 0x2028, 0xd800, 0xe000, 0x10_ffff,
        ] {
            assert!(!is_printable(code, (3, 14)), "{code:#x}");
        }
        assert!(is_printable(0xe9, (3, 6)) && is_printable(0x1_f600, (3, 6)));
    }
}
