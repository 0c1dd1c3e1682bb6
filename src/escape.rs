//! Strings of the target made safe to show. A function name may hold terminal escapes, a file
//! name a newline and a forged line of output; both are shown as what they are.
//!
//! C0, DEL, C1, bidirectional controls and line separators become `\xNN` or `\u{NNNN}`.

use std::borrow::Cow;

/// Whether `c` could steer a terminal or reorder a line.
pub fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{200e}' | '\u{200f}' | '\u{61c}'
        | '\u{2028}' | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// `text` with every hostile character written out.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hostile(c) && (c as u32) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if is_hostile(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Bytes of the target as text: valid UTF-8 as it is, every other byte as `\xNN`. The result is
/// not yet escaped.
pub fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(escape("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("a\nb\u{9b}c\u{202e}d"), "a\\nb\\x9bc\\u{202e}d");
        assert_eq!(escape("größe 中"), "größe 中");
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_visible() {
        assert_eq!(lossy(b"a\xff\xc3\xa9"), "a\\xffé");
    }
}
