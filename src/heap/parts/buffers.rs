//! The data of types that are there to have it: `bytearray` (Objects/bytearrayobject.c), `array`,
//! `io.BytesIO`, ctypes, `decimal`, and numpy's arrays.

use super::{Part, PartKind, Parts, WORD, buffer, table};
use crate::addr::Addr;
use crate::heap::trace::Broken;
use crate::python::layout::StrKind;
use crate::python::object::RefCount;

impl Parts<'_, '_> {
    pub(super) fn bytearray(
        &self,
        addr: Addr,
        holder: Option<u64>,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        // { header; ob_size; ob_alloc; ob_bytes; ob_start (not in 2.7); … }
        let f = &self.layout().fields;
        let old = self.layout().kinds.str == StrKind::Pointer;
        let start = f.bytearray.start.of(addr);
        let bytes = if old { start } else { start.sub(WORD) };
        let alloc = self.word(bytes.sub(WORD))?;
        match holder {
            None => buffer(self.pointer(bytes)?, alloc, found),
            // The empty one is shared by all.
            Some(_) if alloc == 0 => {}
            Some(offset) => {
                let fixed = u64::from(f.bytes.data.offset) + 1;
                let holder = Addr(self.after(addr, offset)?);
                buffer(holder, alloc.saturating_add(fixed), found);
            }
        }
        Ok(())
    }

    pub(super) fn array(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        // arrayobject { header; ob_size; ob_item; allocated; ob_descr; … }
        const ITEMS: u64 = 8;
        const ALLOCATED: u64 = 16;
        const DESCR: u64 = 24;
        // arraydescr { typecode; itemsize; … }
        const ITEM_SIZE: u64 = 4;
        let items = Addr(self.after(addr, ITEMS)?);
        if items.is_null() {
            return Ok(());
        }
        let size = Addr(self.after(addr, DESCR)?).add(ITEM_SIZE);
        let size = u64::from(self.pieces().u32(size).ok_or(Broken)?);
        buffer(
            items,
            self.after(addr, ALLOCATED)?.saturating_mul(size),
            found,
        );
        Ok(())
    }

    /// A `bytes` object unless others have it too; in 2.7 an array.
    pub(super) fn bytes_io(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        const BUFFER: u64 = 0;
        const BUFFER_SIZE: u64 = 24;
        let start = Addr(self.after(addr, BUFFER)?);
        if start.is_null() {
            return Ok(());
        }
        if self.layout().kinds.str == StrKind::Pointer {
            buffer(start, self.after(addr, BUFFER_SIZE)?, found);
            return Ok(());
        }
        if matches!(self.objects().refcount(start), Ok(RefCount::Counted(1))) {
            let f = &self.layout().fields;
            let fixed = u64::from(f.bytes.data.offset) + 1;
            let size = self.word(f.object.ob_size.of(start))?;
            buffer(start, size.saturating_add(fixed), found);
        }
        Ok(())
    }

    /// Elements, unless the array is a view of others', and its shape with its strides.
    pub(super) fn numpy_array(
        &self,
        addr: Addr,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        // PyArrayObject { header; data; nd; dimensions; strides; base; descr; flags; … }
        const DATA: u64 = 0;
        const DIMENSIONS: u64 = 8;
        const SHAPE: u64 = 16;
        let rest = self.objects().numpy_data(addr).map_err(|_| Broken)?;
        let count = self.after(addr, DIMENSIONS)? & 0xffff_ffff;
        let shape = Addr(self.after(addr, SHAPE)?);
        if count > 0 {
            table(shape, count.saturating_mul(2 * WORD), found);
        }
        if let Some(bytes) = rest {
            buffer(Addr(self.after(addr, DATA)?), bytes, found);
        }
        Ok(())
    }

    /// Data that ctypes has allocated, where it does not fit into the object.
    pub(super) fn c_data(
        &self,
        addr: Addr,
        basic: u64,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        // CDataObject { header; b_ptr; b_needsfree; b_base; b_size; … }
        const POINTER: u64 = 0;
        const NEEDS_FREE: u64 = 8;
        const SIZE: u64 = 24;
        let start = Addr(self.after(addr, POINTER)?);
        let owned = self.after(addr, NEEDS_FREE)? & 0xff != 0;
        if owned && start.since(addr).is_none_or(|into| into >= basic) {
            buffer(start, self.after(addr, SIZE)?, found);
        }
        Ok(())
    }

    /// Digits that do not fit into the object.
    pub(super) fn decimal(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        // PyDecObject { header; hash; mpd_t { flags; exp; digits; len; alloc; data }; … }
        const FLAGS: u64 = 8;
        const ALLOC: u64 = 40;
        const DATA: u64 = 48;
        /// Static, shared or constant data.
        const NOT_ALLOCATED: u64 = 0xe0;
        if self.after(addr, FLAGS)? & NOT_ALLOCATED == 0 {
            let words = self.after(addr, ALLOC)?;
            found(Part {
                start: Addr(self.after(addr, DATA)?),
                len: Some(words.saturating_mul(WORD)),
                kind: PartKind::Table,
            });
        }
        Ok(())
    }
}
