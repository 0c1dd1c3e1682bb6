//! Sizes of numpy's arrays (`array_sizeof`), with their elements where they own them, and of its
//! scalars (`gentype_sizeof`). The structs are those of numpy 1 and 2.

use super::super::{Objects, malformed};
use super::{Sized, WORD};
use crate::addr::Addr;
use crate::target::Fault;

/// Arrays have no more dimensions.
const MOST_DIMENSIONS: u32 = 64;

/// Bytes of a number of numpy, by the name of its class: most tell their bits.
pub(super) fn bytes_of(name: &str) -> Option<u64> {
    const KINDS: [&str; 6] = ["int", "uint", "float", "complex", "datetime", "timedelta"];
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let bits = name.get(kind.len()..)?.parse::<u64>();
    match (name, bits) {
        ("bool" | "bool_", _) => Some(1),
        ("intc" | "uintc", _) => Some(4),
        ("longlong" | "ulonglong", _) => Some(8),
        ("longdouble", _) => Some(16),
        ("clongdouble", _) => Some(32),
        (_, Ok(bits)) if KINDS.contains(&kind) => Some(bits / 8),
        _ => None,
    }
}

impl Objects {
    /// Bytes of the elements of the `ndarray` at `addr`, if it owns them.
    pub(crate) fn numpy_data(&self, addr: Addr) -> Result<Option<u64>, Fault> {
        // PyArrayObject { header; data; nd; dimensions; strides; base; descr; flags; … }
        const SHAPE: u64 = 16;
        const DESCR: u64 = 40;
        const FLAGS: u64 = 48;
        const OWNS_DATA: u32 = 4;
        let pointer = |offset: u64| self.memory.ptr(self.after(addr, offset));
        if self.memory.u32(self.after(addr, FLAGS))? & OWNS_DATA == 0 {
            return Ok(None);
        }
        let mut data = self.element_bytes(pointer(DESCR)?)?;
        for length in self.pointers(pointer(SHAPE)?, self.dimensions(addr)? as usize)? {
            data = data.saturating_mul(length.0);
        }
        Ok(Some(data))
    }

    /// How many dimensions an `ndarray` has.
    fn dimensions(&self, addr: Addr) -> Result<u32, Fault> {
        const DIMENSIONS: u64 = 8;
        let count = self.memory.u32(self.after(addr, DIMENSIONS))?;
        match count > MOST_DIMENSIONS {
            true => Err(malformed(addr)),
            false => Ok(count),
        }
    }

    /// Bytes of an element of an array with the `dtype` at `addr`, whose class tells where it says
    /// so: the struct is not the same in numpy 1 and 2.
    fn element_bytes(&self, addr: Addr) -> Result<u64, Fault> {
        const T_INT: u32 = 1;
        let ty = self.type_of(addr)?;
        let member = self.class_attribute(&ty, "itemsize");
        let member = member.and_then(|(member, _)| self.member(member));
        let (kind, offset) = member.ok_or_else(|| malformed(addr))?;
        let at = addr.add(offset);
        match kind {
            T_INT => self.memory.u32(at).map(u64::from),
            _ => self.memory.u64(at),
        }
    }
}

impl Sized<'_> {
    pub(super) fn numpy_array_size(&self) -> Result<u64, Fault> {
        let data = self.objects.numpy_data(self.addr)?.unwrap_or(0);
        // Shape and strides.
        let head = u64::from(self.objects.dimensions(self.addr)?) * 2 * WORD;
        self.sum(&[self.plan.basic, head, data])
    }

    /// A scalar is said to take its value in addition to its struct, which has it.
    pub(super) fn numpy_number_size(&self, bytes: u64) -> Result<u64, Fault> {
        self.sum(&[self.plan.basic, bytes])
    }

    pub(super) fn numpy_flexible_size(&self) -> Result<u64, Fault> {
        let bytes = self.objects.var_size(self.addr)?.unsigned_abs();
        self.sum(&[self.plan.basic, self.plan.item.saturating_mul(bytes), bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn names_of_numbers_tell_their_bytes() {
        let names = [
            "int8",
            "uint64",
            "float16",
            "complex256",
            "bool_",
            "intc",
            "datetime64",
        ];
        let bytes = [1, 8, 2, 32, 1, 4, 8].map(Some);
        assert_eq!(names.map(bytes_of), bytes);
        assert_eq!(
            ["number", "generic", "object_", "float", "8"].map(bytes_of),
            [None; 5]
        );
    }
}
