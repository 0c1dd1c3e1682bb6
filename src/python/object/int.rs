//! Integers of up to 120 bits (Include/cpython/longintrepr.h): 30-bit digits, with the sign in
//! `ob_size` (up to 3.11) or in `lv_tag`.

use super::{Objects, flags, malformed};
use crate::addr::Addr;
use crate::python::layout::IntKind;
use crate::target::Fault;

/// More digits than this are not needed by anything that pydbg looks at.
const MOST_DIGITS: u64 = 4;

impl Objects {
    /// The integer at `addr`.
    pub fn int(&self, addr: Addr) -> Result<i128, Fault> {
        let ty = self.type_of(addr)?;
        let kind = self.layout.kinds.int;
        let f = &self.layout.fields.int;
        if let Some(small) = f.small.filter(|_| ty.flags & flags::SMALL_INT != 0) {
            return self.memory.i64(small.of(addr)).map(i128::from);
        }
        if ty.flags & flags::LONG == 0 {
            return Err(malformed(addr));
        }
        let (digits, negative) = match (kind, f.tag) {
            (IntKind::Tagged, Some(tag)) => {
                let tag = self.memory.u64(tag.of(addr))?;
                (tag >> 3, tag & 3 == 2)
            }
            _ => {
                let size = self.var_size(addr)?;
                (size.unsigned_abs(), size < 0)
            }
        };
        if digits > MOST_DIGITS {
            return Err(malformed(addr));
        }
        let mut value: i128 = 0;
        for index in (0..digits).rev() {
            let digit = self.memory.u32(f.digits.of(addr).add(index * 4))?;
            value = value << 30 | i128::from(digit & 0x3fff_ffff);
        }
        Ok(if negative { -value } else { value })
    }

    /// The integer at `addr`, not negative and of up to 128 bits.
    pub fn natural(&self, addr: Addr) -> Result<u128, Fault> {
        const FEW: i128 = 1 << 60;
        if let Ok(value) = self.int(addr)
            && value < FEW
        {
            return u128::try_from(value).map_err(|_| malformed(addr));
        }
        let f = &self.layout.fields.int;
        let digits = match (self.layout.kinds.int, f.tag) {
            (IntKind::Tagged, Some(tag)) => self.memory.u64(tag.of(addr))? >> 3,
            _ => self.var_size(addr)? as u64,
        };
        if !self.type_of(addr)?.is(flags::LONG) || digits > MOST_DIGITS + 1 {
            return Err(malformed(addr));
        }
        let mut value: u128 = 0;
        for index in (0..digits).rev() {
            let digit = self.memory.u32(f.digits.of(addr).add(index * 4))?;
            let shifted = value.checked_mul(1 << 30).ok_or_else(|| malformed(addr))?;
            value = shifted | u128::from(digit & 0x3fff_ffff);
        }
        Ok(value)
    }
}
