//! Strings: PEP 393 `str` of every layout since 3.3 (Include/cpython/unicodeobject.h), 2.7's
//! `unicode` and its byte strings.

use super::{Objects, flags, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::escape::lossy;
use crate::python::layout::StrKind;
use crate::target::Fault;

/// Characters of a string that may be too long to read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The characters that were read. Lone surrogates are written as `\udXXX`.
    pub value: String,
    /// How many characters follow.
    pub left_out: u64,
}

/// Above this length nothing is read at all: the length itself is damaged.
const ABSURD: u64 = 1 << 20;

/// Where the characters of a string are.
struct Characters {
    data: Addr,
    length: u64,
    /// Bytes of a character: 1, 2 or 4.
    width: u64,
    ascii: bool,
}

impl Objects {
    /// The string at `addr`, at most `most` characters of it.
    pub fn text(&self, addr: Addr, most: u64) -> Result<Text, Fault> {
        let characters = self.characters(addr)?;
        let length = characters.length;
        let take = if length > ABSURD { 0 } else { length.min(most) };
        let raw = self
            .memory
            .bytes(characters.data, (take * characters.width) as usize)?;
        Ok(Text {
            value: decode(&raw, characters.width, characters.ascii),
            left_out: length - take,
        })
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
        let plausible = inside && characters.ascii && characters.length <= ABSURD;
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
                width: 4,
                ascii: false,
            });
        };
        let state = self.memory.u32(state.of(addr))?;
        let (kind, compact, ascii) = match self.layout.kinds.str {
            StrKind::BitsAfterInterned => (state >> 8 & 7, state >> 11 & 1, state >> 12 & 1),
            _ => (state >> 2 & 7, state >> 5 & 1, state >> 6 & 1),
        };
        if !matches!(kind, 1 | 2 | 4) {
            return Err(malformed(addr));
        }
        let data = match (compact, ascii) {
            (0, _) => pointer()?,
            (_, 1) => ascii_data.of(addr),
            _ => compact_data.of(addr),
        };
        Ok(Characters {
            data,
            length,
            width: u64::from(kind),
            ascii: ascii == 1,
        })
    }
}

/// Characters of `width` bytes each as text.
fn decode(raw: &[u8], width: u64, ascii: bool) -> String {
    let step = width as usize;
    if ascii {
        return lossy(raw);
    }
    let mut out = String::with_capacity(raw.len());
    for offset in (0..raw.len()).step_by(step.max(1)) {
        let code = match step {
            1 => bytes::u8_at(raw, offset).map(u32::from),
            2 => bytes::u16_at(raw, offset).map(u32::from),
            _ => bytes::u32_at(raw, offset),
        };
        let Some(code) = code else { break };
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
