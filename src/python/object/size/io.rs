//! Sizes of streams in memory and of buffered files (Modules/_io), and of `struct.Struct`.

use super::super::rows::Array;
use super::super::{RefCount, malformed};
use super::{Sized, WORD};
use crate::python::layout::StrKind;
use crate::target::Fault;

impl Sized<'_> {
    /// The bytes of a `BytesIO` count unless others have them too.
    pub(super) fn bytes_io_size(&self) -> Result<u64, Fault> {
        const BUFFER: u64 = 0;
        /// 2.7: the size of the buffer, which is no object.
        const BUFFER_SIZE: u64 = 24;
        let buffer = self.pointer(BUFFER)?;
        if buffer.is_null() {
            return Ok(self.plan.basic);
        }
        if self.objects.layout.kinds.str == StrKind::Pointer {
            return self.sum(&[self.plan.basic, self.word(BUFFER_SIZE)?]);
        }
        let size = match self.objects.refcount(buffer)? {
            RefCount::Counted(1) => self.objects.byte_object_size(buffer)?,
            _ => 0,
        };
        self.sum(&[self.plan.basic, size])
    }

    pub(super) fn buffered_size(&self) -> Result<u64, Fault> {
        const BUFFER: u64 = 40;
        const BUFFER_SIZE: u64 = 104;
        match self.pointer(BUFFER)?.is_null() {
            true => Ok(self.plan.basic),
            false => self.sum(&[self.plan.basic, self.word(BUFFER_SIZE)?]),
        }
    }

    /// Modules/_struct.c: an array of codes whose last one is empty.
    pub(super) fn struct_size(&self) -> Result<u64, Fault> {
        const CODES: u64 = 16;
        const MOST_CODES: u64 = 1 << 16;
        // formatcode { fmtdef; offset; size; repeat (not in 2.7) }
        let stride = match self.objects.layout.kinds.str {
            StrKind::Pointer => 3 * WORD,
            _ => 4 * WORD,
        };
        let at = self.pointer(CODES)?;
        if at.is_null() {
            return Ok(self.plan.basic);
        }
        let codes = Array {
            at,
            count: MOST_CODES,
            stride,
            offset: 0,
        };
        for (count, code) in (1u64..).zip(self.objects.rows(codes)) {
            if code?.0.is_null() {
                return self.sum(&[self.plan.basic, count * stride]);
            }
        }
        Err(malformed(self.addr))
    }
}
