//! How many columns of a terminal a source line takes, and the line in a form that is safe to
//! print. Wide characters are the classes W and F of Unicode 15's EastAsianWidth.txt, the ones
//! CPython's `traceback` module counts twice.

use pydbg::escape::{escape, is_hostile};
use std::borrow::Cow;

/// First and last character of the wide ranges.
const WIDE: &[(u32, u32)] = &[
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x2329, 0x232a),
    (0x23e9, 0x23ec),
    (0x23f0, 0x23f0),
    (0x23f3, 0x23f3),
    (0x25fd, 0x25fe),
    (0x2614, 0x2615),
    (0x2648, 0x2653),
    (0x267f, 0x267f),
    (0x2693, 0x2693),
    (0x26a1, 0x26a1),
    (0x26aa, 0x26ab),
    (0x26bd, 0x26be),
    (0x26c4, 0x26c5),
    (0x26ce, 0x26ce),
    (0x26d4, 0x26d4),
    (0x26ea, 0x26ea),
    (0x26f2, 0x26f3),
    (0x26f5, 0x26f5),
    (0x26fa, 0x26fa),
    (0x26fd, 0x26fd),
    (0x2705, 0x2705),
    (0x270a, 0x270b),
    (0x2728, 0x2728),
    (0x274c, 0x274c),
    (0x274e, 0x274e),
    (0x2753, 0x2755),
    (0x2757, 0x2757),
    (0x2795, 0x2797),
    (0x27b0, 0x27b0),
    (0x27bf, 0x27bf),
    (0x2b1b, 0x2b1c),
    (0x2b50, 0x2b50),
    (0x2b55, 0x2b55),
    (0x2e80, 0x303e),
    (0x3041, 0x33ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe10, 0xfe19),
    (0xfe30, 0xfe6f),
    (0xff01, 0xff60),
    (0xffe0, 0xffe6),
    (0x16fe0, 0x18cff),
    (0x1aff0, 0x1b2ff),
    (0x1f004, 0x1f004),
    (0x1f0cf, 0x1f0cf),
    (0x1f18e, 0x1f18e),
    (0x1f191, 0x1f19a),
    (0x1f200, 0x1f320),
    (0x1f32d, 0x1f335),
    (0x1f337, 0x1f37c),
    (0x1f37e, 0x1f393),
    (0x1f3a0, 0x1f3ca),
    (0x1f3cf, 0x1f3d3),
    (0x1f3e0, 0x1f3f0),
    (0x1f3f4, 0x1f3f4),
    (0x1f3f8, 0x1f43e),
    (0x1f440, 0x1f440),
    (0x1f442, 0x1f4fc),
    (0x1f4ff, 0x1f53d),
    (0x1f54b, 0x1f54e),
    (0x1f550, 0x1f567),
    (0x1f57a, 0x1f57a),
    (0x1f595, 0x1f596),
    (0x1f5a4, 0x1f5a4),
    (0x1f5fb, 0x1f64f),
    (0x1f680, 0x1f6c5),
    (0x1f6cc, 0x1f6cc),
    (0x1f6d0, 0x1f6d2),
    (0x1f6d5, 0x1f6d7),
    (0x1f6dc, 0x1f6df),
    (0x1f6eb, 0x1f6ec),
    (0x1f6f4, 0x1f6fc),
    (0x1f7e0, 0x1f7f0),
    (0x1f90c, 0x1f93a),
    (0x1f93c, 0x1f945),
    (0x1f947, 0x1f9ff),
    (0x1fa70, 0x1faff),
    (0x20000, 0x3fffd),
];

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// The columns one character takes; hostile ones take as many as their escaped form.
pub fn of_char(c: char) -> usize {
    if c.is_ascii() && !c.is_ascii_control() {
        return 1;
    }
    if is_hostile(c) {
        return escape(c.encode_utf8(&mut [0; 4])).len();
    }
    let code = c as u32;
    let index = WIDE.partition_point(|(_, last)| *last < code);
    match WIDE.get(index) {
        Some((first, _)) if *first <= code => 2,
        _ => 1,
    }
}

/// The columns a text takes.
pub fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// As much of a text as takes `room` columns, with an ellipsis where it is cut.
pub fn cut(text: &str, room: usize) -> Cow<'_, str> {
    let mut used = 0;
    let mut fits = 0;
    for (at, c) in text.char_indices() {
        if used < room {
            fits = at;
        }
        used += of_char(c);
        if used > room {
            return Cow::Owned(format!("{}…", text.get(..fits).unwrap_or_default()));
        }
    }
    Cow::Borrowed(text)
}

/// A source line as it is printed: tabs expanded, the rest escaped.
pub struct Shown {
    /// What to print.
    pub text: String,
    /// For each character of the line its first column, and at the end the line's width.
    pub columns: Vec<usize>,
}

impl Shown {
    /// Prepares `line`.
    pub fn of(line: &[char]) -> Shown {
        let mut text = String::with_capacity(line.len());
        let mut columns = Vec::with_capacity(line.len() + 1);
        let mut column = 0;
        for &c in line {
            columns.push(column);
            if c == '\t' {
                let width = TAB - column % TAB;
                text.extend(std::iter::repeat_n(' ', width));
                column += width;
            } else {
                text.push_str(&escape(c.encode_utf8(&mut [0; 4])));
                column += of_char(c);
            }
        }
        columns.push(column);
        Shown { text, columns }
    }

    /// The column of character `index`, or the line's width behind its end.
    pub fn column(&self, index: usize) -> usize {
        let last = self.columns.last().copied().unwrap_or(0);
        self.columns.get(index).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(of("abc"), 3);
        assert_eq!(of("中文"), 4);
        assert_eq!(of("é🐍"), 3);
    }

    #[test]
    fn texts_are_cut_to_the_room_there_is() {
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("abcde", 4), "abc…");
        assert_eq!(of(&cut("中文中文", 5)), 5);
        assert!(of(&cut("a\x1b\x1b\x1b", 6)) <= 6);
    }

    #[test]
    fn the_ranges_are_sorted() {
        assert!(WIDE.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn tabs_are_expanded_and_escapes_written_out() {
        let line: Vec<char> = "a\tb\x1bc".chars().collect();
        let shown = Shown::of(&line);
        assert_eq!(shown.text, "a       b\\x1bc");
        assert_eq!(shown.columns, [0, 1, 8, 9, 13, 14]);
    }
}
