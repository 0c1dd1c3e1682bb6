//! Dictionaries (Objects/dictobject.c): 2.7's open table, the compact tables of 3.6–3.10 and of
//! 3.11+, and split tables, whose values lie apart from their keys.

use super::rows::{Array, Rows};
use super::{Objects, TypeInfo, malformed};
use crate::addr::Addr;
use crate::python::layout::{DictKind, ValuesKind};
use crate::target::Fault;

/// The most entries of a table that is read at once.
const MOST_ENTRIES: u64 = 1 << 20;

/// Binary logarithm of the largest table.
const LARGEST_LOG2: u8 = 36;

/// The most classes between a class and the builtin type it is made from.
const MOST_BASES: usize = 100;

/// Bytes in front of the values from 3.13 on: capacity, size, embedded, valid.
const HEADER: u64 = 8;

/// `dk_kind` of a table with any keys; other kinds leave the hash out of their entries.
const GENERAL: u8 = 0;

/// The keys of a dictionary, as pairs (key, value), the value NULL where it is kept apart or the
/// entry is deleted.
pub(super) type Entries = Vec<(Addr, Addr)>;

/// Walks the items of a dictionary as pairs (key, value). After a fault it ends.
pub struct DictItems<'o>(Walk<'o>);

enum Walk<'o> {
    /// Of a split table, which is small.
    Split(std::vec::IntoIter<(Addr, Addr)>),
    Table(Rows<'o>),
}

impl Iterator for DictItems<'_> {
    type Item = Result<(Addr, Addr), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let live = |row: &Result<(Addr, Addr), Fault>| match row {
            Ok((key, value)) => !key.is_null() && !value.is_null(),
            Err(_) => true,
        };
        match &mut self.0 {
            Walk::Split(entries) => entries.next().map(Ok),
            Walk::Table(rows) => rows.find(live),
        }
    }
}

/// Bytes of one index into the entries of a table with so many slots (`DK_IXSIZE`). Indices
/// are signed.
pub(crate) fn index_width(slots: u64) -> u64 {
    match slots {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

impl Objects {
    /// The items of the dictionary at `addr`, in order of insertion (2.7: of the table); an error
    /// when its table is very large, for which there is [`Objects::dict_iter`].
    pub fn dict_items(&self, addr: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        if self.dict_table(addr)?.count > MOST_ENTRIES {
            return Err(malformed(addr));
        }
        self.dict_iter(addr)?.collect()
    }

    /// Walks the items of the dictionary at `addr`, of any size.
    pub fn dict_iter(&self, addr: Addr) -> Result<DictItems<'_>, Fault> {
        let table = self.dict_table(addr)?;
        if let Some(values) = self.layout.fields.dict.values {
            let values = self.memory.ptr(values.of(addr))?;
            if !values.is_null() {
                let mut entries = self.entries(table)?;
                self.join_values(&mut entries, values)?;
                entries.retain(|(key, value)| !key.is_null() && !value.is_null());
                return Ok(DictItems(Walk::Split(entries.into_iter())));
            }
        }
        Ok(DictItems(Walk::Table(self.rows(table))))
    }

    /// How many items the dictionary at `addr` says that it has; an error when its table has no
    /// room for them or cannot be where it should be.
    pub fn dict_len(&self, addr: Addr) -> Result<u64, Fault> {
        let table = self.dict_table(addr)?;
        let used = self.memory.u64(self.layout.fields.dict.used.of(addr))?;
        let mapped = self.plausible(table.at, table.count, table.stride);
        match used <= table.count && mapped.is_ok() {
            true => Ok(used),
            false => Err(malformed(addr)),
        }
    }

    /// The value of the string key `name` in the dictionary at `addr`.
    pub fn dict_get(&self, addr: Addr, name: &str) -> Result<Option<Addr>, Fault> {
        for item in self.dict_iter(addr)? {
            let (key, value) = item?;
            if self.is_text(key, name) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Whether objects of this type are dictionaries, 3.15's `frozendict` among them, which has no
    /// flag of its own.
    pub(super) fn is_dictionary(&self, ty: &TypeInfo) -> bool {
        if ty.is_dict() {
            return true;
        }
        let named = |ty: &TypeInfo| !ty.is_heap() && ty.name.as_deref() == Some("frozendict");
        if named(ty) {
            return true;
        }
        let mut base = ty.base;
        for _ in 0..MOST_BASES {
            let Ok(next) = self.type_at(base) else {
                return false;
            };
            if named(&next) {
                return true;
            }
            base = next.base;
        }
        false
    }

    /// The entries of the dictionary at `addr`.
    fn dict_table(&self, addr: Addr) -> Result<Array, Fault> {
        let ty = self.type_of(addr)?;
        if !self.is_dictionary(&ty) {
            return Err(malformed(addr));
        }
        let f = &self.layout.fields.dict;
        match (f.keys, f.mask, f.table) {
            (Some(keys), _, _) => self.keys_table(self.memory.ptr(keys.of(addr))?),
            (None, Some(mask), Some(table)) => {
                let slots = self.memory.u64(mask.of(addr))?.checked_add(1);
                let slots = slots.filter(|n| n.is_power_of_two() && *n <= 1 << LARGEST_LOG2);
                Ok(Array {
                    at: self.memory.ptr(table.of(addr))?,
                    count: slots.ok_or_else(|| malformed(addr))?,
                    stride: 24,
                    offset: 8,
                })
            }
            _ => Err(malformed(addr)),
        }
    }

    /// The entries of the keys object at `keys`.
    pub(super) fn key_entries(&self, keys: Addr) -> Result<Entries, Fault> {
        self.entries(self.keys_table(keys)?)
    }

    /// The entries of the keys object at `keys`: deleted ones, whose value is NULL, included.
    fn keys_table(&self, keys: Addr) -> Result<Array, Fault> {
        let wrong = || malformed(keys);
        let f = self.layout.fields.dict_keys.as_ref().ok_or_else(wrong)?;
        let count = self.memory.u64(f.nentries.of(keys))?;
        let (slots, index_bytes, general) = match (f.slots, f.log2_slots, f.log2_index_bytes) {
            (Some(slots), _, _) => {
                let slots = self.memory.u64(slots.of(keys))?;
                if slots > 1 << LARGEST_LOG2 || !slots.is_power_of_two() {
                    return Err(wrong());
                }
                (slots, slots * index_width(slots), true)
            }
            (None, Some(log2_slots), Some(log2_bytes)) => {
                let log2_slots = self.memory.u8(log2_slots.of(keys))?;
                let log2_bytes = self.memory.u8(log2_bytes.of(keys))?;
                if log2_slots > LARGEST_LOG2 || !(log2_slots..=log2_slots + 3).contains(&log2_bytes)
                {
                    return Err(wrong());
                }
                let kind = self.memory.u8(f.kind.ok_or_else(wrong)?.of(keys))?;
                (1 << log2_slots, 1 << log2_bytes, kind == GENERAL)
            }
            _ => return Err(wrong()),
        };
        if count > slots {
            return Err(wrong());
        }
        let (stride, offset) = if general { (24, 8) } else { (16, 0) };
        Ok(Array {
            at: f.indices.of(keys).add(index_bytes),
            count,
            stride,
            offset,
        })
    }

    /// Takes the values of a split table from where they are kept, in order of insertion.
    pub(super) fn join_values(&self, entries: &mut Entries, values: Addr) -> Result<(), Fault> {
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
        if let Some(ordered) = self.insertion_order(entries, values) {
            *entries = ordered;
        }
        Ok(())
    }

    /// The entries that have a value, in the order that bytes beside the values tell from 3.11 on;
    /// `None` where that order does not hold each of them once.
    fn insertion_order(&self, entries: &Entries, values: Addr) -> Option<Entries> {
        let order = match (self.layout.kinds.values, self.layout.kinds.dict) {
            (ValuesKind::Headed, _) => {
                let capacity = u64::from(self.memory.u8(values).ok()?);
                let size = self.memory.u8(values.add(1)).ok()?;
                let at = values.add(HEADER + capacity * 8);
                self.memory.bytes(at, size.into()).ok()?.into_owned()
            }
            // They go backwards, in front of the values.
            (ValuesKind::Bare, DictKind::CompactLog2) => {
                let end = values.sub(2);
                let size = self.memory.u8(end).ok()?;
                let bytes = self.memory.bytes(end.sub(size.into()), size.into()).ok()?;
                bytes.iter().rev().copied().collect()
            }
            _ => return None,
        };
        let present = entries.iter().filter(|(_, value)| !value.is_null()).count();
        let mut unique = order.clone();
        unique.sort_unstable();
        unique.dedup();
        let ordered: Entries = order
            .iter()
            .filter_map(|index| entries.get(usize::from(*index)).copied())
            .filter(|(_, value)| !value.is_null())
            .collect();
        (ordered.len() == present && unique.len() == order.len()).then_some(ordered)
    }

    /// All entries of a table that is not too large.
    fn entries(&self, table: Array) -> Result<Entries, Fault> {
        match table.count > MOST_ENTRIES {
            true => Err(malformed(table.at)),
            false => self.rows(table).collect(),
        }
    }
}
