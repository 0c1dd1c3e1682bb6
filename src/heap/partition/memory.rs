//! What kind of memory objects lie in, told by the mapping: the break of the C library's allocator,
//! the data of a program or library, or other memory.

use crate::addr::Addr;
use crate::heap::Heap;

/// The mappings by address, each with the number of its kind.
pub(super) struct Places(Vec<(Addr, Addr, u8)>);

/// Kinds of memory.
const NAMES: &[&str] = &[
    "arenas and large blocks (anonymous mappings)",
    "malloc (the program break)",
    "static data of programs and libraries",
    "mapped files",
    "not in any mapping",
];

const ANONYMOUS: u8 = 0;
const BREAK: u8 = 1;
const STATIC: u8 = 2;
const FILES: u8 = 3;
const NOWHERE: u8 = 4;

impl Places {
    /// The mappings of the process.
    pub(super) fn of(heap: &Heap) -> Places {
        let process = &heap.python.process;
        let kind = |mapping: &crate::target::Mapping| match mapping.path.as_deref() {
            Some("[heap]") => BREAK,
            _ if process.images.at(mapping.start).is_some() => STATIC,
            _ if mapping.file().is_some() => FILES,
            _ => ANONYMOUS,
        };
        let mappings = process.target.mappings.iter();
        Places(mappings.map(|m| (m.start, m.end, kind(m))).collect())
    }

    /// The number of the kind of memory at an address.
    pub(super) fn number(&self, addr: Addr) -> u8 {
        let after = self.0.partition_point(|(start, ..)| *start <= addr);
        match after.checked_sub(1).and_then(|at| self.0.get(at)) {
            Some((_, end, kind)) if addr < *end => *kind,
            _ => NOWHERE,
        }
    }
}

/// What a kind of memory is called.
pub(super) fn name(number: u64) -> &'static str {
    let name = usize::try_from(number).ok().and_then(|at| NAMES.get(at));
    name.copied().unwrap_or("?")
}
