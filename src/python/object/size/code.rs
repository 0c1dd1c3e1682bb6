//! Sizes of code objects (Objects/codeobject.c `code_sizeof`), with the bytecode from 3.11 on.

use super::{Sized, WORD};
use crate::target::Fault;

impl Sized<'_> {
    pub(super) fn code_size(&self) -> Result<u64, Fault> {
        // _PyCodeObjectExtra { ce_size; ce_extras[] }
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.code;
        let extra = match f.extra {
            Some(extra) => memory.ptr(extra.of(self.addr))?,
            None => return self.plain_size(),
        };
        let extra = match extra.is_null() {
            true => 0,
            false => {
                let head = u64::from(self.objects.layout.kinds.sizes.extra_has_a_head);
                memory.u64(extra)?.saturating_add(head).saturating_mul(WORD)
            }
        };
        let fixed = self.plain_size()?.next_multiple_of(WORD);
        self.sum(&[fixed, extra, self.cells_size()?, self.caches_size()?])
    }

    /// Up to 3.10: which cells are arguments.
    fn cells_size(&self) -> Result<u64, Fault> {
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.code;
        let (Some(cells), Some(names)) = (f.cell2arg, f.cellvars) else {
            return Ok(0);
        };
        let names = memory.ptr(names.of(self.addr))?;
        match memory.ptr(cells.of(self.addr))?.is_null() || names.is_null() {
            true => Ok(0),
            false => {
                let count = self.objects.var_size(names)?.unsigned_abs();
                Ok(count.saturating_mul(WORD))
            }
        }
    }

    /// 3.8 to 3.10: code that ran often has caches, and a byte for each instruction.
    fn caches_size(&self) -> Result<u64, Fault> {
        const CACHE: u64 = 32;
        const INSTRUCTION: u64 = 2;
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields.code;
        let (Some(caches), Some(count), Some(code)) = (f.opcache, f.opcache_size, f.bytecode)
        else {
            return Ok(0);
        };
        if memory.ptr(caches.of(self.addr))?.is_null() {
            return Ok(0);
        }
        let count = u64::from(memory.u8(count.of(self.addr))?);
        let code = self.objects.var_size(memory.ptr(code.of(self.addr))?)?;
        self.sum(&[code.unsigned_abs() / INSTRUCTION, count * CACHE])
    }
}
