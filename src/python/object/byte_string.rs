//! Byte strings: `bytes` (2.7: `str`) and `bytearray` (Objects/bytesobject.c,
//! bytearrayobject.c); in both the length is `ob_size`, and a NUL follows the bytes.

use super::{Objects, flags, malformed};
use crate::addr::Addr;
use crate::target::memory::MOST_BYTES;
use crate::target::{Fault, Why};

/// A length up to this is believed; of a longer one the end is looked at.
const BELIEVED: u64 = 1 << 20;

/// No address space holds more bytes.
const ABSURD: u64 = 1 << 47;

impl Objects {
    /// The bytes of a `bytes` object (2.7: `str`) or `bytearray`, and how many there are beyond
    /// the first `most`.
    pub fn bytes_of(&self, addr: Addr, most: usize) -> Result<(Vec<u8>, u64), Fault> {
        let ty = self.type_of(addr)?;
        let data = if ty.is(flags::BYTES) {
            self.layout.fields.bytes.data.of(addr)
        } else if self.is_a(&ty, "bytearray") {
            let start = self.layout.fields.bytearray.start;
            self.memory.ptr(start.of(addr))?
        } else {
            return Err(malformed(addr));
        };
        let length = u64::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))?;
        if !self.ends_in_nul(data, length) {
            return Err(malformed(addr));
        }
        let take = length.min(most.min(MOST_BYTES) as u64);
        let bytes = match take {
            // An empty bytearray may have no memory at all.
            0 => Vec::new(),
            _ => self.memory.bytes(data, take as usize)?.into_owned(),
        };
        Ok((bytes, length - take))
    }

    /// Whether there can be so many bytes at `data`.
    fn ends_in_nul(&self, data: Addr, length: u64) -> bool {
        match data.0.checked_add(length) {
            _ if length <= BELIEVED => true,
            Some(end) if length <= ABSURD => match self.memory.u8(Addr(end)) {
                Ok(byte) => byte == 0,
                // Where the core has lost the end, the length may still be right.
                Err(fault) => fault.why != Why::Unmapped,
            },
            _ => false,
        }
    }
}
