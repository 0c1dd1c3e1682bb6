//! The tables of containers and strings: Objects/listobject.c, dictobject.c, odictobject.c,
//! setobject.c, unicodeobject.c and Modules/_collectionsmodule.c.

use super::{Part, PartKind, Parts, WORD, table};
use crate::addr::Addr;
use crate::heap::trace::Broken;
use crate::heap::types::Kind;
use crate::python::layout::{Attributes, DictKind, StrKind, ValuesKind};

/// The most nodes or blocks in a row that are believed.
const MOST: u64 = 1 << 32;

impl Parts<'_, '_> {
    /// Without a GIL the array begins with a word that tells its size.
    pub(super) fn list(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let at = self.layout().fields.list.items.of(addr);
        let items = self.pointer(at)?;
        if items.is_null() {
            return Ok(());
        }
        let head = if self.layout().free_threaded { WORD } else { 0 };
        let len = self.word(at.add(WORD))?.saturating_mul(WORD);
        table(items.sub(head), len.saturating_add(head), found);
        Ok(())
    }

    /// Keys that others share belong to a class.
    pub(super) fn dict(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let f = &self.layout().fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            return Err(Broken);
        };
        let keys = self.pointer(keys.of(addr))?;
        let values = self.pointer(values.of(addr))?;
        if !values.is_null() {
            self.values(keys, values, found)?;
        }
        if self.word(keys)? == 1 {
            table(keys, self.tracer.entries(keys)?.whole_size()?, found);
        }
        Ok(())
    }

    /// Values that do not lie in an instance.
    fn values(&self, keys: Addr, values: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let layout = self.layout();
        if layout.kinds.values == ValuesKind::Headed {
            // { capacity; size; embedded; valid; …; values[capacity]; order[capacity] }
            const EMBEDDED: u64 = 2;
            if self.pieces().u8(values.add(EMBEDDED)).ok_or(Broken)? == 0 {
                let capacity = u64::from(self.pieces().u8(values).ok_or(Broken)?);
                let order = capacity.next_multiple_of(WORD);
                table(values, (capacity + 1) * WORD + order, found);
            }
            return Ok(());
        }
        let entries = self.tracer.entries(keys)?;
        if layout.kinds.dict == DictKind::Compact {
            // Keys without room share values that are a constant.
            if entries.room > 0 {
                table(values, entries.room.saturating_mul(WORD), found);
            }
            return Ok(());
        }
        // The byte in front of the values tells how many bytes lie in front of them.
        let before = self.pieces().u8(values.sub(1)).ok_or(Broken)?.into();
        let f = layout.fields.dict_keys.as_ref().ok_or(Broken)?;
        let count = entries.count.saturating_add(self.word(f.usable.of(keys))?);
        let len = count.saturating_mul(WORD).saturating_add(before);
        table(values.sub(before), len, found);
        Ok(())
    }

    /// 3.11 and 3.12: an instance without a dictionary has values in a block of their own.
    pub(super) fn instance_values(
        &self,
        addr: Addr,
        kind: &Kind,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        const DICT: u64 = 24;
        const VALUES: u64 = 32;
        let values = match self.layout().kinds.attributes {
            Attributes::TwoWords => self.pointer(addr.sub(VALUES))?,
            _ => match self.word(addr.sub(DICT))? {
                word if word & 1 == 1 => Addr(word).add(1),
                _ => Addr::NULL,
            },
        };
        if values.is_null() {
            return Ok(());
        }
        let keys = self.layout().fields.type_object.cached_keys;
        let keys = self.pointer(keys.ok_or(Broken)?.of(kind.keeping.ty.addr))?;
        self.values(keys, values, found)
    }

    pub(super) fn open_dict(
        &self,
        addr: Addr,
        basic: u64,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        const SLOT: u64 = 3 * WORD;
        let f = &self.layout().fields.dict;
        let (Some(mask), Some(slots)) = (f.mask, f.table) else {
            return Err(Broken);
        };
        let slots = self.pointer(slots.of(addr))?;
        if slots.since(addr).is_none_or(|into| into >= basic) {
            let count = self.word(mask.of(addr))?.saturating_add(1);
            table(slots, count.saturating_mul(SLOT), found);
        }
        Ok(())
    }

    pub(super) fn set(
        &self,
        addr: Addr,
        basic: u64,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        // { header; fill; used; mask; table; … }
        const MASK: u64 = 2 * WORD;
        const TABLE: u64 = 3 * WORD;
        const SLOT: u64 = 2 * WORD;
        let slots = Addr(self.after(addr, TABLE)?);
        if slots.since(addr).is_none_or(|into| into >= basic) {
            let count = self.after(addr, MASK)?.saturating_add(1);
            table(slots, count.saturating_mul(SLOT), found);
        }
        Ok(())
    }

    /// A list of nodes, and an array of them by slot.
    pub(super) fn ordered(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        // PyODictObject { PyDictObject; od_first; od_last; od_fast_nodes; od_fast_nodes_size; … }
        const FAST_NODES: u64 = 2 * WORD;
        const FAST_NODES_SIZE: u64 = 3 * WORD;
        // _ODictNode { key; hash; next; prev }
        const NODE: u64 = 4 * WORD;
        const NEXT: u64 = 2 * WORD;
        self.dict(addr, found)?;
        let f = &self.layout().fields.dict;
        let behind = f.size.of(addr);
        let slots = self.word(behind.add(FAST_NODES_SIZE))?;
        let fast = self.pointer(behind.add(FAST_NODES))?;
        table(fast, slots.saturating_mul(WORD), found);
        let most = self.word(f.used.of(addr))?.min(MOST);
        let mut node = self.pointer(behind)?;
        for _ in 0..most {
            if node.is_null() {
                break;
            }
            table(node, NODE, found);
            node = self.pointer(node.add(NEXT))?;
        }
        Ok(())
    }

    pub(super) fn deque(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        const LINKS: u64 = 2;
        /// The deque keeps no more blocks for later.
        const MOST_KEPT: u64 = 16;
        let f = &self.layout().fields;
        let (block, deque) = (&f.deque_block, &f.deque);
        let items = u64::from(block.right.offset.saturating_sub(block.data.offset)) / WORD;
        let len = (items + LINKS) * WORD;
        let length = match deque.length {
            Some(length) => self.word(length.of(addr))?,
            None => self.word(f.object.ob_size.of(addr))?,
        };
        let first = self.word(deque.left_index.of(addr))?;
        let count = length.saturating_add(first).div_ceil(items.max(1));
        let last = self.pointer(deque.left_block.of(addr).add(WORD))?;
        let mut at = self.pointer(deque.left_block.of(addr))?;
        for _ in 0..count.clamp(1, MOST) {
            table(at, len, found);
            if at == last || at.is_null() {
                break;
            }
            at = self.pointer(block.right.of(at))?;
        }
        if let Some(kept) = deque.free_blocks {
            let kept = kept.of(addr);
            for index in 1..=self.word(kept)?.min(MOST_KEPT) {
                table(self.pointer(kept.add(index * WORD))?, len, found);
            }
        }
        Ok(())
    }

    /// The characters of a string of a subclass, and copies in other encodings.
    pub(super) fn str(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        const WIDTH_OF_WIDE: u64 = 4;
        let f = &self.layout().fields.str;
        let kinds = &self.layout().kinds;
        let (Some(state), Some(ascii_data), Some(compact_data)) =
            (f.state, f.ascii_data, f.compact_data)
        else {
            return Err(Broken);
        };
        let state = self.pieces().u32(state.of(addr)).ok_or(Broken)?;
        let state = match kinds.str {
            StrKind::BitsAfterInterned => state >> 8,
            _ => state >> 2,
        };
        let legacy = kinds.str == StrKind::BitsWithLegacy;
        let (width, compact, ascii) = (u64::from(state & 7), state & 8 != 0, state & 16 != 0);
        let alone = compact && ascii;
        // Those of constants of the binary are constants, too.
        let is_static = !legacy && state & 32 != 0;
        if alone && !legacy || is_static {
            return Ok(());
        }
        let length = || self.word(f.length.of(addr));
        let with_end = |length: u64, width: u64| length.saturating_add(1).saturating_mul(width);
        let data = match (compact, ascii) {
            (true, true) => ascii_data.of(addr),
            (true, false) => compact_data.of(addr),
            (false, _) => self.pointer(f.pointer.of(addr))?,
        };
        if !compact {
            table(data, with_end(length()?, width), found);
        }
        // PyCompactUnicodeObject { PyASCIIObject; utf8_length; utf8; wstr_length (up to 3.11) }
        let more = ascii_data.of(addr);
        if !alone {
            let utf8 = self.pointer(more.add(WORD))?;
            if utf8 != data {
                table(utf8, with_end(self.word(more)?, 1), found);
            }
        }
        if legacy {
            // `wstr` is the last of what every string has.
            let wide = self.pointer(more.sub(WORD))?;
            if wide != data {
                let length = match alone {
                    true => length()?,
                    false => self.word(more.add(2 * WORD))?,
                };
                table(wide, with_end(length, WIDTH_OF_WIDE), found);
            }
        }
        Ok(())
    }

    /// 2.7: the characters, and the same encoded, which is a `str` that nobody else knows of.
    pub(super) fn old_str(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        const ENCODED: u64 = 3 * WORD;
        let f = &self.layout().fields;
        let length = self.word(f.str.length.of(addr))?;
        let width = self.objects().unicode_width();
        let data = self.pointer(f.str.pointer.of(addr))?;
        table(data, length.saturating_add(1).saturating_mul(width), found);
        let encoded = Addr(self.after(addr, ENCODED)?);
        if !encoded.is_null() {
            let length = self.word(f.object.ob_size.of(encoded))?;
            let fixed = u64::from(f.bytes.data.offset) + 1;
            found(Part {
                start: encoded,
                len: Some(fixed.saturating_add(length)),
                kind: PartKind::Table,
            });
        }
        Ok(())
    }
}
