//! Floating-point numbers (Include/cpython/floatobject.h): a C `double` behind the header.

use super::{Objects, malformed};
use crate::addr::Addr;
use crate::target::Fault;

impl Objects {
    /// The `float`, or object of a subclass, at `addr`.
    pub fn float(&self, addr: Addr) -> Result<f64, Fault> {
        let ty = self.type_of(addr)?;
        match self.is_a(&ty, "float") {
            true => self.double(self.after(addr, 0)),
            false => Err(malformed(addr)),
        }
    }

    /// The C `double` at `at`.
    pub(crate) fn double(&self, at: Addr) -> Result<f64, Fault> {
        self.memory.u64(at).map(f64::from_bits)
    }
}
