//! Reference counts (Include/refcount.h, Include/object.h, Include/internal/pycore_object.h).
//! Where the count is follows from the size of the header; which objects are never freed, from
//! the version's kind of count.

use super::Objects;
use crate::addr::Addr;
use crate::python::layout::Counting;
use crate::target::Fault;
use serde::Serialize;

/// How often an object is referred to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefCount {
    /// So many references.
    Counted(i64),
    /// It is never freed, and its references are not counted: the number means nothing.
    Immortal(i64),
}

impl RefCount {
    /// The number as Python would tell it.
    pub fn shown(self) -> i64 {
        match self {
            RefCount::Counted(count) | RefCount::Immortal(count) => count,
        }
    }
}

impl Objects {
    /// The reference count of the object at `addr`. `sys.getrefcount` tells one more: its own
    /// argument.
    pub fn refcount(&self, addr: Addr) -> Result<RefCount, Fault> {
        /// `ob_ref_local` and `ob_ref_shared` of free-threaded builds.
        const LOCAL: u64 = 12;
        const SHARED: u64 = 16;
        const SHARED_SHIFT: u32 = 2;
        const IMMORTAL_LOCAL: u32 = u32::MAX;
        Ok(match self.layout.kinds.counting {
            Counting::Word => RefCount::Counted(self.memory.i64(addr)?),
            Counting::LowHalf => {
                // The sign bit of the low half marks what is never freed.
                let count = self.memory.u32(addr)?;
                match (count as i32) < 0 {
                    true => RefCount::Immortal(count.into()),
                    false => RefCount::Counted(count.into()),
                }
            }
            Counting::Biased => {
                let local = self.memory.u32(addr.add(LOCAL))?;
                let shared = self.memory.i64(addr.add(SHARED))?;
                match local == IMMORTAL_LOCAL {
                    true => RefCount::Immortal(local.into()),
                    false => RefCount::Counted(i64::from(local) + (shared >> SHARED_SHIFT)),
                }
            }
        })
    }
}
