//! Memory in the formats of gdb's `x`.

use anyhow::bail;
use pydbg::Addr;

/// How a unit is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Letter {
    /// `x`, `z`: hex, padded.
    Hex,
    /// `d`: signed.
    Signed,
    /// `u`: unsigned.
    Unsigned,
    /// `o`: octal.
    Octal,
    /// `t`: binary.
    Binary,
    /// `a`: an address with its symbol.
    Address,
    /// `c`: a character.
    Char,
    /// `f`: floating point.
    Float,
    /// `s`: a C string.
    String,
}

/// What follows `x/`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// How many units; negative counts go backwards.
    pub count: i64,
    /// How each is shown.
    pub letter: Letter,
    /// Bytes of each.
    pub size: usize,
}

/// The most units one command shows: more would only be a slip of the finger.
const MOST: i64 = 100_000;

impl Format {
    /// From `/8gx`, `/s`, or nothing.
    pub fn parse(text: &str) -> anyhow::Result<Format> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(text.len());
        let (count, letters) = text.split_at(digits);
        let count = match count {
            "" => 1,
            count => match count.parse() {
                Ok(count) if (-MOST..=MOST).contains(&count) => count,
                _ => bail!("\"{count}\" is not a count between 1 and {MOST}"),
            },
        };
        let mut letter = None;
        let mut size = None;
        for c in letters.chars() {
            match c {
                'b' => size = Some(1),
                'h' => size = Some(2),
                'w' => size = Some(4),
                'g' => size = Some(8),
                'i' => bail!("pydbg has no disassembler; for instructions, try gdb's x/i"),
                c => letter = Some(Letter::of(c)?),
            }
        }
        let letter = letter.unwrap_or(Letter::Hex);
        let size = match (letter, size) {
            (Letter::Address, _) => 8,
            (Letter::String, None) => 1,
            (Letter::String, Some(size)) if size != 1 => {
                bail!("strings of wide characters cannot be shown; use x/s without a size")
            }
            (Letter::Char, None) => 1,
            (Letter::Float, None) => 8,
            (Letter::Float, Some(size)) if size < 4 => {
                bail!("a floating-point number has 4 or 8 bytes: x/fw or x/fg")
            }
            (_, size) => size.unwrap_or(4),
        };
        Ok(Format {
            count,
            letter,
            size,
        })
    }

    /// How many units stand on one line.
    pub fn per_line(&self) -> usize {
        match (self.letter, self.size) {
            (Letter::String, _) => 1,
            (_, 1 | 2) => 8,
            (_, 4) => 4,
            _ => 2,
        }
    }

    /// The letters that ask for this format again.
    pub fn letters(&self) -> String {
        let letter = match self.letter {
            Letter::Hex => 'x',
            Letter::Signed => 'd',
            Letter::Unsigned => 'u',
            Letter::Octal => 'o',
            Letter::Binary => 't',
            Letter::Address => 'a',
            Letter::Char => 'c',
            Letter::Float => 'f',
            Letter::String => return "s".to_owned(),
        };
        let size = match self.size {
            1 => 'b',
            2 => 'h',
            4 => 'w',
            _ => 'g',
        };
        format!("{letter}{size}")
    }

    /// One unit, whose little-endian bytes are `raw`, as text.
    pub fn show(&self, raw: &[u8]) -> String {
        let mut word = [0; 8];
        for (slot, byte) in word.iter_mut().zip(raw) {
            *slot = *byte;
        }
        let value = u64::from_le_bytes(word);
        let bits = self.size as u32 * 8;
        let signed = ((value << (64 - bits)) as i64) >> (64 - bits);
        match self.letter {
            Letter::Hex => format!("{value:#0width$x}", width = self.size * 2 + 2),
            Letter::Signed => signed.to_string(),
            Letter::Unsigned => value.to_string(),
            Letter::Octal if value == 0 => "0".to_owned(),
            Letter::Octal => format!("0{value:o}"),
            Letter::Binary => format!("{value:0width$b}", width = self.size * 8),
            Letter::Address | Letter::String => Addr(value).to_string(),
            Letter::Char => character(value as u8, signed),
            Letter::Float if self.size == 4 => f32::from_bits(value as u32).to_string(),
            Letter::Float => f64::from_bits(value).to_string(),
        }
    }
}

impl Letter {
    fn of(c: char) -> anyhow::Result<Letter> {
        Ok(match c {
            'x' | 'z' => Letter::Hex,
            'd' => Letter::Signed,
            'u' => Letter::Unsigned,
            'o' => Letter::Octal,
            't' => Letter::Binary,
            'a' => Letter::Address,
            'c' => Letter::Char,
            'f' => Letter::Float,
            's' => Letter::String,
            c => bail!("undefined output format \"{c}\"; the formats are x z d u o t a c f s"),
        })
    }
}

/// `104 'h'`, `-32 '\340'`.
fn character(byte: u8, value: i64) -> String {
    format!("{value} '{}'", quoted(&[byte], '\''))
}

/// Bytes as gdb quotes them: ASCII as it is, C escapes, octal for the rest.
pub fn quoted(bytes: &[u8], quote: char) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x1b => text.push_str("\\033"),
            b'\\' => text.push_str("\\\\"),
            byte if char::from(byte) == quote => {
                text.push('\\');
                text.push(quote);
            }
            0x20..=0x7e => text.push(char::from(byte)),
            byte => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: &str, raw: &[u8]) -> String {
        Format::parse(format).unwrap().show(raw)
    }

    #[test]
    fn formats_are_those_of_gdb_13() {
        assert_eq!(
            shown("/xg", &[0xe0, 0xec, 0x4a, 0x9c, 0xfe, 0x7e, 0, 0]),
            "0x00007efe9c4aece0"
        );
        assert_eq!(shown("/xb", &[0xe0]), "0xe0");
        assert_eq!(shown("/dw", &[0xe0, 0xec, 0x4a, 0x9c]), "-1672811296");
        assert_eq!(shown("/uw", &[0xe0, 0xec, 0x4a, 0x9c]), "2622156000");
        assert_eq!(shown("/ob", &[0xe0]), "0340");
        assert_eq!(shown("/tb", &[0x4a]), "01001010");
        assert_eq!(shown("/c", &[0xe0]), "-32 '\\340'");
        assert_eq!(shown("/c", b"J"), "74 'J'");
        assert_eq!(shown("/fg", &1.5f64.to_le_bytes()), "1.5");
        assert_eq!(
            shown("/a", &[0x70, 0xb, 0, 0x94, 0xfe, 0x7e, 0, 0]),
            "0x7efe94000b70"
        );
    }

    #[test]
    fn sizes_and_counts() {
        let format = Format::parse("/8gx").unwrap();
        assert_eq!((format.count, format.size, format.per_line()), (8, 8, 2));
        assert_eq!(format.letters(), "xg");
        assert_eq!(Format::parse("").unwrap().size, 4);
        assert_eq!(Format::parse("/-3xb").unwrap().count, -3);
        for bad in ["/y", "/i", "/5i", "/99999999999x", "/fh", "/1-2x", "/-"] {
            assert!(Format::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn strings_are_quoted() {
        assert_eq!(quoted(b"a\"\\\xb5\n", '"'), "a\\\"\\\\\\265\\n");
    }
}
