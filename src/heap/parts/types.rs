//! What classes keep beside themselves (Objects/typeobject.c): the keys that the dictionaries of
//! their instances share, copies of text, and for static ones the tuples of their bases, which are
//! objects that nothing else leads to.

use super::{Part, Parts, WORD, table};
use crate::addr::Addr;
use crate::heap::trace::Broken;

/// The longest text of a class that is measured.
const LONGEST: usize = 1 << 16;

impl Parts<'_, '_> {
    pub(super) fn class(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let f = &self.layout().fields.type_object;
        if !self.is_heap_type(addr) {
            // The collector is told of no static type, so of its tuples neither.
            for tuple in [f.bases, f.mro] {
                let tuple = self.known(addr, Some(tuple))?;
                tuple.map_or(Ok(()), |tuple| self.tuple(tuple, found))?;
            }
            return Ok(());
        }
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

    fn tuple(&self, tuple: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let f = &self.layout().fields;
        let before = u64::from(self.layout().kinds.gc_head);
        let fixed = before + u64::from(f.tuple.items.offset);
        let items = self.word(f.object.ob_size.of(tuple))?.saturating_mul(WORD);
        // The empty one is shared by all.
        if items > 0 {
            table(tuple.sub(before), items.saturating_add(fixed), found);
        }
        Ok(())
    }
}
