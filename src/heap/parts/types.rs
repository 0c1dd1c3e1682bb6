//! What classes keep beside themselves (Objects/typeobject.c): the keys that the dictionaries of
//! their instances share, and copies of text.

use super::{Part, Parts, WORD, table};
use crate::addr::Addr;
use crate::heap::trace::Broken;

/// The longest text of a class that is measured.
const LONGEST: usize = 1 << 16;

impl Parts<'_, '_> {
    pub(super) fn class(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        if !self.is_heap_type(addr) {
            return Ok(());
        }
        let f = &self.layout().fields.type_object;
        if let Some(keys) = self.known(addr, f.cached_keys)? {
            table(keys, self.tracer.entries(keys)?.whole_size()?, found);
        }
        // `tp_doc` follows `tp_flags`.
        let doc = self.pointer(f.flags.of(addr).add(WORD))?;
        let name = self.known(addr, f.c_name)?;
        for text in [Some(doc), name].into_iter().flatten() {
            if !text.is_null() {
                let memory = &self.objects().memory;
                let text_len = memory.cstr(text, LONGEST).map_err(|_| Broken)?.len();
                table(text, text_len as u64 + 1, found);
            }
        }
        Ok(())
    }
}
