//! Sizes of frames (Objects/frameobject.c `frame___sizeof__`) and of generators
//! (Objects/genobject.c `gen_sizeof`), of which the frame is a part from 3.11 on.

use super::{Sized, WORD};
use crate::addr::Addr;
use crate::target::Fault;

impl Sized<'_> {
    pub(super) fn frame_size(&self) -> Result<u64, Fault> {
        let fields = &self.objects.layout.fields;
        let Some(object) = &fields.frame_object else {
            return self.old_frame_size();
        };
        let frame = self.objects.memory.ptr(object.frame.of(self.addr))?;
        let slots = self.slots(frame)?;
        let fixed = object.own_frame.offset + fields.frame.localsplus.offset;
        self.sum(&[fixed.into(), slots.saturating_mul(WORD)])
    }

    /// Up to 3.10 the frame is the object. One slot is in the struct.
    fn old_frame_size(&self) -> Result<u64, Fault> {
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields;
        let code = memory.ptr(f.frame.code.of(self.addr))?;
        let mut slots = 0u64;
        for count in [f.code.stacksize, f.code.nlocals] {
            slots += u64::from(memory.u32(count.of(code))?);
        }
        for names in [f.code.cellvars, f.code.freevars].into_iter().flatten() {
            let names = memory.ptr(names.of(code))?;
            slots = slots.saturating_add(self.objects.var_size(names)?.unsigned_abs());
        }
        let slots = slots.saturating_sub(1).saturating_mul(WORD);
        self.sum(&[self.plan.basic, slots])
    }

    pub(super) fn generator_size(&self) -> Result<u64, Fault> {
        let f = &self.objects.layout.fields;
        let slots = self.slots(f.generator.frame.of(self.addr))?;
        let fixed = f.generator.frame.offset + f.frame.localsplus.offset;
        self.sum(&[fixed.into(), slots.saturating_mul(WORD)])
    }

    /// The slots of a frame of 3.11+: its variables and its value stack.
    fn slots(&self, frame: Addr) -> Result<u64, Fault> {
        let memory = &self.objects.memory;
        let f = &self.objects.layout.fields;
        let code = memory.u64(f.frame.code.of(frame))?;
        let code = Addr(self.objects.layout.kinds.references.untag(code));
        let variables = f.code.nlocalsplus.unwrap_or(f.code.nlocals).of(code);
        let variables = u64::from(memory.u32(variables)?);
        Ok(variables + u64::from(memory.u32(f.code.stacksize.of(code))?))
    }
}
