//! Sequences: the sizes of all builtin containers and strings, and the items of lists, tuples,
//! deques and 2.7's struct sequences (Objects/listobject.c, tupleobject.c, structseq.c).

use super::rows::Array;
use super::{Objects, TypeInfo, flags, malformed};
use crate::addr::Addr;
use crate::target::Fault;
use std::sync::Arc;

/// The most proxies and views of one another.
const MOST_VIEWS: usize = 16;

impl Objects {
    /// `len()` of any builtin that has one.
    pub fn len(&self, addr: Addr) -> Result<u64, Fault> {
        let mut addr = addr;
        for _ in 0..MOST_VIEWS {
            let ty = self.type_of(addr)?;
            if let Some(len) = self.flagged_len(addr, &ty) {
                return len;
            }
            let name = self.builtin_base(&ty).ok_or_else(|| malformed(addr))?;
            match &*name {
                "set" | "frozenset" => return self.set_len(addr),
                "collections.deque" => return self.deque_len(addr),
                "bytearray" | "array.array" => return self.unsigned_size(addr),
                "range" | "xrange" => return self.range_len(addr),
                "memoryview" => return self.view_len(addr),
                "mappingproxy" | "dictproxy" | "dict_keys" | "dict_values" | "dict_items"
                | "odict_keys" | "odict_values" | "odict_items" => {
                    addr = self.memory.ptr(self.after(addr, 0))?;
                }
                _ => return Err(malformed(addr)),
            }
        }
        Err(malformed(addr))
    }

    /// The addresses of the items of any builtin sequence of objects, at most `most` of them.
    pub fn items(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        let ty = self.type_of(addr)?;
        if ty.is(flags::LIST) || ty.is(flags::TUPLE) {
            return self.item_iter(addr)?.take(most).collect();
        }
        if self.is_builtin(addr, &["collections.deque"])? {
            return self.deque_items(addr, most);
        }
        match self.is_struct_sequence(&ty) {
            true => self.item_iter(addr)?.take(most).collect(),
            false => Err(malformed(addr)),
        }
    }

    /// Walks the items of a list, a tuple, or what has its items as a tuple of 2.7 has.
    pub fn item_iter(
        &self,
        addr: Addr,
    ) -> Result<impl Iterator<Item = Result<Addr, Fault>> + '_, Fault> {
        let array = self.item_array(addr)?;
        Ok(self.rows(array).map(|row| row.map(|(item, _)| item)))
    }

    /// Whether the object at `addr` is of one of these types or a subclass.
    pub(super) fn is_builtin(&self, addr: Addr, names: &[&str]) -> Result<bool, Fault> {
        let base = self.builtin_base(&self.type_of(addr)?);
        Ok(base.is_some_and(|base| names.contains(&&*base)))
    }

    /// Whether this is a type made by `PyStructSequence_NewType` or its kin.
    pub(crate) fn is_struct_sequence(&self, ty: &Arc<TypeInfo>) -> bool {
        let dict = self.type_dict(ty);
        dict.is_some_and(|dict| matches!(self.dict_get(dict, "n_sequence_fields"), Ok(Some(_))))
    }

    /// The full name of the first class of the method resolution order that is no Python class.
    fn builtin_base(&self, ty: &Arc<TypeInfo>) -> Option<Arc<str>> {
        // Types of extension modules are heap types too from 3.9 on, so names decide.
        const SIZED: &[&str] = &["collections.deque", "array.array"];
        self.mro(ty)
            .iter()
            .map(|class| (class.is_heap(), self.full_name(class)))
            .find(|(heap, name)| !heap || SIZED.contains(&&**name))
            .map(|(_, name)| name)
    }

    /// The length of what the flags of its type tell.
    fn flagged_len(&self, addr: Addr, ty: &TypeInfo) -> Option<Result<u64, Fault>> {
        if self.is_dictionary(ty) {
            return Some(self.dict_len(addr));
        }
        if ty.is(flags::STR) {
            return Some(self.text(addr, 0).map(|text| text.left_out));
        }
        if ty.is(flags::BYTES) {
            return Some(self.unsigned_size(addr));
        }
        let sequence = ty.is(flags::LIST) || ty.is(flags::TUPLE);
        sequence.then(|| self.item_array(addr).map(|array| array.count))
    }

    fn item_array(&self, addr: Addr) -> Result<Array, Fault> {
        let f = &self.layout.fields;
        let ty = self.type_of(addr)?;
        let count = self.unsigned_size(addr)?;
        let at = if ty.is(flags::LIST) {
            // `allocated` follows the pointer to the items in every version.
            let allocated = self.memory.u64(f.list.items.of(addr).add(8))?;
            if count > allocated {
                return Err(malformed(addr));
            }
            self.memory.ptr(f.list.items.of(addr))?
        } else if ty.is(flags::TUPLE) {
            f.tuple.items.of(addr)
        } else {
            f.object.ob_size.of(addr).add(8)
        };
        self.plausible(at, count, 8).map_err(|_| malformed(addr))?;
        Ok(Array {
            at,
            count,
            stride: 8,
            offset: 0,
        })
    }

    /// `ob_size` where it cannot be negative.
    pub(crate) fn unsigned_size(&self, addr: Addr) -> Result<u64, Fault> {
        u64::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))
    }

    fn range_len(&self, addr: Addr) -> Result<u64, Fault> {
        let range = &self.layout.fields.range;
        let length = self.memory.u64(range.length.of(addr))?;
        match range.stop {
            Some(_) => u64::try_from(self.int(Addr(length))?).map_err(|_| malformed(addr)),
            None => Ok(length),
        }
    }

    fn view_len(&self, addr: Addr) -> Result<u64, Fault> {
        // Py_buffer { buf, obj, len, itemsize, int readonly, int ndim, format, shape, … }
        let view = self.layout.fields.memory_view.view.of(addr);
        match self.memory.u32(view.add(36))? {
            0 => Err(malformed(addr)),
            _ => self.memory.u64(self.memory.ptr(view.add(48))?),
        }
    }
}
