//! Sizes of dictionaries (Objects/dictobject.c `_PyDict_SizeOf`, Objects/odictobject.c), and of
//! the keys that classes keep for those of their instances.

use super::super::dict::index_width;
use super::super::{Objects, malformed};
use super::{Sized, WORD, sum};
use crate::addr::Addr;
use crate::python::layout::DictKind;
use crate::target::Fault;

/// Of how many slots that many may be used: two of three.
fn usable(slots: u64) -> u64 {
    slots.saturating_mul(2) / 3
}

impl Objects {
    /// The size of a keys object.
    pub(super) fn keys_size(&self, keys: Addr) -> Result<u64, Fault> {
        const GENERAL_ENTRY: u64 = 24;
        const STRING_ENTRY: u64 = 16;
        let f = self.layout.fields.dict_keys.as_ref();
        let f = f.ok_or_else(|| malformed(keys))?;
        let power = |log2: u8| {
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
                let slots = power(self.memory.u8(slots.of(keys))?)?;
                let indices = power(self.memory.u8(indices.of(keys))?)?;
                (slots, indices, entry)
            }
            _ => return Err(malformed(keys)),
        };
        let header = f.indices.offset.into();
        let entries = usable(slots).saturating_mul(entry);
        sum(keys, &[header, indices, entries])
    }

    /// The size of the values of a split table with these keys.
    fn values_size(&self, keys: Addr) -> Result<u64, Fault> {
        let f = self.layout.fields.dict_keys.as_ref();
        let f = f.ok_or_else(|| malformed(keys))?;
        let count = match (self.layout.kinds.dict, f.slots) {
            (DictKind::Compact, Some(slots)) => usable(self.memory.u64(slots.of(keys))?),
            _ => {
                let used = self.memory.u64(f.nentries.of(keys))?;
                used.saturating_add(self.memory.u64(f.usable.of(keys))?)
            }
        };
        Ok(count.saturating_mul(WORD))
    }
}

impl Sized<'_> {
    pub(super) fn dict_size(&self) -> Result<u64, Fault> {
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            return self.open_table_size();
        };
        let keys = memory.ptr(keys.of(self.addr))?;
        let values = match memory.ptr(values.of(self.addr))?.is_null() {
            true => 0,
            false => self.objects.values_size(keys)?,
        };
        // Keys that others use too are not counted: mostly the class does.
        let own_keys = match memory.u64(keys)? {
            1 => self.objects.keys_size(keys)?,
            _ => 0,
        };
        self.sum(&[self.plan.basic, values, own_keys])
    }

    /// 2.7: a small table lies in the object.
    fn open_table_size(&self) -> Result<u64, Fault> {
        const SLOT: u64 = 3 * WORD;
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.dict;
        let (Some(mask), Some(table)) = (f.mask, f.table) else {
            return Err(malformed(self.addr));
        };
        let slots = match self.is_inside(memory.ptr(table.of(self.addr))?) {
            true => 0,
            false => memory.u64(mask.of(self.addr))?.saturating_add(1),
        };
        self.sum(&[self.plan.basic, slots.saturating_mul(SLOT)])
    }

    /// An `OrderedDict` has a list of nodes beside the table, and an array of them by slot.
    pub(super) fn ordered_dict_size(&self) -> Result<u64, Fault> {
        // PyODictObject { PyDictObject; od_first; od_last; od_fast_nodes; od_fast_nodes_size; … }
        const FAST_NODES_SIZE: u64 = 24;
        // _ODictNode { key; hash; next; prev }
        const NODE: u64 = 32;
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.dict;
        let fast = memory.u64(f.size.of(self.addr).add(FAST_NODES_SIZE))?;
        let used = memory.u64(f.used.of(self.addr))?;
        let fast = fast.saturating_mul(WORD);
        self.sum(&[self.dict_size()?, fast, used.saturating_mul(NODE)])
    }
}
