//! What `sys.getsizeof` tells (Python/sysmodule.c `_PySys_GetSizeOf`): the type's `__sizeof__`,
//! done here for the builtin types that have one of their own, and what lies in front of the
//! object.

use super::dict::index_width;
use super::{Objects, TypeInfo, flags, malformed};
use crate::addr::Addr;
use crate::python::layout::{Attributes, StrKind};
use crate::target::Fault;
use std::sync::Arc;

/// Takes part in garbage collection.
const GC: u64 = 1 << 14;

/// The list of weak references lies in front of the instance (3.12+).
const MANAGED_WEAKREF: u64 = 1 << 3;

/// Bytes of a pointer.
const WORD: u64 = 8;

/// Damaged words must not wrap around.
fn sum(addr: Addr, parts: &[u64]) -> Result<u64, Fault> {
    let sum = parts
        .iter()
        .try_fold(0u64, |sum, part| sum.checked_add(*part));
    sum.filter(|sum| *sum < 1 << 48)
        .ok_or_else(|| malformed(addr))
}

impl Objects {
    /// The size in bytes that `sys.getsizeof` tells; `None` where the type computes it by code
    /// that is not known here.
    pub fn size_of(&self, addr: Addr) -> Result<Option<u64>, Fault> {
        let ty = self.type_of(addr)?;
        let own = self.own_bytes(addr, &ty)?;
        let before = self.size_before(addr, &ty)?;
        own.map(|own| sum(addr, &[own, before])).transpose()
    }

    /// The size of the struct with its items, whatever its `__sizeof__` may tell, and of what lies
    /// in front of it.
    pub fn struct_size(&self, addr: Addr) -> Result<u64, Fault> {
        let ty = self.type_of(addr)?;
        let basic = u64::try_from(ty.basicsize).map_err(|_| malformed(addr))?;
        let own = self.plain_size(addr, &ty, basic)?;
        sum(addr, &[own, self.size_before(addr, &ty)?])
    }

    /// Bytes in front of every instance of a type; `None` where instances differ.
    pub fn bytes_before(&self, ty: &TypeInfo) -> Option<u64> {
        let is_metatype = ty.is(flags::TYPE);
        (!is_metatype).then(|| self.head(ty, ty.is(GC)))
    }

    /// Bytes in front of the object that belong to it.
    fn size_before(&self, addr: Addr, ty: &TypeInfo) -> Result<u64, Fault> {
        // Types take part only when they were made at run time.
        let collected = ty.is(GC) && (!ty.is(flags::TYPE) || self.type_at(addr)?.is_heap());
        Ok(self.head(ty, collected))
    }

    fn head(&self, ty: &TypeInfo, collected: bool) -> u64 {
        let head = match collected {
            true => u64::from(self.layout.kinds.gc_head),
            false => 0,
        };
        let words = match self.layout.kinds.attributes {
            Attributes::DictOffset => 0,
            Attributes::TwoWords => flags::MANAGED_DICT,
            _ => flags::MANAGED_DICT | MANAGED_WEAKREF,
        };
        head + if ty.is(words) { 2 * WORD } else { 0 }
    }

    /// What `__sizeof__` of the object at `addr` tells; `None` where its type computes it by code that
    /// is not known here.
    pub fn own_bytes(&self, addr: Addr, ty: &Arc<TypeInfo>) -> Result<Option<u64>, Fault> {
        let basic = u64::try_from(ty.basicsize).map_err(|_| malformed(addr))?;
        let method = self.class_attribute(ty, "__sizeof__");
        let Some((_, owner)) = method else {
            return self.plain_size(addr, ty, basic).map(Some);
        };
        match &*self.full_name(&owner) {
            "object" | "bytes" | "tuple" => self.plain_size(addr, ty, basic).map(Some),
            "str" if self.layout.kinds.str == StrKind::Pointer => {
                self.plain_size(addr, ty, basic).map(Some)
            }
            "str" => self.str_size(addr, basic),
            "int" | "long" => self.int_size(addr, ty, basic),
            "list" => {
                let allocated = self.layout.fields.list.items.of(addr).add(WORD);
                let allocated = self.memory.u64(allocated)?;
                sum(addr, &[basic, allocated.saturating_mul(WORD)]).map(Some)
            }
            "dict" => self.dict_size(addr, basic),
            "set" | "frozenset" => {
                let word = |index: u64| self.memory.u64(self.after(addr, index * WORD));
                let (mask, table) = (word(2)?, word(3)?);
                let inside = (addr.0..addr.0.saturating_add(basic)).contains(&table);
                let slots = if inside { 0 } else { mask.saturating_add(1) };
                sum(addr, &[basic, slots.saturating_mul(2 * WORD)]).map(Some)
            }
            "bytearray" => self.bytearray_size(addr, basic),
            "collections.deque" => self.deque_size(addr, basic),
            "type" => self.type_size(addr, basic).map(Some),
            "generator" | "coroutine" | "async_generator" => self.generator_size(addr).map(Some),
            _ => Ok(None),
        }
    }

    /// `object.__sizeof__`.
    fn plain_size(&self, addr: Addr, ty: &TypeInfo, basic: u64) -> Result<u64, Fault> {
        if ty.itemsize == 0 {
            return Ok(basic);
        }
        let items = self.var_size(addr)?.unsigned_abs();
        let item = ty.itemsize.unsigned_abs();
        sum(addr, &[basic, items.saturating_mul(item)])
    }

    fn int_size(&self, addr: Addr, ty: &TypeInfo, basic: u64) -> Result<Option<u64>, Fault> {
        const DIGIT: u64 = 4;
        let f = &self.layout.fields.int;
        if f.small.is_some() && ty.is(flags::SMALL_INT) {
            return Ok(Some(basic));
        }
        let digits = match f.tag {
            Some(tag) => (self.memory.u64(tag.of(addr))? >> 3).max(1),
            None => self.var_size(addr)?.unsigned_abs(),
        };
        // Versions differ on what they count of a subclass with attributes.
        let start = f.digits.offset.into();
        match basic == start {
            true => sum(addr, &[start, digits.saturating_mul(DIGIT)]).map(Some),
            false => Ok(None),
        }
    }

    fn str_size(&self, addr: Addr, basic: u64) -> Result<Option<u64>, Fault> {
        let f = &self.layout.fields.str;
        let (Some(state), Some(ascii_data), Some(compact_data)) =
            (f.state, f.ascii_data, f.compact_data)
        else {
            return Ok(None);
        };
        let state = self.memory.u32(state.of(addr))?;
        let state = match self.layout.kinds.str {
            StrKind::BitsAfterInterned => state >> 8,
            _ => state >> 2,
        };
        let (width, compact, ascii) = (u64::from(state & 7), state >> 3 & 1, state >> 4 & 1);
        let length = self.memory.u64(f.length.of(addr))?;
        let data = match (compact, ascii) {
            (1, 1) => ascii_data,
            (1, _) => compact_data,
            _ => return Ok(None),
        };
        // A subclass is not compact; a type that is larger than `str` adds to it.
        if basic < u64::from(compact_data.offset) {
            return Ok(None);
        }
        let characters = length.saturating_add(1).saturating_mul(width);
        let mut copies = 0;
        if ascii == 0 {
            // PyCompactUnicodeObject { PyASCIIObject; Py_ssize_t utf8_length; char *utf8; … }
            let utf8_length = self.memory.u64(ascii_data.of(addr))?;
            if !self.memory.ptr(ascii_data.of(addr).add(WORD))?.is_null() {
                copies = utf8_length.saturating_add(1);
            }
        }
        if self.layout.kinds.str == StrKind::BitsWithLegacy {
            /// `wstr`, behind the object header, and the size of its characters.
            const WSTR: u64 = 24;
            const WIDE: u64 = 4;
            let wstr = self.memory.ptr(self.after(addr, WSTR))?;
            if !wstr.is_null() && wstr != data.of(addr) {
                let copy = length.saturating_add(1).saturating_mul(WIDE);
                copies = copies.saturating_add(copy);
            }
        }
        sum(addr, &[data.offset.into(), characters, copies]).map(Some)
    }

    fn dict_size(&self, addr: Addr, basic: u64) -> Result<Option<u64>, Fault> {
        let f = &self.layout.fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            // 2.7: eight slots of three words lie in the object.
            let (Some(mask), Some(table)) = (f.mask, f.table) else {
                return Ok(None);
            };
            let table = self.memory.ptr(table.of(addr))?;
            let inside = (addr.0..addr.0.saturating_add(basic)).contains(&table.0);
            let slots = match inside {
                true => 0,
                false => self.memory.u64(mask.of(addr))?.saturating_add(1),
            };
            return sum(addr, &[basic, slots.saturating_mul(3 * WORD)]).map(Some);
        };
        let keys = self.memory.ptr(keys.of(addr))?;
        if !self.memory.ptr(values.of(addr))?.is_null() {
            // How much of a split table counts differs between patch releases.
            return Ok(None);
        }
        let shared = self.memory.u64(keys)? != 1;
        let size = if shared { 0 } else { self.keys_size(keys)? };
        sum(addr, &[basic, size]).map(Some)
    }

    /// The size of a keys object.
    fn keys_size(&self, keys: Addr) -> Result<u64, Fault> {
        const GENERAL_ENTRY: u64 = 24;
        const STRING_ENTRY: u64 = 16;
        let f = self.layout.fields.dict_keys.as_ref();
        let f = f.ok_or_else(|| malformed(keys))?;
        let shifted = |log2: u8| {
            let size = 1u64.checked_shl(log2.into());
            size.ok_or_else(|| malformed(keys))
        };
        let (slots, indices, entry) = match (f.slots, f.log2_slots, f.log2_index_bytes, f.kind) {
            (Some(slots), ..) => {
                let slots = self.memory.u64(slots.of(keys))?;
                let indices = slots.saturating_mul(index_width(slots));
                (slots, indices, GENERAL_ENTRY)
            }
            (_, Some(slots), Some(indices), Some(kind)) => {
                let entry = match self.memory.u8(kind.of(keys))? {
                    0 => GENERAL_ENTRY,
                    _ => STRING_ENTRY,
                };
                let slots = shifted(self.memory.u8(slots.of(keys))?)?;
                let indices = shifted(self.memory.u8(indices.of(keys))?)?;
                (slots, indices, entry)
            }
            _ => return Err(malformed(keys)),
        };
        let usable = slots.saturating_mul(2) / 3;
        let header = f.indices.offset.into();
        sum(keys, &[header, indices, usable.saturating_mul(entry)])
    }

    fn bytearray_size(&self, addr: Addr, basic: u64) -> Result<Option<u64>, Fault> {
        let start = self.layout.fields.bytearray.start;
        // `ob_alloc` precedes `ob_bytes`; behind `ob_start` lie the exports, and from 3.15 on the
        // bytes object that holds the data.
        let behind = basic.saturating_sub(start.offset.into());
        let alloc = match behind {
            8 => start.of(addr).sub(8),
            16 | 24 => start.of(addr).sub(16),
            _ => return Ok(None),
        };
        let alloc = self.memory.u64(alloc)?;
        let holder = match (behind, alloc) {
            // The empty one is shared by all.
            (24, 0) => return Ok(None),
            (24, _) => u64::from(self.layout.fields.bytes.data.offset) + 1,
            _ => 0,
        };
        sum(addr, &[basic, holder, alloc]).map(Some)
    }

    fn deque_size(&self, addr: Addr, basic: u64) -> Result<Option<u64>, Fault> {
        const LINKS: u64 = 2;
        let f = &self.layout.fields;
        let block = &f.deque_block;
        let items = u64::from(block.right.offset.saturating_sub(block.data.offset)) / WORD;
        let length = match f.deque.length {
            Some(length) => self.memory.u64(length.of(addr))?,
            None => u64::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))?,
        };
        let first = self.memory.u64(f.deque.left_index.of(addr))?;
        let slots = sum(addr, &[first, length])?;
        let blocks = slots.div_ceil(items.max(1));
        let bytes = blocks.saturating_mul((items + LINKS) * WORD);
        sum(addr, &[basic, bytes]).map(Some)
    }

    fn type_size(&self, addr: Addr, basic: u64) -> Result<u64, Fault> {
        let f = &self.layout.fields.type_object;
        if !self.type_at(addr)?.is_heap() {
            return Ok(u64::from(f.size.offset));
        }
        let keys = match f.cached_keys {
            Some(keys) => self.memory.ptr(keys.of(addr))?,
            None => Addr(0),
        };
        let keys = if keys.is_null() {
            0
        } else {
            self.keys_size(keys)?
        };
        sum(addr, &[basic, keys])
    }

    /// 3.11+: the frame is a part of the object.
    fn generator_size(&self, addr: Addr) -> Result<u64, Fault> {
        let f = &self.layout.fields;
        let start = f.generator.frame.of(addr);
        let code = self.memory.ptr(f.frame.code.of(start))?;
        let code = Addr(code.0 & !3);
        let slots = f.code.nlocalsplus.unwrap_or(f.code.nlocals).of(code);
        let slots = u64::from(self.memory.u32(slots)?);
        let stack = u64::from(self.memory.u32(f.code.stacksize.of(code))?);
        let fixed = u64::from(f.generator.frame.offset) + u64::from(f.frame.localsplus.offset);
        sum(addr, &[fixed, (slots + stack) * WORD])
    }
}
