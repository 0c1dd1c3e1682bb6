//! Sizes as `sys.getsizeof` tells them, by rules that are made once for each type: what
//! [`Objects::size_of`] tells of one object, for millions.

use super::pieces::Words;
use super::trace::{Broken, Entries, Tracer, WORD};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::{DictKind, StrKind};
use crate::python::object::Quick;

/// Larger sizes are believed only where so much memory is, in bytes.
const LARGE: u64 = 1 << 16;

impl Tracer<'_, '_> {
    /// The size of an object, in bytes, and whether it is what `sys.getsizeof` would tell: the code
    /// of a class may say otherwise.
    #[inline]
    pub(super) fn size(&self, addr: Addr, rule: Quick) -> Result<(u64, bool), Broken> {
        // What is counted begins in the object or apart from it.
        let mut start = addr;
        let size = match rule {
            Quick::Fixed(size) => return Ok((size, true)),
            Quick::Items { fixed, item } => {
                let ob_size = self.objects.layout.fields.object.ob_size.of(addr);
                let count = (self.word(ob_size)? as i64).unsigned_abs();
                fixed.saturating_add(count.saturating_mul(item))
            }
            Quick::List(fixed) => {
                let items = self.objects.layout.fields.list.items.of(addr);
                start = Addr(self.word(items)?);
                fixed.saturating_add(self.word(items.add(WORD))?.saturating_mul(WORD))
            }
            Quick::Dict(fixed) => match self.dict_table(addr)? {
                Some((keys, bytes)) => {
                    start = keys;
                    fixed.saturating_add(bytes)
                }
                None => return self.other_size(addr),
            },
            Quick::Set { fixed, basic } => {
                let header = self.objects.after(addr, 2 * WORD);
                let (mask, table) = (self.word(header)?, self.word(header.add(WORD))?);
                let inside = (addr.0..addr.0.saturating_add(basic)).contains(&table);
                let slots = if inside { 0 } else { mask.saturating_add(1) };
                start = Addr(table);
                fixed.saturating_add(slots.saturating_mul(2 * WORD))
            }
            Quick::Str { before } => match self.compact_str(addr)? {
                Some(size) => size.saturating_add(before),
                None => return self.other_size(addr),
            },
            Quick::Int { fixed, least } => {
                const DIGIT: u64 = 4;
                let f = &self.objects.layout.fields;
                let digits = match f.int.tag {
                    Some(tag) => self.word(tag.of(addr))? >> 3,
                    None => (self.word(f.object.ob_size.of(addr))? as i64).unsigned_abs(),
                };
                fixed.saturating_add(digits.max(least).saturating_mul(DIGIT))
            }
            Quick::Other => return self.other_size(addr),
        };
        // What lies before the object, and its head, are not in a table that lies apart.
        match size < LARGE || self.pieces.reaches(start, size - LARGE) {
            true => Ok((size, true)),
            false => Err(Broken),
        }
    }

    /// Asks whoever knows all types.
    fn other_size(&self, addr: Addr) -> Result<(u64, bool), Broken> {
        if let Some(size) = self.objects.size_of(addr).map_err(|_| Broken)? {
            return Ok((size, true));
        }
        let size = self.objects.plain_bytes(addr).map_err(|_| Broken)?;
        Ok((size, false))
    }

    /// The keys, and the size of what a dictionary has beside itself: values that lie apart, and the keys if nobody
    /// shares them. `None` for the tables of 2.7.
    fn dict_table(&self, addr: Addr) -> Result<Option<(Addr, u64)>, Broken> {
        let f = &self.objects.layout.fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            return Ok(None);
        };
        let keys = Addr(self.word(keys.of(addr))?);
        let (apart, shared) = (self.word(values.of(addr))? != 0, self.word(keys)? != 1);
        if shared && !apart {
            return Ok(Some((keys, 0)));
        }
        let entries = self.entries(keys)?;
        let values = match apart {
            true => self.values_size(keys, entries)?,
            false => 0,
        };
        let own = match shared {
            true => 0,
            false => entries.whole_size()?,
        };
        let size = values.checked_add(own).ok_or(Broken)?;
        Ok(Some((keys, size)))
    }

    /// The size of values that lie apart from these keys.
    fn values_size(&self, keys: Addr, entries: Entries) -> Result<u64, Broken> {
        let layout = &self.objects.layout;
        let f = layout.fields.dict_keys.as_ref().ok_or(Broken)?;
        let count = match layout.kinds.dict {
            DictKind::Compact => entries.room,
            _ => entries.count.saturating_add(self.word(f.usable.of(keys))?),
        };
        Ok(count.saturating_mul(WORD))
    }

    /// The size of a string whose characters follow its header, without what lies before it.
    fn compact_str(&self, addr: Addr) -> Result<Option<u64>, Broken> {
        let f = &self.objects.layout.fields.str;
        let kind = self.objects.layout.kinds.str;
        let (Some(state), Some(ascii_data)) = (f.state, f.ascii_data) else {
            return Ok(None);
        };
        let header = self.pieces.bytes(addr, ascii_data.index()).ok_or(Broken)?;
        let state = bytes::array_at(&header, state.index()).map(u32::from_le_bytes);
        let state = state.ok_or(Broken)?;
        let state = match kind {
            StrKind::BitsAfterInterned => state >> 8,
            _ => state >> 2,
        };
        let (width, compact, ascii) = (u64::from(state & 7), state >> 3 & 1, state >> 4 & 1);
        // Others may have copies in other encodings.
        if (compact, ascii) != (1, 1) {
            return Ok(None);
        }
        if kind == StrKind::BitsWithLegacy {
            let wstr = ascii_data.of(addr).sub(WORD);
            let wstr = self.pieces.u64(wstr).ok_or(Broken)?;
            if wstr != 0 {
                return Ok(None);
            }
        }
        let length = bytes::u64_at(&header, f.length.index()).ok_or(Broken)?;
        let characters = length.saturating_add(1).saturating_mul(width);
        Ok(Some(characters.saturating_add(ascii_data.offset.into())))
    }
}
