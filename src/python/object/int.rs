//! Integers (Include/cpython/longintrepr.h): 30-bit digits, the lowest first, with the sign in
//! `ob_size` (up to 3.11) or in `lv_tag`; 2.7's `int` is a C `long`.

use super::{Objects, flags, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::IntKind;
use crate::target::{Fault, Why};
use num_bigint::{BigInt, BigUint, Sign};

/// The most digits of an integer that is read whole: 256 KB, 590,000 decimal digits.
const MOST_DIGITS: u64 = 1 << 16;

/// Bits of a digit.
const DIGIT_BITS: u32 = 30;

/// Where the value of an integer is.
enum Stored {
    Small(i64),
    Digits {
        at: Addr,
        count: u64,
        negative: bool,
    },
}

impl Objects {
    /// The integer at `addr`, if 120 bits hold it.
    pub fn int(&self, addr: Addr) -> Result<i128, Fault> {
        let value = match self.stored(addr)? {
            Stored::Digits { count: 5.., .. } => return Err(malformed(addr)),
            stored => self.whole(addr, stored)?,
        };
        i128::try_from(value).map_err(|_| malformed(addr))
    }

    /// The integer at `addr`; [`Why::TooLarge`] beyond 590,000 decimal digits.
    pub fn big_int(&self, addr: Addr) -> Result<BigInt, Fault> {
        let stored = self.stored(addr)?;
        self.whole(addr, stored)
    }

    /// The number of bits of the integer at `addr`, its sign, and its highest bits: at least
    /// `most` of them, or all. For integers of any size.
    pub(crate) fn int_head(&self, addr: Addr, most: u32) -> Result<(u64, BigInt), Fault> {
        let (at, count, negative) = match self.stored(addr)? {
            Stored::Small(value) => return Ok((u64::BITS.into(), value.into())),
            Stored::Digits {
                at,
                count,
                negative,
            } => (at, count, negative),
        };
        let take = count.min(u64::from(most / DIGIT_BITS) + 2).min(MOST_DIGITS);
        let below = count - take;
        let from = below.checked_mul(4).and_then(|size| at.0.checked_add(size));
        let from = from.ok_or_else(|| malformed(addr))?;
        let head = self.digits(Addr(from), take, negative)?;
        let bits = below.saturating_mul(DIGIT_BITS.into());
        Ok((bits.saturating_add(head.bits()), head))
    }

    fn stored(&self, addr: Addr) -> Result<Stored, Fault> {
        let ty = self.type_of(addr)?;
        let f = &self.layout.fields.int;
        if let Some(small) = f.small.filter(|_| ty.flags & flags::SMALL_INT != 0) {
            return self.memory.i64(small.of(addr)).map(Stored::Small);
        }
        if ty.flags & flags::LONG == 0 {
            return Err(malformed(addr));
        }
        let (count, negative) = match (self.layout.kinds.int, f.tag) {
            (IntKind::Tagged, Some(tag)) => {
                let tag = self.memory.u64(tag.of(addr))?;
                (tag >> 3, tag & 3 == 2)
            }
            _ => {
                let size = self.var_size(addr)?;
                (size.unsigned_abs(), size < 0)
            }
        };
        Ok(Stored::Digits {
            at: f.digits.of(addr),
            count,
            negative,
        })
    }

    fn whole(&self, addr: Addr, stored: Stored) -> Result<BigInt, Fault> {
        match stored {
            Stored::Small(value) => Ok(value.into()),
            Stored::Digits { count, .. } if count > MOST_DIGITS => Err(Fault {
                addr,
                why: Why::TooLarge,
            }),
            Stored::Digits {
                at,
                count,
                negative,
            } => self.digits(at, count, negative),
        }
    }

    /// The value of `count` digits at `at`; the caller bounds `count`.
    fn digits(&self, at: Addr, count: u64, negative: bool) -> Result<BigInt, Fault> {
        let raw = self.memory.bytes(at, (count * 4) as usize)?;
        let words = pack(&raw).ok_or_else(|| malformed(at))?;
        let sign = match negative {
            true => Sign::Minus,
            false => Sign::Plus,
        };
        Ok(BigInt::from_biguint(sign, BigUint::new(words)))
    }
}

/// Digits of 30 bits, each in 4 bytes, as words of 32 bits; `None` when a digit has more bits.
fn pack(raw: &[u8]) -> Option<Vec<u32>> {
    let mut words = Vec::with_capacity(raw.len() / 4 + 1);
    let (mut low, mut held) = (0u64, 0);
    for offset in (0..raw.len()).step_by(4) {
        let digit = u64::from(bytes::u32_at(raw, offset)?);
        if digit >> DIGIT_BITS != 0 {
            return None;
        }
        low |= digit << held;
        held += DIGIT_BITS;
        if held >= u32::BITS {
            words.push(low as u32);
            low >>= u32::BITS;
            held -= u32::BITS;
        }
    }
    words.push(low as u32);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_30_bits_are_packed() {
        let raw = |digits: &[u32]| -> Vec<u8> {
            digits
                .iter()
                .flat_map(|digit| digit.to_le_bytes())
                .collect()
        };
        let value = |digits: &[u32]| BigUint::new(pack(&raw(digits)).unwrap());
        let all = (1 << 30) - 1;
        assert_eq!(value(&[]), BigUint::from(0u32));
        assert_eq!(value(&[7, 5]), BigUint::from((5u64 << 30) + 7));
        assert_eq!(value(&[all; 50]) + 1u32, BigUint::from(1u32) << 1500);
        assert_eq!(pack(&raw(&[1 << 30])), None);
    }
}
