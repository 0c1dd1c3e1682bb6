//! Strings between quotes, escaped as `repr` does it (Objects/unicodeobject.c `unicode_repr`,
//! bytesobject.c `PyBytes_Repr`; in 2.7 unicodeobject.c `unicodeescape_string`).

use super::printable::is_printable;
use std::fmt::Write;

/// The characters of a `str` between quotes; which are escaped depends on the Unicode database of
/// the Python version.
pub(crate) fn text(chars: &[u32], version: (u8, u8)) -> String {
    quoted(chars, |code| is_printable(code, version))
}

/// The characters of 2.7's `unicode` between quotes: all but ASCII is escaped.
pub(crate) fn ascii(chars: &[u32]) -> String {
    quoted(chars, |_| false)
}

/// Bytes between quotes.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let chars: Vec<u32> = bytes.iter().copied().map(u32::from).collect();
    ascii(&chars)
}

/// Bytes between quotes as a `bytearray` had them up to 3.14 (Objects/bytearrayobject.c
/// `bytearray_repr`): `'` is escaped even where it need not be.
pub(crate) fn bytearray(raw: &[u8]) -> String {
    match bytes(raw) {
        text if text.starts_with('"') => text.replace('\'', "\\'"),
        text => text,
    }
}

/// `keep` tells which characters beyond ASCII stay as they are.
fn quoted(chars: &[u32], keep: impl Fn(u32) -> bool) -> String {
    let has = |quote: char| chars.contains(&u32::from(quote));
    let quote = match has('\'') && !has('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::with_capacity(chars.len() + 2);
    out.push(quote);
    for &code in chars {
        match char::from_u32(code) {
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some(c) if c == quote || c == '\\' => out.extend(['\\', c]),
            Some(c @ ' '..='~') => out.push(c),
            Some(c) if code > 0x7f && keep(code) => out.push(c),
            _ => escape(&mut out, code),
        }
    }
    out.push(quote);
    out
}

/// The shortest escape that holds the code point; what is none, out of damaged memory, has one too.
fn escape(out: &mut String, code: u32) {
    let result = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    // Writing to a `String` cannot fail.
    result.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(string: &str) -> String {
        text(&string.chars().map(u32::from).collect::<Vec<_>>(), (3, 14))
    }

    #[test]
    fn quotes_are_chosen_and_escaped() {
        assert_eq!(of(""), "''");
        assert_eq!(of("it's"), "\"it's\"");
        assert_eq!(of("\"it's\""), r#"'"it\'s"'"#);
        assert_eq!(of("\"x\""), r#"'"x"'"#);
        assert_eq!(bytearray(b"it's"), r#""it\'s""#);
        assert_eq!(bytearray(b"\"it's\""), r#"'"it\'s"'"#);
        assert_eq!(bytes(b"a'\\\x00\x7f\xff\n"), r#""a'\\\x00\x7f\xff\n""#);
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(
            of("\t\n\r\x1b\x7f\u{80}\u{ad}"),
            r"'\t\n\r\x1b\x7f\x80\xad'"
        );
        assert_eq!(of("é\u{a0}\u{2028}\u{e000}😀"), "'é\\xa0\\u2028\\ue000😀'");
        assert_eq!(text(&[0xdc80, 0x11_0000], (3, 14)), r"'\udc80\U00110000'");
        assert_eq!(ascii(&[0xe9, 0x4e2d, 0x1_f600]), r"'\xe9\u4e2d\U0001f600'");
    }

    #[test]
    fn the_version_decides_what_can_be_printed() {
        // ₿ is of Unicode 10, 🪿 of 15.
        let new = [0x20bf, 0x1_fabf];
        assert_eq!(text(&new, (3, 6)), r"'\u20bf\U0001fabf'");
        assert_eq!(text(&new, (3, 11)), r"'₿\U0001fabf'");
        assert_eq!(text(&new, (3, 12)), "'₿🪿'");
    }
}
