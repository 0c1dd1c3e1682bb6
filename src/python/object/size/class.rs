//! Sizes of classes (Objects/typeobject.c `type___sizeof___impl`), and of what ctypes keeps of
//! its own (Modules/_ctypes): in the class's dictionary up to 3.12, behind the class since.

use super::super::TypeInfo;
use super::{Sized, WORD};
use crate::addr::Addr;
use crate::target::Fault;
use std::sync::Arc;

/// Where the parts of a `StgInfo` of 3.13+ are, by its size in bytes.
struct Stored {
    size: u64,
    format: u64,
    dimensions: u64,
}

const STORED: &[Stored] = &[
    // 3.13
    Stored {
        size: 160,
        format: 136,
        dimensions: 144,
    },
    // 3.14, 3.15
    Stored {
        size: 176,
        format: 144,
        dimensions: 152,
    },
];

impl Sized<'_> {
    /// A class made at run time is counted with the keys of its instances' dictionaries.
    pub(super) fn type_size(&self) -> Result<u64, Fault> {
        let f = &self.objects.layout.fields.type_object;
        if !self.objects.type_at(self.addr)?.is_heap() {
            return Ok(f.size.offset.into());
        }
        let keys = match f.cached_keys {
            Some(keys) => self.objects.memory.ptr(keys.of(self.addr))?,
            None => Addr(0),
        };
        let keys = match keys.is_null() {
            true => 0,
            false => self.objects.keys_size(keys)?,
        };
        self.sum(&[self.plan.base, keys])
    }

    /// Up to 3.12: a dictionary with more behind it, which is counted twice.
    pub(super) fn ctypes_dict_size(&self) -> Result<u64, Fault> {
        // StgDictObject { PyDictObject; size; align; length; ffi_type; … format; ndim; … }
        const LENGTH: u64 = 16;
        const ELEMENTS: u64 = 40;
        const FORMAT: u64 = 120;
        const DIMENSIONS: u64 = 128;
        let dict = self.objects.layout.fields.dict.size;
        let more = self.plan.base.saturating_sub(dict.offset.into());
        let behind = dict.of(self.addr);
        let parts = self.ctypes_parts(behind, LENGTH, ELEMENTS, FORMAT, DIMENSIONS)?;
        self.sum(&[self.dict_size()?, more, parts])
    }

    /// From 3.13 on; `None` for a patch release whose struct is not known.
    pub(super) fn c_type_size(&self) -> Result<Option<u64>, Fault> {
        // StgInfo { initialized; size; align; length; ffi_type; … format; ndim; … }
        const LENGTH: u64 = 24;
        const ELEMENTS: u64 = 48;
        const ALIGNMENT: u64 = 16;
        let meta = self.objects.mro(&self.objects.type_of(self.addr)?);
        let named = |class: &&Arc<TypeInfo>| *self.objects.full_name(class) == *"type";
        let Some(ty) = meta.iter().find(named) else {
            return Ok(None);
        };
        let start = ty.basicsize.unsigned_abs().next_multiple_of(ALIGNMENT);
        let size = self.plan.base.saturating_sub(start);
        let Some(stored) = STORED.iter().find(|stored| stored.size == size) else {
            return Ok(None);
        };
        let info = self.addr.add(start);
        let parts = match self.objects.memory.u32(info)? {
            0 => 0,
            _ => self.ctypes_parts(info, LENGTH, ELEMENTS, stored.format, stored.dimensions)?,
        };
        self.sum(&[self.plain_size()?, parts]).map(Some)
    }

    /// The format, the elements for libffi, and the dimensions.
    fn ctypes_parts(
        &self,
        at: Addr,
        length: u64,
        elements: u64,
        format: u64,
        dimensions: u64,
    ) -> Result<u64, Fault> {
        let memory = &self.objects.memory;
        let format = self.c_string(memory.ptr(at.add(format))?)?;
        let elements = match memory.ptr(at.add(elements))?.is_null() {
            true => 0,
            false => memory.u64(at.add(length))?.saturating_add(1),
        };
        let dimensions = u64::from(memory.u32(at.add(dimensions))?);
        let words = elements.saturating_add(dimensions);
        self.sum(&[format, words.saturating_mul(WORD)])
    }
}
