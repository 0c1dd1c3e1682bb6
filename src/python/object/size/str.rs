//! Sizes of strings (Objects/unicodeobject.c `unicode_sizeof`, 2.7's Objects/stringobject.c).

use super::{Sized, WORD};
use crate::python::layout::StrKind;
use crate::target::Fault;

impl Sized<'_> {
    /// 2.7's `str`: of a subclass what it adds is not counted.
    pub(super) fn byte_string_size(&self) -> Result<u64, Fault> {
        let length = self.objects.var_size(self.addr)?.unsigned_abs();
        self.sum(&[self.plan.base, length.saturating_mul(self.plan.item)])
    }

    /// 2.7's `unicode`; the same holds for its subclasses.
    pub(super) fn unicode_size(&self) -> Result<u64, Fault> {
        let length = self.objects.layout.fields.str.length.of(self.addr);
        let length = self.objects.memory.u64(length)?;
        let width = self.objects.unicode_width();
        let characters = length.saturating_add(1).saturating_mul(width);
        self.sum(&[self.plan.base, characters])
    }

    /// A string with its characters in the object or apart, which those of subclasses are, and the
    /// copies of them that it keeps.
    pub(super) fn str_size(&self) -> Result<u64, Fault> {
        const UTF8: u64 = WORD;
        const WIDE_LENGTH: u64 = 2 * WORD;
        /// `wstr`, behind the object header, and the size of its characters.
        const WIDE: u64 = 24;
        const WIDTH_OF_WIDE: u64 = 4;
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.str;
        let (Some(state), Some(ascii_data), Some(compact_data)) =
            (f.state, f.ascii_data, f.compact_data)
        else {
            return self.unicode_size();
        };
        let state = memory.u32(state.of(self.addr))?;
        let state = match self.objects.layout.kinds.str {
            StrKind::BitsAfterInterned => state >> 8,
            _ => state >> 2,
        };
        let (width, compact, ascii) = (u64::from(state & 7), state & 8 != 0, state & 16 != 0);
        let length = memory.u64(f.length.of(self.addr))?;
        let (fixed, data) = match (compact, ascii) {
            (true, true) => (ascii_data.offset.into(), ascii_data.of(self.addr)),
            (true, false) => (compact_data.offset.into(), compact_data.of(self.addr)),
            (false, _) => (self.plan.base, memory.ptr(f.pointer.of(self.addr))?),
        };
        let with_end = |length: u64, width: u64| length.saturating_add(1).saturating_mul(width);
        let characters = match data.is_null() {
            true => 0,
            false => with_end(length, width),
        };
        // PyCompactUnicodeObject { PyASCIIObject; utf8_length; utf8; wstr_length (up to 3.11) }
        let more = ascii_data.of(self.addr);
        let mut copies = 0;
        if !(compact && ascii) {
            let utf8 = memory.ptr(more.add(UTF8))?;
            if !utf8.is_null() && utf8 != data {
                copies = with_end(memory.u64(more)?, 1);
            }
        }
        if self.objects.layout.kinds.str == StrKind::BitsWithLegacy {
            let wide = self.pointer(WIDE)?;
            if !wide.is_null() && wide != data {
                let length = match compact && ascii {
                    true => length,
                    false => memory.u64(more.add(WIDE_LENGTH))?,
                };
                copies = copies.saturating_add(with_end(length, WIDTH_OF_WIDE));
            }
        }
        self.sum(&[fixed, characters, copies])
    }
}
