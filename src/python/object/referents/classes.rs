//! Classes (Objects/typeobject.c `type_traverse`).

use super::super::{Objects, flags};
use super::{MOST_METATYPES, Plan, Stop, Tell, WORD, tell};
use crate::addr::Addr;
use std::sync::Arc;

/// The largest struct of a class, in bytes.
const LARGEST: u64 = 1 << 16;

impl Objects {
    /// A class: its namespace, its bases, and its module in C.
    pub(super) fn tell_type(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let ty = self.type_at(addr)?;
        let f = &self.layout.fields.type_object;
        if let Some(dict) = self.type_dict(&ty) {
            tell(found, dict)?;
        }
        tell(found, ty.base)?;
        tell(found, ty.mro)?;
        tell(found, self.memory.ptr(f.bases.of(addr))?)?;
        // `ht_module` follows the keys that instances share, from 3.9 on.
        let module = f.cached_keys.map(|keys| u64::from(keys.offset) + WORD);
        let size = u64::try_from(plan.base.basicsize).unwrap_or(0);
        if let Some(module) = module.filter(|at| ty.is_heap() && *at < size) {
            self.tell_words(addr.add(module), 1, found)?;
        }
        // From 3.13 on the classes of `_ctypes` have what makes them up behind the struct.
        let own = self.size_of_types(plan);
        let own = own.filter(|own| *own < size && size <= LARGEST);
        if let Some(own) = own {
            self.tell_words(addr.add(own), (size - own) / WORD, found)?;
        }
        // What a pointer of `_ctypes` points to is kept behind its namespace, up to 3.12: { size; align;
        // length; ffi_type; proto }.
        if !plan.base.is_heap() && *self.full_name(&plan.base) == *"_ctypes.PyCPointerType" {
            let dict = self.type_dict(&ty).unwrap_or(Addr::NULL);
            let own = u64::from(self.layout.fields.dict.size.offset);
            self.tell_words(dict.add(own + 6 * WORD), 1, found)?;
        }
        Ok(())
    }

    /// The size of a class that is an instance of `type` itself.
    fn size_of_types(&self, plan: &Plan) -> Option<u64> {
        let mut root = Arc::clone(&plan.base);
        for _ in 0..MOST_METATYPES {
            match self.type_at(root.base) {
                Ok(base) if base.is(flags::TYPE) => root = base,
                _ => return u64::try_from(root.basicsize).ok(),
            }
        }
        None
    }
}
