//! Sizes of numbers: `int` (Objects/longobject.c) and `decimal.Decimal` (Modules/_decimal).

use super::Sized;
use crate::python::layout::IntKind;
use crate::target::Fault;

impl Sized<'_> {
    /// What a subclass adds counts in 2.7, and again from 3.12 on.
    pub(super) fn int_size(&self, least: u64) -> Result<u64, Fault> {
        const DIGIT: u64 = 4;
        let layout = &self.objects.layout;
        let f = &layout.fields.int;
        let digits = match f.tag {
            Some(tag) => self.objects.memory.u64(tag.of(self.addr))? >> 3,
            None => self.objects.var_size(self.addr)?.unsigned_abs(),
        };
        let start = match layout.kinds.int {
            IntKind::TwoTypes | IntKind::Tagged => self.plan.basic,
            IntKind::SignedSize => f.digits.offset.into(),
        };
        self.sum(&[start, digits.max(least).saturating_mul(DIGIT)])
    }

    /// The words of a `Decimal` lie in the object, unless there are many.
    pub(super) fn decimal_size(&self) -> Result<u64, Fault> {
        // PyDecObject { header; hash; mpd_t { flags; exp; digits; len; alloc; data }; … }
        const FLAGS: u64 = 8;
        const ALLOC: u64 = 40;
        /// Static, shared or constant data.
        const NOT_ALLOCATED: u8 = 0xe0;
        const WORD_OF_DIGITS: u64 = 8;
        let flags = self.objects.after(self.addr, FLAGS);
        let words = match self.objects.memory.u8(flags)? & NOT_ALLOCATED {
            0 => self.word(ALLOC)?,
            _ => 0,
        };
        self.sum(&[self.plan.basic, words.saturating_mul(WORD_OF_DIGITS)])
    }
}
