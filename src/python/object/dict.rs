//! Dictionaries (Objects/dictobject.c): 2.7's open table, the compact tables of 3.6–3.10 and of
//! 3.11+, and split tables, whose values lie apart from their keys.

use super::{Objects, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::ValuesKind;
use crate::target::Fault;

/// The most entries one dictionary may have for pydbg to look at it.
const MOST_ENTRIES: u64 = 1 << 20;

/// `dk_kind` of a table with any keys; other kinds leave the hash out of their entries.
const GENERAL: u8 = 0;

/// The keys of a dictionary, as pairs (key, value), the value NULL where it is kept apart or the
/// entry is deleted.
pub(super) type Entries = Vec<(Addr, Addr)>;

impl Objects {
    /// The items of the dictionary at `addr`, in order of insertion (2.7: of the table).
    pub fn dict_items(&self, addr: Addr) -> Result<Entries, Fault> {
        if !self.type_of(addr)?.is_dict() {
            return Err(malformed(addr));
        }
        let f = &self.layout.fields.dict;
        let mut entries = match (f.keys, f.mask, f.table) {
            (Some(keys), _, _) => self.key_entries(self.memory.ptr(keys.of(addr))?)?,
            (None, Some(mask), Some(table)) => {
                let slots = self.memory.u64(mask.of(addr))?.checked_add(1);
                let slots = slots.ok_or_else(|| malformed(addr))?;
                self.entries(self.memory.ptr(table.of(addr))?, slots, 8, 24)?
            }
            _ => return Err(malformed(addr)),
        };
        if let Some(values) = f.values {
            let values = self.memory.ptr(values.of(addr))?;
            if !values.is_null() {
                self.join_values(&mut entries, values)?;
            }
        }
        entries.retain(|(key, value)| !key.is_null() && !value.is_null());
        Ok(entries)
    }

    /// The value of the string key `name` in the dictionary at `addr`.
    pub fn dict_get(&self, addr: Addr, name: &str) -> Result<Option<Addr>, Fault> {
        let items = self.dict_items(addr)?;
        let found = items.into_iter().find(|(key, _)| self.is_text(*key, name));
        Ok(found.map(|(_, value)| value))
    }

    /// The entries of the keys object at `keys`.
    pub(super) fn key_entries(&self, keys: Addr) -> Result<Entries, Fault> {
        let f = self
            .layout
            .fields
            .dict_keys
            .as_ref()
            .ok_or_else(|| malformed(keys))?;
        let count = self.memory.u64(f.nentries.of(keys))?;
        let indices = f.indices.of(keys);
        match (f.slots, f.log2_index_bytes, f.kind) {
            (Some(slots), _, _) => {
                let slots = self.memory.u64(slots.of(keys))?;
                let width = match slots {
                    0..=0xff => 1,
                    0x100..=0xffff => 2,
                    0x1_0000..=0xffff_ffff => 4,
                    _ => 8,
                };
                if slots > 2 * MOST_ENTRIES || count > slots {
                    return Err(malformed(keys));
                }
                self.entries(indices.add(slots * width), count, 8, 24)
            }
            (None, Some(log2), Some(kind)) => {
                let log2 = self.memory.u8(log2.of(keys))?;
                let index_bytes = 1u64
                    .checked_shl(log2.into())
                    .ok_or_else(|| malformed(keys))?;
                let at = indices.add(index_bytes);
                match self.memory.u8(kind.of(keys))? {
                    GENERAL => self.entries(at, count, 8, 24),
                    _ => self.entries(at, count, 0, 16),
                }
            }
            _ => Err(malformed(keys)),
        }
    }

    /// Takes the values of a split table from where they are kept.
    pub(super) fn join_values(&self, entries: &mut Entries, values: Addr) -> Result<(), Fault> {
        const HEADER: u64 = 8;
        let start = match self.layout.kinds.values {
            ValuesKind::None => return Err(malformed(values)),
            ValuesKind::Bare => values,
            ValuesKind::Headed => {
                let capacity = self.memory.u8(values)?;
                entries.truncate(capacity.into());
                values.add(HEADER)
            }
        };
        let pointers = self.pointers(start, entries.len())?;
        for (entry, value) in entries.iter_mut().zip(pointers) {
            entry.1 = value;
        }
        Ok(())
    }

    /// `count` entries of `stride` bytes, with the key at `key` and the value behind it.
    fn entries(&self, at: Addr, count: u64, key: usize, stride: usize) -> Result<Entries, Fault> {
        if count > MOST_ENTRIES {
            return Err(malformed(at));
        }
        let count = count as usize;
        let raw = self.memory.bytes(at, count.saturating_mul(stride))?;
        let pair = |i: usize| {
            let base = i * stride + key;
            let key = bytes::u64_at(&raw, base)?;
            Some((Addr(key), Addr(bytes::u64_at(&raw, base + 8)?)))
        };
        Ok((0..count).filter_map(pair).collect())
    }
}
