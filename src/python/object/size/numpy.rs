//! Sizes of numpy's arrays (`array_sizeof`), with their elements where they own them, and of its
//! scalars (`gentype_sizeof`). The structs are those of numpy 1 and 2.

use super::super::malformed;
use super::{Sized, WORD};
use crate::addr::Addr;
use crate::target::Fault;

/// Arrays have no more dimensions.
const MOST_DIMENSIONS: u32 = 64;

impl Sized<'_> {
    pub(super) fn numpy_array_size(&self) -> Result<u64, Fault> {
        // PyArrayObject { header; data; nd; dimensions; strides; base; descr; flags; … }
        const DIMENSIONS: u64 = 8;
        const SHAPE: u64 = 16;
        const DESCR: u64 = 40;
        const FLAGS: u64 = 48;
        const OWNS_DATA: u32 = 4;
        let memory = &self.objects.memory;
        let at = |offset: u64| self.objects.after(self.addr, offset);
        let count = memory.u32(at(DIMENSIONS))?;
        if count > MOST_DIMENSIONS {
            return Err(malformed(self.addr));
        }
        let mut data = 0;
        if memory.u32(at(FLAGS))? & OWNS_DATA != 0 {
            data = self.element_bytes(self.pointer(DESCR)?)?;
            for length in self
                .objects
                .pointers(self.pointer(SHAPE)?, count as usize)?
            {
                data = data.saturating_mul(length.0);
            }
        }
        // Shape and strides.
        let head = u64::from(count) * 2 * WORD;
        self.sum(&[self.plan.basic, head, data])
    }

    /// Bytes of an element of an array with the `dtype` at `addr`, whose class tells where it says
    /// so: the struct is not the same in numpy 1 and 2.
    fn element_bytes(&self, addr: Addr) -> Result<u64, Fault> {
        const T_INT: u32 = 1;
        let ty = self.objects.type_of(addr)?;
        let member = self.objects.class_attribute(&ty, "itemsize");
        let member = member.and_then(|(member, _)| self.objects.member(member));
        let (kind, offset) = member.ok_or_else(|| malformed(addr))?;
        let at = addr.add(offset);
        match kind {
            T_INT => self.objects.memory.u32(at).map(u64::from),
            _ => self.objects.memory.u64(at),
        }
    }

    pub(super) fn numpy_scalar_size(&self) -> Result<u64, Fault> {
        Ok(self.plan.basic)
    }
}
