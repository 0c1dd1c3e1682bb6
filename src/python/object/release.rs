//! Which release of CPython runs in the process, for what changed within a minor version and no
//! object tells.

use super::Objects;
use std::cmp::Ordering;

impl Objects {
    /// Whether it is this release, as (3, 11, 4), or a later one.
    pub(in crate::python) fn is_since(&self, release: (u8, u8, u8)) -> bool {
        let (major, minor, micro) = release;
        match self.layout.version.cmp(&(major, minor)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => micro == 0 || self.micro().is_none_or(|own| own >= micro),
        }
    }

    /// The third number of the release, from `sys.hexversion`.
    fn micro(&self) -> Option<u8> {
        let sys = self.layout.fields.interpreter.sysdict;
        let sys = self.memory.ptr(sys.of(*self.interpreter.get()?)).ok()?;
        let version = self.dict_get(sys, "hexversion").ok()??;
        Some((self.int(version).ok()? >> 8) as u8)
    }
}
