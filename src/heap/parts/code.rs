//! What code objects keep beside themselves (Objects/codeobject.c, Python/instrumentation.c).

use super::{Part, PartKind, Parts, WORD, table};
use crate::addr::Addr;
use crate::heap::trace::Broken;

/// A block whose size nothing tells.
fn some(start: Option<Addr>, found: &mut impl FnMut(Part)) {
    if let Some(start) = start {
        found(Part {
            start,
            len: None,
            kind: PartKind::Table,
        });
    }
}

impl Parts<'_, '_> {
    pub(super) fn code(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        // _PyCodeObjectExtra { ce_size; ce_extras[] }
        let layout = self.layout();
        let f = &layout.fields.code;
        if let Some(extra) = self.known(addr, f.extra)? {
            let head = u64::from(layout.kinds.sizes.extra_has_a_head);
            let words = self.word(extra)?.saturating_add(head);
            table(extra, words.saturating_mul(WORD), found);
        }
        some(self.known(addr, f.cell2arg)?, found);
        some(self.known(addr, f.line_array)?, found);
        self.opcode_caches(addr, found)?;
        if let Some(frame) = self.known(addr, f.zombie_frame)? {
            let items = self.word(layout.fields.object.ob_size.of(frame))?;
            let ty = self.objects().type_of(frame).map_err(|_| Broken)?;
            let fixed = ty.basicsize.unsigned_abs();
            let head = u64::from(layout.kinds.gc_head);
            let len = items.saturating_mul(WORD).saturating_add(fixed + head);
            table(frame.sub(head), len, found);
        }
        if let Some(cached) = self.known(addr, f.cached)? {
            // { code; varnames; cellvars; freevars }
            const CACHED: u64 = 4 * WORD;
            table(cached, CACHED, found);
        }
        self.monitoring(addr, found)
    }

    /// 3.8 to 3.10: code that ran often has caches, and a byte for each instruction.
    fn opcode_caches(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        const CACHE: u64 = 32;
        const INSTRUCTION: u64 = 2;
        let f = &self.layout().fields.code;
        let Some(caches) = f.opcache else {
            return Ok(());
        };
        // `co_opcache_map` precedes `co_opcache`.
        let map = self.pointer(caches.of(addr).sub(WORD))?;
        if let Some(code) = self.known(addr, f.bytecode)? {
            let code = self.word(self.layout().fields.object.ob_size.of(code))?;
            table(map, code / INSTRUCTION, found);
        }
        if let (Some(caches), Some(count)) = (self.known(addr, f.opcache)?, f.opcache_size) {
            let count = self.pieces().u8(count.of(addr)).ok_or(Broken)?;
            table(caches, u64::from(count) * CACHE, found);
        }
        Ok(())
    }

    /// 3.12+: what tracing and profiling wrote over.
    fn monitoring(&self, addr: Addr, found: &mut impl FnMut(Part)) -> Result<(), Broken> {
        let layout = self.layout();
        let monitoring = self.known(addr, layout.fields.code.monitoring)?;
        let (Some(data), Some(f)) = (monitoring, layout.fields.monitoring) else {
            return Ok(());
        };
        some(Some(data), found);
        // { …; tools; …; lines; line_tools; per_instruction_opcodes; per_instruction_tools }
        for list in [f.lines, f.instructions] {
            let list = list.of(data);
            for at in [list, list.add(WORD)] {
                some(Some(self.pointer(at)?).filter(|at| !at.is_null()), found);
            }
        }
        Ok(())
    }
}
