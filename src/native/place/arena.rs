//! The arenas of glibc's malloc (malloc/malloc.c, arena.c, 2.26 to 2.43, 64-bit), known by their
//! structure: a ring of `malloc_state`s, whose bins point to themselves while they are empty.

use super::super::Process;
use super::glibc::{HEAP_ALIGNMENT, HEAP_INFO};
use crate::addr::Addr;
use crate::image::Image;
use crate::target::Memory;

/// Where fields are in `struct malloc_state`, from its start; the first is the lock, the next the
/// flags.
#[derive(PartialEq, Eq, Debug)]
pub struct Layout {
    /// The ten lists of fast bins, if it has any.
    pub fast: Option<u64>,
    /// The chunk at the end of the memory.
    pub top: u64,
    /// The other lists, in pairs of pointers.
    pub bins: u64,
    /// The next arena of the ring.
    pub next: u64,
    /// How many threads use it.
    pub attached: u64,
    /// Bytes it has from the system, and then the most that it ever had.
    pub system: u64,
    /// The whole, rounded up to the alignment of chunks.
    pub size: u64,
}

impl Layout {
    /// Those of all versions.
    pub fn all() -> &'static [Layout] {
        &LAYOUTS
    }
}

/// 2.27 to 2.42, and 2.43, which has no fast bins, and 2.26, where a flag takes no word of its own.
static LAYOUTS: [Layout; 3] = [
    Layout {
        fast: Some(16),
        top: 96,
        bins: 112,
        next: 2160,
        attached: 2176,
        system: 2184,
        size: 2208,
    },
    Layout {
        fast: None,
        top: 8,
        bins: 24,
        next: 2072,
        attached: 2088,
        system: 2096,
        size: 2112,
    },
    Layout {
        fast: Some(8),
        top: 88,
        bins: 104,
        next: 2152,
        attached: 2168,
        system: 2176,
        size: 2192,
    },
];

/// How many lists there are besides the fast bins (NBINS - 1).
pub const BINS: u64 = 127;
/// How many of the bins of an arena are empty at least, even if its memory is in many pieces.
const EMPTY: usize = 8;
/// How many bins may be in the middle of a change: a thread that was stopped inside of malloc moves a
/// chunk from one to another.
const CHANGING: usize = 2;
/// The most arenas of a process: eight for each processor, unless it is told otherwise.
const MOST_ARENAS: usize = 1 << 16;

/// An arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arena {
    /// Whether it is the one that lies in the C library and has the process's heap.
    pub main: bool,
    /// Where its fields are.
    pub layout: &'static Layout,
}

impl Process {
    /// The arena at `address`, which begins with its lock.
    pub fn arena(&self, address: Addr) -> Option<Arena> {
        if !address.0.is_multiple_of(16) {
            return None;
        }
        let memory = &*self.target.memory;
        let main = match self.images.at(address) {
            Some(image) => {
                if !self.may_have_malloc(image) {
                    return None;
                }
                true
            }
            // An arena lies in its first heap, right behind what describes that.
            None => {
                let info = Addr(address.0 & !(HEAP_ALIGNMENT - 1));
                let behind = HEAP_INFO.iter().any(|size| info.add(*size) == address);
                if !behind || memory.ptr(info).ok()? != address {
                    return None;
                }
                false
            }
        };
        let is_one = |layout: &Layout| {
            has_bins(memory, address, layout) && is_in_ring(memory, address, layout)
        };
        let layout = LAYOUTS.iter().find(|layout| is_one(layout))?;
        Some(Arena { main, layout })
    }

    /// Whether glibc's malloc is in this image: the C library, or an executable that has it inside.
    pub fn may_have_malloc(&self, image: &Image) -> bool {
        match self.images.exported("gnu_get_libc_version") {
            Some((library, _, _)) => library.start == image.start,
            None => image.main,
        }
    }
}

/// Whether there are lists of free chunks: `fd` and `bk` of a chunk that is not there, 16 bytes
/// before them, to which an empty one points.
fn has_bins(memory: &dyn Memory, arena: Addr, layout: &Layout) -> bool {
    let (mut empty, mut changing) = (0, 0);
    for bin in 0..BINS {
        let at = arena.add(layout.bins + bin * 16);
        let (Ok(first), Ok(last)) = (memory.ptr(at), memory.ptr(at.add(8))) else {
            return false;
        };
        let chunk = at.sub(16);
        match (first == chunk, last == chunk) {
            (true, true) => empty += 1,
            _ if first.is_null() || last.is_null() => return false,
            (false, false) => {}
            _ => changing += 1,
        }
    }
    empty >= EMPTY && changing <= CHANGING
}

/// Whether the chain of arenas comes back to this one.
fn is_in_ring(memory: &dyn Memory, arena: Addr, layout: &Layout) -> bool {
    let mut at = arena;
    for _ in 0..MOST_ARENAS {
        match memory.ptr(at.add(layout.next)) {
            Ok(next) if next == arena => return true,
            Ok(next) if !next.is_null() => at = next,
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    /// An arena at 0x10_0000 with one bin in use.
    fn arena(layout: &Layout, next: u64, broken: bool) -> Synth {
        let at = 0x10_0000;
        let mut words = vec![0_u64; 300];
        let mut set = |offset: u64, value: u64| words[(offset / 8) as usize] = value;
        for bin in 0..BINS {
            let offset = layout.bins + bin * 16;
            set(offset, at + offset - 16);
            set(offset + 8, at + offset - 16);
        }
        set(layout.bins, 0x20_0000);
        set(layout.bins + 8, if broken { 0 } else { 0x20_0000 });
        set(layout.next, next);
        let mut memory = Synth::default();
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        memory.add(at, bytes.collect());
        memory
    }

    #[test]
    fn an_arena_is_known_by_its_bins_and_its_ring() {
        let at = Addr(0x10_0000);
        for layout in &LAYOUTS {
            let whole = arena(layout, at.0, false);
            assert!(has_bins(&whole, at, layout) && is_in_ring(&whole, at, layout));
            let known = LAYOUTS.iter().filter(|each| has_bins(&whole, at, each));
            assert_eq!(known.count(), 1, "the layouts do not look like each other");
            assert!(!has_bins(&arena(layout, at.0, true), at, layout));
            assert!(!is_in_ring(&arena(layout, 0, false), at, layout));
            assert!(!is_in_ring(&arena(layout, 0x50, false), at, layout));
        }
    }
}
