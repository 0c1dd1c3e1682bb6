//! What glibc's malloc keeps for the whole process (`mp_`, `struct malloc_par` of malloc/malloc.c,
//! 2.26 to 2.43, 64-bit). Its symbol is there only with debug files, so it is known by its numbers,
//! and above all by the start of the heap, from which chunks lead to the top of the main arena.

use super::walk::{ALIGNMENT, Stop, walk};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::image::Image;
use crate::native::Process;
use crate::target::Mapping;
use serde::Serialize;

/// Where fields are in `struct malloc_par`.
struct Layout {
    /// Whether the arenas have fast bins.
    fast: bool,
    n_mmaps: u64,
    mmapped_mem: u64,
    sbrk_base: u64,
}

/// 2.43, 2.35 to 2.42, and 2.26 to 2.34: each has some words more in front than the one before.
const LAYOUTS: [Layout; 3] = [
    Layout {
        fast: false,
        n_mmaps: 68,
        mmapped_mem: 88,
        sbrk_base: 104,
    },
    Layout {
        fast: true,
        n_mmaps: 60,
        mmapped_mem: 80,
        sbrk_base: 96,
    },
    Layout {
        fast: true,
        n_mmaps: 40,
        mmapped_mem: 56,
        sbrk_base: 72,
    },
];

/// The most bins of a thread's cache.
const MOST_BINS: u64 = 76;
/// The most chunks that a bin of a thread's cache may have.
const MOST_CACHED: u64 = u16::MAX as u64;
/// Chunks mapped by themselves have whole pages.
const PAGE: u64 = 4096;

/// What is known of the whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Parameters {
    /// Where they are.
    pub address: Addr,
    /// From which size on memory is mapped for one chunk alone; it grows.
    pub mmap_threshold: u64,
    /// How large the top may become before it is given back to the system.
    pub trim_threshold: u64,
    /// How many chunks were mapped by themselves.
    pub n_mmaps: u64,
    /// Their bytes.
    pub mmapped_mem: u64,
    /// Where the heap of the main arena begins; null while it has none.
    pub sbrk_base: Addr,
    /// How many chunks of a size a thread may keep.
    pub tcache_count: u64,
}

/// The words at a multiple of 8, where halves are taken from.
fn half<W: Words + ?Sized>(words: &W, at: Addr) -> Option<u64> {
    let word = words.u64(Addr(at.0 & !7))?;
    Some(if at.0.is_multiple_of(8) {
        word & 0xffff_ffff
    } else {
        word >> 32
    })
}

impl Layout {
    /// The parameters at an address, if all of them make sense.
    fn read<W: Words + ?Sized>(&self, words: &W, at: Addr) -> Option<Parameters> {
        let half = |offset| half(words, at.add(offset));
        let word = |offset| words.u64(at.add(offset));
        let n_mmaps = half(self.n_mmaps)?;
        let most_now = half(self.n_mmaps + 4)?;
        let most = half(self.n_mmaps + 8)?;
        let fixed = half(self.n_mmaps + 12)?;
        let mmapped_mem = word(self.mmapped_mem)?;
        let most_mapped = word(self.mmapped_mem + 8)?;
        let base = word(self.sbrk_base)?;
        let bins = word(self.sbrk_base + 8)?;
        let largest = word(self.sbrk_base + 16)?;
        let count = word(self.sbrk_base + 24)?;
        let counts = n_mmaps <= most && most <= i32::MAX as u64 && most_now <= i32::MAX as u64;
        // From 2.43 on each `mremap` counts some bytes too many.
        let unit = if self.fast { PAGE } else { ALIGNMENT };
        let mapped = mmapped_mem.is_multiple_of(unit) && most_mapped.is_multiple_of(unit);
        let cached = bins <= MOST_BINS && largest <= 1 << 24 && count <= MOST_CACHED;
        let agree = (n_mmaps == 0) == (mmapped_mem == 0) && mmapped_mem <= most_mapped;
        let any = bins != 0 && most_now != 0;
        (counts && mapped && cached && agree && any && fixed <= 1).then_some(Parameters {
            address: at,
            mmap_threshold: word(16)?,
            trim_threshold: word(0)?,
            n_mmaps,
            mmapped_mem,
            sbrk_base: Addr(base),
            tcache_count: count,
        })
    }
}

/// The mappings of the image that may be written to.
pub(super) fn data<'p>(process: &'p Process, image: &Image) -> impl Iterator<Item = &'p Mapping> {
    let (start, end) = (image.start, image.end);
    let mappings = process.target.mappings.iter();
    mappings.filter(move |mapping| mapping.write && mapping.start < end && mapping.end > start)
}

/// The parameters of the malloc in `image`, whose main arena has its top at `top`. Those of 2.43 look
/// like those of 2.42 from one word further on, so it has to be known whether there are fast bins.
pub(super) fn find<W: Words + ?Sized>(
    process: &Process,
    words: &W,
    image: &Image,
    top: Addr,
    fast: bool,
) -> Option<Parameters> {
    let right = |parameters: &Parameters| leads_to(process, words, parameters.sbrk_base, top);
    let at = |at: Addr| {
        let layouts = LAYOUTS.iter().filter(|layout| layout.fast == fast);
        let mut all = layouts.filter_map(|layout| layout.read(words, at));
        all.find(right)
    };
    let named = image.named("mp_").and_then(|(address, _)| at(address));
    let anywhere = || {
        let mut places = data(process, image)
            .flat_map(|mapping| (mapping.start.0..mapping.end.0.saturating_sub(144)).step_by(8));
        places.find_map(|place| at(Addr(place)))
    };
    named.or_else(anywhere)
}

/// Whether chunks lead from the start of the heap to the top, or to fence posts before it.
fn leads_to<W: Words + ?Sized>(process: &Process, words: &W, base: Addr, top: Addr) -> bool {
    let mapping = process.target.mapping(base).filter(|mapping| mapping.write);
    let first = base.0.checked_next_multiple_of(ALIGNMENT).map(Addr);
    let (Some(mapping), Some(first)) = (mapping, first) else {
        return false;
    };
    if process.images.at(base).is_some() {
        return false;
    }
    let mut chunks = 0_u64;
    // A heap that is damaged further on is one, too.
    match walk(words, first, mapping.end, top, &mut |_| chunks += 1) {
        Stop::Top(_) => true,
        Stop::Fence(_) => chunks > 1,
        Stop::Broken { .. } => chunks > 100,
    }
}
