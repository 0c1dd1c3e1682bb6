//! How often each object is referred to, as the collector begins with it (Python/gc.c `update_refs`,
//! Python/gc_free_threading.c `update_refs`).

use super::Heap;
use super::pieces::{Pieces, Words};
use crate::addr::Addr;
use crate::bytes;
use crate::python::Python;
use crate::python::layout::{Counting, Field};
use rayon::prelude::*;

/// Stands for: it is never freed, or its count means nothing.
const LASTING: u32 = u32::MAX;

/// The counts of all objects, by id.
pub(crate) struct Counts {
    all: Vec<u32>,
}

impl Counts {
    /// Reads the counts of all objects.
    pub(crate) fn read(heap: &Heap, pieces: &Pieces<'_>) -> Counts {
        let counter = Counter::of(&heap.python);
        let count = |id| match counter.count(pieces, heap.address(id)) {
            Some(count) => u32::try_from(count).unwrap_or(LASTING),
            None => LASTING,
        };
        let all = (0..heap.count()).into_par_iter().with_min_len(1 << 12);
        Counts {
            all: all.map(count).collect(),
        }
    }

    /// The count of an object; `None` for what is never freed, or whose count means nothing.
    #[inline]
    pub(crate) fn of(&self, id: u32) -> Option<u32> {
        let count = self.all.get(id as usize).copied();
        count.filter(|count| *count != LASTING)
    }
}

#[cfg(test)]
impl From<Vec<u32>> for Counts {
    fn from(all: Vec<u32>) -> Counts {
        Counts { all }
    }
}

/// Reads counts of references.
struct Counter {
    counting: Counting,
    gc_bits: Option<Field>,
}

impl Counter {
    /// How this process counts.
    fn of(python: &Python) -> Counter {
        Counter {
            counting: python.layout.kinds.counting,
            gc_bits: python.layout.fields.object.gc_bits,
        }
    }

    /// How many references there are to the object at `addr`.
    fn count(&self, pieces: &Pieces<'_>, addr: Addr) -> Option<i64> {
        match self.counting {
            Counting::Word => pieces.u64(addr).map(|count| count as i64),
            Counting::LowHalf => {
                // The sign bit of the low half marks what is never freed.
                let count = pieces.u32(addr)? as i32;
                (count >= 0).then_some(count.into())
            }
            Counting::Biased => self.biased(pieces, addr),
        }
    }

    /// The owner's count and that of the others. From 3.14 on frames do not count what has the mark for
    /// that, threads count some of it apart, and its count is far above any other; so it is not known.
    fn biased(&self, pieces: &Pieces<'_>, addr: Addr) -> Option<i64> {
        const LOCAL: usize = 12;
        const SHARED: usize = 16;
        const SHARED_SHIFT: u32 = 2;
        const DEFERRED: u8 = 64;
        let raw = pieces.bytes(addr, SHARED + 8)?;
        let local = u32::from_le_bytes(bytes::array_at(&raw, LOCAL)?);
        let shared = bytes::u64_at(&raw, SHARED)? as i64 >> SHARED_SHIFT;
        let count = i64::from(local).checked_add(shared)?;
        let is_deferred = pieces.u8(self.gc_bits?.of(addr))? & DEFERRED != 0;
        // What the collector alone frees counts one more up to 3.13 (`_PyObject_SetDeferredRefcount`).
        let own = i64::from(is_deferred);
        (local != u32::MAX).then_some(count.checked_sub(own)?)
    }
}
