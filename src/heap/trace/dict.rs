//! Dictionaries (Objects/dictobject.c), as `python::object::dict` reads them, on borrowed bytes:
//! the tables of 3.6 and later. 2.7's are read there.

use super::{Broken, Follow, MOST_ITEMS, Tracer, Visit, WORD, tell};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::{DictKind, ValuesKind};

/// Bytes in front of the values from 3.13 on: capacity, size, embedded, valid.
const HEADER: u64 = 8;

/// Binary logarithm of the largest table.
const LARGEST_LOG2: u8 = 36;

/// `dk_kind` of a table with any keys; other kinds leave the hash out of their entries.
const GENERAL: u8 = 0;

/// Where the entries of a keys object lie.
#[derive(Clone, Copy)]
pub(in crate::heap) struct Entries {
    at: Addr,
    /// Deleted ones included.
    pub(in crate::heap) count: u64,
    /// Bytes of an entry.
    pub(in crate::heap) stride: u64,
    /// Where in an entry the key is; the value follows.
    key: u64,
    /// Bytes before the first entry, and how many entries there is room for.
    before: u64,
    pub(in crate::heap) room: u64,
    /// Whether keys may be anything; else all are strings, and the collector is not told of them.
    general: bool,
}

impl Entries {
    /// Bytes of the keys object.
    pub(in crate::heap) fn whole_size(&self) -> Result<u64, Broken> {
        let entries = self.room.checked_mul(self.stride).ok_or(Broken)?;
        entries.checked_add(self.before).ok_or(Broken)
    }
}

impl Tracer<'_, '_> {
    pub(super) fn dict(&self, addr: Addr, found: &mut impl Visit) -> Result<(), Broken> {
        let f = &self.layout().fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            for item in self.objects.dict_iter(addr).map_err(|_| Broken)? {
                let (key, value) = item.map_err(|_| Broken)?;
                found.refer(key);
                found.refer(value);
            }
            return Ok(());
        };
        let keys = self.entries(Addr(self.word(keys.of(addr))?))?;
        let values = Addr(self.word(values.of(addr))?);
        match values.is_null() {
            true => self.table(keys, found),
            false if self.are_values_told(values)? => Ok(()),
            false => self.split(keys, values, found),
        }
    }

    /// Whether these values lie in an instance, which tells the collector of them.
    fn are_values_told(&self, values: Addr) -> Result<bool, Broken> {
        const EMBEDDED: u64 = 2;
        let told = self.follow == Follow::Told && self.layout().kinds.told.values_first;
        Ok(told && self.pieces.u8(values.add(EMBEDDED)).ok_or(Broken)? == 1)
    }

    /// A table with its values.
    fn table(&self, entries: Entries, found: &mut impl Visit) -> Result<(), Broken> {
        let keys = entries.general || self.follow == Follow::Everything;
        self.rows(entries.at, entries.count, entries.stride, |row| {
            let key = bytes::u64_at(row, entries.key as usize).unwrap_or(0);
            let value = bytes::u64_at(row, (entries.key + WORD) as usize).unwrap_or(0);
            if key != 0 && value != 0 {
                if keys {
                    found.refer(Addr(key));
                }
                found.refer(Addr(value));
            }
        })
    }

    /// Keys whose values lie apart.
    fn split(&self, entries: Entries, values: Addr, found: &mut impl Visit) -> Result<(), Broken> {
        let (start, count) = self.values(entries, values)?;
        let raw = self.pieces.bytes(start, (count * WORD) as usize);
        let raw = raw.ok_or(Broken)?;
        let keys = self
            .pieces
            .bytes(entries.at, (count * entries.stride) as usize);
        let keys = keys.ok_or(Broken)?;
        let rows = keys.chunks_exact(entries.stride as usize);
        for (value, row) in raw.chunks_exact(WORD as usize).zip(rows) {
            let value = bytes::u64_at(value, 0).unwrap_or(0);
            let key = bytes::u64_at(row, entries.key as usize).unwrap_or(0);
            if key != 0 && value != 0 {
                if self.follow == Follow::Everything {
                    found.refer(Addr(key));
                }
                found.refer(Addr(value));
            }
        }
        Ok(())
    }

    /// The values alone, as an instance has them.
    pub(super) fn bare_values(
        &self,
        entries: Entries,
        values: Addr,
        found: &mut impl Visit,
    ) -> Result<(), Broken> {
        let (start, count) = self.values(entries, values)?;
        let raw = self.pieces.bytes(start, (count * WORD) as usize);
        for value in raw.ok_or(Broken)?.chunks_exact(WORD as usize) {
            tell(bytes::u64_at(value, 0).unwrap_or(0), found);
        }
        Ok(())
    }

    /// Where values begin, and how many there can be.
    fn values(&self, entries: Entries, values: Addr) -> Result<(Addr, u64), Broken> {
        match self.layout().kinds.values {
            ValuesKind::None => Err(Broken),
            ValuesKind::Bare => Ok((values, entries.count)),
            ValuesKind::Headed => {
                let capacity = self.pieces.u8(values).ok_or(Broken)?;
                Ok((values.add(HEADER), entries.count.min(capacity.into())))
            }
        }
    }

    /// The entries of a keys object.
    pub(in crate::heap) fn entries(&self, keys: Addr) -> Result<Entries, Broken> {
        let f = self.layout().fields.dict_keys.as_ref().ok_or(Broken)?;
        let header = self.pieces.bytes(keys, f.indices.index()).ok_or(Broken)?;
        let byte = |field: crate::python::layout::Field| header.get(field.index()).copied();
        let count = bytes::u64_at(&header, f.nentries.index()).ok_or(Broken)?;
        let (slots, index_bytes, general, any) = match (f.slots, f.log2_slots, f.log2_index_bytes) {
            (Some(slots), _, _) => {
                let slots = bytes::u64_at(&header, slots.index()).ok_or(Broken)?;
                if slots > 1 << LARGEST_LOG2 || !slots.is_power_of_two() {
                    return Err(Broken);
                }
                let width = crate::python::object::index_width(slots);
                let lookup = f.slots.map(|slots| self.word(slots.of(keys).add(WORD)));
                let any = lookup.transpose()? == Some(self.general_lookup);
                (slots, slots * width, true, any)
            }
            (None, Some(slots), Some(index_bytes)) => {
                let slots = byte(slots).ok_or(Broken)?;
                let index_bytes = byte(index_bytes).ok_or(Broken)?;
                if slots > LARGEST_LOG2 || !(slots..=slots + 3).contains(&index_bytes) {
                    return Err(Broken);
                }
                let kind = f.kind.and_then(byte).ok_or(Broken)?;
                let general = kind == GENERAL;
                (1 << slots, 1 << index_bytes, general, general)
            }
            _ => return Err(Broken),
        };
        if count > slots || slots > MOST_ITEMS {
            return Err(Broken);
        }
        let (stride, key) = if general { (24, 8) } else { (16, 0) };
        debug_assert!(general || self.layout().kinds.dict == DictKind::CompactLog2);
        Ok(Entries {
            at: f.indices.of(keys).add(index_bytes),
            count,
            stride,
            key,
            before: u64::from(f.indices.offset) + index_bytes,
            room: slots * 2 / 3,
            general: any,
        })
    }
}
