//! Attributes of instances (Objects/dictobject.c `_PyObject_GetDictPtr` and its successors):
//! the dictionary at `tp_dictoffset`, the managed dictionary of 3.11+, and values that lie inline
//! in the order of the type's shared keys.

use super::{Objects, TypeInfo, flags, malformed};
use crate::addr::Addr;
use crate::python::layout::{Attributes, ValuesKind};
use crate::target::Fault;

/// Where the attributes of one instance are.
pub(super) enum Place {
    Dict(Addr),
    Values(Addr),
    Nowhere,
}

impl Objects {
    /// What a bound method or a function written in C is bound to: `self`.
    pub fn bound_to(&self, method: Addr) -> Option<Addr> {
        // PyCFunctionObject { m_ml, m_self, … }, PyMethodObject { im_func, im_self, … }; a
        // PyCMethodObject begins as the former.
        let ty = self.type_of(method).ok()?;
        let bound = [
            "builtin_function_or_method",
            "builtin_method",
            "method",
            "instancemethod",
        ];
        if !bound.contains(&ty.name.as_deref()?) {
            return None;
        }
        let receiver = self.memory.ptr(self.after(method, 8)).ok()?;
        Some(receiver).filter(|receiver| !receiver.is_null())
    }

    /// The instance's own namespace: its dictionary or inline values, as pairs of name and value.
    pub fn namespace(&self, object: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        let ty = self.type_of(object)?;
        match self.attributes_place(object, &ty)? {
            Place::Nowhere => Ok(Vec::new()),
            Place::Dict(dict) => self.dict_items(dict),
            Place::Values(values) => {
                let keys = self.layout.fields.type_object.cached_keys;
                let keys = keys.ok_or_else(|| malformed(object))?;
                let mut entries = self.key_entries(self.memory.ptr(keys.of(ty.addr))?)?;
                self.join_values(&mut entries, values)?;
                entries.retain(|(key, value)| !key.is_null() && !value.is_null());
                Ok(entries)
            }
        }
    }

    /// The instance's dictionary, if it has one already.
    pub fn dict_of(&self, object: Addr) -> Result<Option<Addr>, Fault> {
        let ty = self.type_of(object)?;
        Ok(match self.attributes_place(object, &ty)? {
            Place::Dict(dict) => Some(dict),
            Place::Values(_) | Place::Nowhere => None,
        })
    }

    /// The attribute `name` in the instance's own namespace.
    pub fn attribute(&self, object: Addr, name: &str) -> Result<Option<Addr>, Fault> {
        let ty = self.type_of(object)?;
        match self.attributes_place(object, &ty)? {
            Place::Nowhere => Ok(None),
            Place::Dict(dict) => self.dict_get(dict, name),
            Place::Values(values) => {
                let keys = self.layout.fields.type_object.cached_keys;
                let keys = keys.ok_or_else(|| malformed(object))?;
                let mut entries = self.key_entries(self.memory.ptr(keys.of(ty.addr))?)?;
                self.join_values(&mut entries, values)?;
                let found = entries
                    .into_iter()
                    .find(|(key, value)| !value.is_null() && self.is_text(*key, name));
                Ok(found.map(|(_, value)| value))
            }
        }
    }

    pub(super) fn attributes_place(&self, object: Addr, ty: &TypeInfo) -> Result<Place, Fault> {
        let dict_or_nowhere = |dict: Addr| match dict.is_null() {
            true => Place::Nowhere,
            false => Place::Dict(dict),
        };
        if let Some(instance) = &self.layout.fields.instance
            && !ty.is_heap()
            && *self.full_name(ty) == *"instance"
        {
            return Ok(dict_or_nowhere(self.memory.ptr(instance.dict.of(object))?));
        }
        let managed = ty.flags & flags::MANAGED_DICT != 0;
        match self.layout.kinds.attributes {
            Attributes::TwoWords if managed => {
                let dict = self.memory.ptr(object.sub(24))?;
                let values = self.memory.ptr(object.sub(32))?;
                Ok(match values.is_null() {
                    false if dict.is_null() => Place::Values(values),
                    _ => dict_or_nowhere(dict),
                })
            }
            Attributes::TaggedWord if managed => {
                let word = self.memory.ptr(object.sub(24))?;
                Ok(match word.0 & 1 {
                    1 => Place::Values(word.add(1)),
                    _ => dict_or_nowhere(word),
                })
            }
            Attributes::Inline if managed => self.inline_place(object, ty, 24),
            Attributes::InlineFreeThreaded if managed => self.inline_place(object, ty, 8),
            _ => {
                let offset = match ty.dictoffset {
                    0 => return Ok(Place::Nowhere),
                    1.. => ty.dictoffset as u64,
                    negative => {
                        // Counted from the end of an object of variable size, such as a
                        // subclass of int.
                        let items = self.var_size(object)?.unsigned_abs() as i64;
                        let size = items.wrapping_mul(ty.itemsize).wrapping_add(ty.basicsize);
                        (size.wrapping_add(7) & !7).wrapping_add(negative) as u64
                    }
                };
                Ok(dict_or_nowhere(self.memory.ptr(object.add(offset))?))
            }
        }
    }

    /// 3.13+: the dictionary `before` bytes in front of the object, else values behind it.
    fn inline_place(&self, object: Addr, ty: &TypeInfo, before: u64) -> Result<Place, Fault> {
        let dict = self.memory.ptr(object.sub(before))?;
        if !dict.is_null() {
            return Ok(Place::Dict(dict));
        }
        let values = self.inline_values(object, ty)?;
        Ok(values.map_or(Place::Nowhere, Place::Values))
    }

    /// 3.13+: the values behind the object, whether or not there is a dictionary made of them.
    pub(super) fn inline_values(&self, object: Addr, ty: &TypeInfo) -> Result<Option<Addr>, Fault> {
        const VALID: u64 = 3;
        let headed = self.layout.kinds.values == ValuesKind::Headed;
        if !headed || ty.flags & flags::INLINE_VALUES == 0 {
            return Ok(None);
        }
        let values = object.add(ty.basicsize as u64);
        let valid = self.memory.u8(values.add(VALID))? == 1;
        Ok(Some(values).filter(|_| valid))
    }
}
