//! Strings: PEP 393 `str` of every layout since 3.3 (Include/cpython/unicodeobject.h), 2.7's
//! `unicode`, which is of 2 or 4 bytes by build, and its byte strings.

use super::{Objects, flags, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::escape::lossy;
use crate::python::layout::StrKind;
use crate::target::memory::MOST_BYTES;
use crate::target::{Fault, Why};
use std::borrow::Cow;

/// Characters of a string that may be too long to read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The characters that were read. Lone surrogates are written as `\udXXX`.
    pub value: String,
    /// How many characters follow.
    pub left_out: u64,
}

/// A string of up to this length is believed to be so long; of a longer one the end is looked at.
const BELIEVED: u64 = 1 << 20;

/// No address space holds a string of more characters.
const ABSURD: u64 = 1 << 46;

/// The most characters that are read of one string.
const MOST_CHARACTERS: u64 = (MOST_BYTES / 4) as u64;

/// Where the characters of a string are.
struct Characters {
    data: Addr,
    length: u64,
    /// Bytes of a character: 1, 2 or 4.
    width: u64,
    ascii: bool,
}

impl Objects {
    /// The string at `addr`, at most `most` characters of it; none of them where its length makes
    /// no sense.
    pub fn text(&self, addr: Addr, most: u64) -> Result<Text, Fault> {
        let characters = self.characters(addr)?;
        let take = match self.is_believable(&characters) {
            true => characters.length.min(most).min(MOST_CHARACTERS),
            false => 0,
        };
        let raw = self.read_characters(&characters, take)?;
        Ok(Text {
            value: decode(&raw, characters.width, characters.ascii),
            left_out: characters.length - take,
        })
    }

    /// The code points of the string at `addr`, lone surrogates included, and how many there are
    /// beyond the first `most`. The characters of 2.7's byte strings are bytes.
    pub fn chars(&self, addr: Addr, most: usize) -> Result<(Vec<u32>, u64), Fault> {
        let characters = self.characters(addr)?;
        if !self.is_believable(&characters) {
            return Err(malformed(addr));
        }
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let take = characters.length.min(most).min(MOST_CHARACTERS);
        let raw = self.read_characters(&characters, take)?;
        let mut chars: Vec<u32> = codes(&raw, characters.width).collect();
        if characters.width == 2 && self.layout.kinds.str == StrKind::Pointer {
            chars = join_surrogates(&chars);
        }
        Ok((chars, characters.length - take))
    }

    /// The code point of the character with this index in the string at `addr`.
    pub fn character(&self, addr: Addr, index: u64) -> Result<u32, Fault> {
        let characters = self.characters(addr)?;
        if index >= characters.length {
            return Err(malformed(addr));
        }
        let at = characters.data.add(index.wrapping_mul(characters.width));
        Ok(match characters.width {
            1 => self.memory.u8(at)?.into(),
            2 => self.memory.u16(at)?.into(),
            _ => self.memory.u32(at)?,
        })
    }

    /// Whether the object at `addr` is the string `text`, which must be ASCII.
    pub fn is_text(&self, addr: Addr, text: &str) -> bool {
        let Ok(characters) = self.characters(addr) else {
            return false;
        };
        characters.width == 1
            && characters.length == text.len() as u64
            && self
                .memory
                .bytes(characters.data, text.len())
                .is_ok_and(|raw| *raw == *text.as_bytes())
    }

    /// Where the characters of the `str` or `unicode` at `addr` are, how many, and of how many bytes
    /// each; its type is the caller's to know.
    pub(crate) fn string_data(&self, addr: Addr) -> Result<(Addr, u64, u64), Fault> {
        let found = self.str_characters(addr)?;
        Ok((found.data, found.length, found.width))
    }

    fn characters(&self, addr: Addr) -> Result<Characters, Fault> {
        let ty = match self.type_of(addr) {
            Ok(ty) => ty,
            Err(fault) => return self.untyped_characters(addr).ok_or(fault),
        };
        let legacy_bytes = self.layout.kinds.str == StrKind::Pointer;
        if legacy_bytes && ty.flags & flags::BYTES != 0 {
            let length = u64::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))?;
            let data = self.layout.fields.bytes.data.of(addr);
            return Ok(Characters {
                data,
                length,
                width: 1,
                // Byte strings are shown as text where they are UTF-8.
                ascii: true,
            });
        }
        if ty.flags & flags::STR == 0 {
            return Err(malformed(addr));
        }
        self.str_characters(addr)
    }

    /// The characters of what must be a string, as its type was cut off the core: they are ASCII,
    /// follow the object, and end where it says, in a NUL.
    fn untyped_characters(&self, addr: Addr) -> Option<Characters> {
        let characters = self.str_characters(addr).ok()?;
        let inside = self.layout.fields.str.ascii_data?.of(addr) == characters.data;
        let plausible = inside && characters.ascii && characters.length <= BELIEVED;
        let end = characters.data.add(characters.length);
        (plausible && self.memory.u8(end) == Ok(0)).then_some(characters)
    }

    fn str_characters(&self, addr: Addr) -> Result<Characters, Fault> {
        let f = &self.layout.fields.str;
        let length = self.memory.i64(f.length.of(addr))?;
        let length = u64::try_from(length).map_err(|_| malformed(addr))?;
        let pointer = || self.memory.ptr(f.pointer.of(addr));
        let (Some(state), Some(ascii_data), Some(compact_data)) =
            (f.state, f.ascii_data, f.compact_data)
        else {
            return Ok(Characters {
                data: pointer()?,
                length,
                width: self.unicode_width(),
                ascii: false,
            });
        };
        let state = self.memory.u32(state.of(addr))?;
        let (kind, compact, ascii) = match self.layout.kinds.str {
            StrKind::BitsAfterInterned => (state >> 8 & 7, state >> 11 & 1, state >> 12 & 1),
            _ => (state >> 2 & 7, state >> 5 & 1, state >> 6 & 1),
        };
        let data = match (kind, compact, ascii) {
            (0, 0, _) if self.layout.kinds.str == StrKind::BitsWithLegacy => {
                return self.legacy_characters(addr);
            }
            (1 | 2 | 4, 0, _) => pointer()?,
            (1, _, 1) => ascii_data.of(addr),
            (1 | 2 | 4, _, 0) => compact_data.of(addr),
            _ => return Err(malformed(addr)),
        };
        Ok(Characters {
            data,
            length,
            width: u64::from(kind),
            ascii: ascii == 1,
        })
    }

    /// The characters of a string that was made by the C API of before 3.3 and never looked at
    /// since: `PyUnicode_READY` has not run, and `length` is not set.
    fn legacy_characters(&self, addr: Addr) -> Result<Characters, Fault> {
        /// `wstr` of `PyASCIIObject`, behind the object header.
        const WSTR: u64 = 24;
        /// `wstr_length` of `PyCompactUnicodeObject`.
        const WSTR_LENGTH: u64 = 48;
        let length = self.memory.i64(self.after(addr, WSTR_LENGTH))?;
        Ok(Characters {
            data: self.memory.ptr(self.after(addr, WSTR))?,
            length: u64::try_from(length).map_err(|_| malformed(addr))?,
            width: 4,
            ascii: false,
        })
    }

    /// Bytes of a character of 2.7's `unicode`: `sys.maxunicode` tells.
    pub(crate) fn unicode_width(&self) -> u64 {
        const WIDE: u64 = 4;
        const NARROW: u64 = 2;
        if let Some(known) = self.unicode_width.get() {
            return *known;
        }
        let Some(interpreter) = self.interpreter.get() else {
            return WIDE;
        };
        let sysdict = self.layout.fields.interpreter.sysdict.of(*interpreter);
        let items = self.memory.ptr(sysdict).and_then(|at| self.dict_items(at));
        let maximum = items
            .unwrap_or_default()
            .into_iter()
            .find_map(|(key, value)| {
                let name = b"maxunicode";
                // Only byte strings are compared: a `unicode` would ask for its width again.
                let is_bytes = self.type_of(key).ok()?.is(flags::BYTES);
                let is_it = is_bytes && self.bytes(key, name.len()).ok()? == name;
                is_it.then(|| self.int(value).ok())?
            });
        let width = match maximum {
            Some(0xffff) => NARROW,
            _ => WIDE,
        };
        *self.unicode_width.get_or_init(|| width)
    }

    /// Whether the string can be so long. Every string ends in a NUL, which a damaged length
    /// hardly ever meets.
    fn is_believable(&self, characters: &Characters) -> bool {
        let Characters {
            data,
            length,
            width,
            ..
        } = *characters;
        length <= BELIEVED
            || length <= ABSURD && {
                let end = data.0.checked_add(length.saturating_mul(width));
                let end = end.map(|end| self.memory.bytes(Addr(end), width as usize));
                match end {
                    Some(Ok(end)) => end.iter().all(|byte| *byte == 0),
                    // Where the core has lost the end, the length may still be right.
                    Some(Err(fault)) => fault.why != Why::Unmapped,
                    None => false,
                }
            }
    }

    fn read_characters(&self, characters: &Characters, take: u64) -> Result<Cow<'_, [u8]>, Fault> {
        match (take * characters.width) as usize {
            // An empty string may have no memory at all.
            0 => Ok(Cow::Borrowed(&[])),
            size => self.memory.bytes(characters.data, size),
        }
    }
}

/// The code units in `raw`, of `width` bytes each; half of one at the end is dropped.
fn codes(raw: &[u8], width: u64) -> impl Iterator<Item = u32> + '_ {
    let step = (width as usize).max(1);
    (0..raw.len())
        .step_by(step)
        .map_while(move |offset| match step {
            1 => bytes::u8_at(raw, offset).map(u32::from),
            2 => bytes::u16_at(raw, offset).map(u32::from),
            _ => bytes::u32_at(raw, offset),
        })
}

/// Pairs of surrogates, as 2.7's narrow builds keep them, as the characters they stand for.
fn join_surrogates(units: &[u32]) -> Vec<u32> {
    let mut joined: Vec<u32> = Vec::with_capacity(units.len());
    for unit in units {
        match (joined.last_mut(), unit) {
            (Some(high @ 0xd800..=0xdbff), 0xdc00..=0xdfff) => {
                *high = 0x1_0000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
            }
            _ => joined.push(*unit),
        }
    }
    joined
}

/// Characters of `width` bytes each as text.
fn decode(raw: &[u8], width: u64, ascii: bool) -> String {
    if ascii {
        return lossy(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for code in codes(raw, width) {
        match char::from_u32(code) {
            Some(c) => out.push(c),
            None if code < 0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
            None => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn every_width_is_decoded() {
        assert_eq!(decode(b"abc", 1, true), "abc");
        assert_eq!(decode(b"\xe9t\xe9", 1, false), "été");
        assert_eq!(decode(&[0x2d, 0x4e, 0x80, 0xdc], 2, false), "中\\udc80");
        assert_eq!(
            decode(&[0x00, 0xf6, 0x01, 0x00, 0, 0, 0x11, 0], 4, false),
            "😀\\U00110000"
        );
        assert_eq!(
            decode(b"abc", 2, false),
            "扡",
            "half a character is dropped"
        );
    }
}
