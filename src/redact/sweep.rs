//! What looks like text in memory that nobody has told of: in C code's own memory, in what was left
//! behind in blocks that are in use again, on stacks, in memory of which no allocator tells. Words are
//! looked at, each of eight bytes: one in which every byte is a letter, a digit or such is no
//! address and no size, and two of them, or several of wider characters, are no coincidence.

use super::blanks::{Fill, Run};
use crate::addr::Addr;
use crate::heap::pieces::Pieces;
use crate::native::Process;
use crate::ranges::joined;
use crate::sum::Sum;
use crate::target::dumped::within;
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of a word.
const WORD: u64 = 8;

/// Bytes that one task looks at.
const CHUNK: u64 = 4 << 20;

/// What is seen of the neighbouring chunks.
const AROUND: u64 = 64;

/// How many words in a row are text, by the bytes of a character.
const ENOUGH: [(u64, usize); 3] = [(1, 2), (2, 3), (4, 4)];

/// What is found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) runs: Vec<Run>,
    pub(super) sum: Sum,
}

/// Looks at all memory of the process's own, but for the ranges that are kept.
pub(super) fn sweep(process: &Process, pieces: &Pieces<'_>, kept: Vec<Range<u64>>) -> Found {
    let kept = words(kept);
    let target = &process.target;
    let own = (target.mappings.iter())
        .filter(|mapping| mapping.read && mapping.write && mapping.file().is_none());
    let mut chunks: Vec<Range<u64>> = Vec::new();
    for mapping in own {
        for piece in within(target.dumped(), mapping.start.0..mapping.end.0) {
            let Range { start, end } = piece.range;
            let starts = (start..end).step_by(CHUNK as usize);
            chunks.extend(starts.map(|at| at..end.min(at.saturating_add(CHUNK))));
        }
    }
    let found = chunks.par_iter().map(|chunk| {
        let mut runs = Vec::new();
        look(pieces, chunk, &kept, &mut runs);
        runs
    });
    let runs: Vec<Run> = found.flatten_iter().collect();
    let mut sum = Sum::default();
    runs.iter().for_each(|run| sum.add(run.end - run.start));
    Found { runs, sum }
}

/// Looks at a chunk, and at the ends of its neighbours for what reaches over.
fn look(pieces: &Pieces<'_>, chunk: &Range<u64>, kept: &[Range<u64>], runs: &mut Vec<Run>) {
    let whole = chunk.start.saturating_sub(AROUND)..chunk.end.saturating_add(AROUND);
    let read = |range: Range<u64>| {
        let bytes = pieces.bytes(Addr(range.start), (range.end - range.start) as usize)?;
        Some((range.start, bytes))
    };
    let Some((start, bytes)) = read(whole).or_else(|| read(chunk.clone())) else {
        return;
    };
    for text in texts(&bytes) {
        let at = start + text.start as u64..start + text.end as u64;
        if !is_library(&bytes, &text) {
            leave_out(at, kept, runs);
        }
    }
}

/// Where words are text.
fn texts(bytes: &[u8]) -> Vec<Range<usize>> {
    let words = bytes.as_chunks::<8>().0;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let Some((width, enough)) = ENOUGH.into_iter().find(|(width, _)| is_text(word, *width))
        else {
            at += 1;
            continue;
        };
        let rest = words.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|word| is_text(word, width)).count();
        if count >= enough {
            found.push(at * 8..(at + count) * 8);
        }
        at += count;
    }
    found
}

/// Whether a word is nothing but characters of so many bytes.
#[inline]
fn is_text(word: &[u8; 8], width: u64) -> bool {
    let word = u64::from_le_bytes(*word);
    let zeros = match width {
        1 => 0,
        2 => 0xff00_ff00_ff00_ff00,
        _ => 0xffff_ff00_ffff_ff00,
    };
    if word & zeros != 0 {
        return false;
    }
    let bytes = word.to_le_bytes();
    let letter = |byte: u8| (0x20..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    bytes
        .iter()
        .step_by(width as usize)
        .all(|byte| letter(*byte))
}

/// Whether a text is within the path of a library: the dynamic linker's list has these, by which debuggers
/// find the files.
fn is_library(bytes: &[u8], text: &Range<usize>) -> bool {
    const LONGEST: usize = 4096;
    let graphic = |byte: &u8| byte.is_ascii_graphic();
    let before = bytes.get(..text.start).unwrap_or_default();
    let before = before
        .iter()
        .rev()
        .take(LONGEST)
        .take_while(|b| graphic(b))
        .count();
    let behind = bytes.get(text.start..).unwrap_or_default();
    let behind = behind
        .iter()
        .take(LONGEST)
        .take_while(|b| graphic(b))
        .count();
    let whole = bytes.get(text.start - before..text.start + behind);
    whole.is_some_and(names_library)
}

/// Whether a text is the path of a library.
pub(super) fn names_library(text: &[u8]) -> bool {
    text.starts_with(b"/") && text.windows(3).any(|part| part == b".so")
}

/// Adds a range without what of it is kept.
fn leave_out(range: Range<u64>, kept: &[Range<u64>], runs: &mut Vec<Run>) {
    let mut at = range.start;
    let mut add = |start: u64, end: u64| {
        runs.extend(Run::of(
            start,
            end.saturating_sub(start),
            Fill::BetweenZeros,
        ));
    };
    let first = kept.partition_point(|known| known.end <= range.start);
    for known in kept.iter().skip(first) {
        if known.start >= range.end {
            break;
        }
        add(at, known.start);
        at = at.max(known.end);
    }
    add(at, range.end);
}

/// Ranges by address, those joined that overlap; whole words, so that nothing is cut.
fn words(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let some = ranges.into_iter().filter(|range| range.start < range.end);
    joined(
        some.map(|range| range.start - range.start % WORD..range.end)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_text_are_found() {
        let found = |bytes: &[u8]| -> Vec<(usize, usize)> {
            let found = texts(bytes).into_iter();
            found.map(|text| (text.start, text.end)).collect()
        };
        let none: [(usize, usize); 0] = [];
        assert_eq!(found(b"hunter2 hunter2 hunter2\0"), [(0, 16)]);
        assert_eq!(found(b"hunter2 \x10\x32\x54\x76\x7f\x7f\0\0"), none);
        let wide = |width: usize, count: usize| -> Vec<u8> {
            let character = |_| {
                let mut character = vec![0; width];
                character[0] = b'x';
                character
            };
            (0..count).flat_map(character).collect()
        };
        assert_eq!(found(&wide(2, 12)), [(0, 24)]);
        assert_eq!(found(&wide(2, 8)), none);
        assert_eq!(found(&wide(4, 8)), [(0, 32)]);
        assert_eq!(found(&wide(4, 6)), none);
    }

    #[test]
    fn what_is_kept_is_left_out() {
        let kept = words(vec![0x28..0x2a, 0x10..0x18, 0x14..0x20, 9..9]);
        assert_eq!(kept, [0x10..0x20, 0x28..0x2a]);
        let mut runs = Vec::new();
        leave_out(8..0x30, &kept, &mut runs);
        let found: Vec<_> = runs.iter().map(|run| (run.start, run.end)).collect();
        assert_eq!(found, [(8, 0x10), (0x20, 0x28), (0x2a, 0x30)]);
    }

    #[test]
    fn paths_of_libraries_stay() {
        let bytes = b"\0\0\0\0\0\0\0\0/usr/lib/x86_64/libfoo.so.6\0\0\0\0";
        let found = texts(bytes);
        let [found] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!((found.start, found.end), (8, 32));
        assert!(is_library(bytes, found));
        assert!(!is_library(b"hunter2 hunter2 ", &(0..16)));
    }
}
