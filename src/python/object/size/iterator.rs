//! Sizes of the iterators that walk combinations (Modules/itertoolsmodule.c): they keep an index
//! for each place.

use super::{Sized, WORD};
use crate::target::Fault;

impl Sized<'_> {
    /// `productobject { header; pools; … }`
    pub(super) fn product_size(&self) -> Result<u64, Fault> {
        const POOLS: u64 = 0;
        let pools = self.objects.var_size(self.pointer(POOLS)?)?.unsigned_abs();
        self.sum(&[self.plan.basic, pools.saturating_mul(WORD)])
    }

    /// `combinationsobject { header; pool; indices; result; r; … }`, and the same with replacement.
    pub(super) fn combinations_size(&self) -> Result<u64, Fault> {
        const PLACES: u64 = 24;
        let places = self.word(PLACES)?;
        self.sum(&[self.plan.basic, places.saturating_mul(WORD)])
    }

    /// `permutationsobject { header; pool; indices; cycles; result; r; … }`
    pub(super) fn permutations_size(&self) -> Result<u64, Fault> {
        const POOL: u64 = 0;
        const PLACES: u64 = 32;
        let pool = self.objects.var_size(self.pointer(POOL)?)?.unsigned_abs();
        let indices = pool.saturating_add(self.word(PLACES)?);
        self.sum(&[self.plan.basic, indices.saturating_mul(WORD)])
    }
}
