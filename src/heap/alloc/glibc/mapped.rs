//! Chunks that glibc's malloc mapped for themselves, because of their size (`sysmalloc_mmap` of
//! malloc/malloc.c, 2.26 to 2.43). No list has them. Each begins with its header at the start of a
//! page, or so many bytes behind it as the header says, for the sake of alignment; the kernel merges
//! its mapping with others. What is found is compared with malloc's own count.

use super::parameters::Parameters;
use super::walk::{FLAGS, HEADER, IS_MMAPPED};
use crate::addr::Addr;
use crate::diag::Cancel;
use crate::heap::pieces::Words;
use crate::sum::Sum;
use serde::Serialize;
use std::ops::Range;

const PAGE: u64 = 4096;
/// The most pages that are looked at: 256 GiB.
const MOST_PAGES: u64 = 1 << 26;
/// Alignments that a program asks for, as binary logarithms.
const ALIGNMENTS: std::ops::RangeInclusive<u32> = 5..=12;
/// The most that malloc's own count is believed to be too large.
const MOST_EXCESS: u64 = 1 << 20;
/// Bytes of a huge page.
const HUGE_PAGE: u64 = 2 << 20;

/// How the header of such a chunk is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Up to 2.42: the size is all that was mapped, without what lies before the header.
    Whole,
    /// From 2.43 on: the size leaves out the header and as much at the end, and the lowest bit of the
    /// offset says that it has huge pages.
    Lean,
}

impl Form {
    /// Where the header is by what it says of itself; `None` where it cannot be one.
    fn offset(self, ahead: u64, len: u64) -> Option<u64> {
        match (self, ahead & 1) {
            (_, 0) => Some(ahead),
            (Form::Lean, _) if len.is_multiple_of(HUGE_PAGE) => Some(ahead - 1),
            _ => None,
        }
    }

    /// How long the mapping is, and what of it the program may use, by the size in the header.
    fn lengths(self, offset: u64, size: u64) -> Option<(u64, u64)> {
        let to_end = size.checked_add(offset)?;
        match self {
            Form::Whole => Some((to_end, size.checked_sub(HEADER)?)),
            Form::Lean => Some((to_end.checked_add(HEADER)?, size.checked_sub(8)?)),
        }
    }
}

/// A chunk with a mapping of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Alone {
    /// Where its mapping begins.
    pub(super) start: Addr,
    /// Bytes of the mapping.
    pub(super) len: u64,
    /// Where the user's bytes begin.
    pub(super) user: Addr,
    /// How many they are.
    pub(super) usable: u64,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Mapped {
    /// How many were found, and their bytes.
    pub found: Sum,
    /// How many there are by malloc's own count (`n_mmaps`, `mmapped_mem`).
    pub counted: Option<Sum>,
    #[serde(skip)]
    pub(super) all: Vec<Alone>,
}

impl Mapped {
    /// Whether those that were found are those that were counted. From 2.43 on each `mremap` of one
    /// counts the 16 bytes of its header once more.
    pub fn is_certain(&self) -> bool {
        self.counted.is_some_and(|counted| {
            let excess = counted.bytes.checked_sub(self.found.bytes);
            let right = |excess| excess < MOST_EXCESS && excess % HEADER == 0;
            counted.count == self.found.count && excess.is_some_and(right)
        })
    }

    fn add(&mut self, alone: Alone) {
        self.found.add(alone.len);
        self.all.push(alone);
    }
}

/// Finds them in runs of what may have them: anonymous memory. Those at the starts are certain enough
/// to be believed without a count.
pub(super) fn find<W: Words + ?Sized>(
    words: &W,
    form: Form,
    runs: &[Range<Addr>],
    parameters: Option<&Parameters>,
    cancel: &Cancel,
) -> Mapped {
    let counted = parameters.map(|parameters| Sum {
        count: parameters.n_mmaps,
        bytes: parameters.mmapped_mem,
    });
    let mut first = Mapped {
        counted,
        ..Mapped::default()
    };
    if counted == Some(Sum::default()) {
        return first;
    }
    for run in runs {
        let mut at = run.start;
        while let Some(alone) = at_page(words, form, at, run.end) {
            at = at.add(alone.len);
            first.add(alone);
        }
    }
    if first.is_certain() || counted.is_none() {
        return first;
    }
    let all = everywhere(words, form, runs, counted, cancel);
    // Bytes of others may look like a chunk: the count decides.
    let excess = counted.is_some_and(|counted| all.found.count > counted.count);
    if excess && !all.is_certain() {
        first
    } else {
        all
    }
}

fn everywhere<W: Words + ?Sized>(
    words: &W,
    form: Form,
    runs: &[Range<Addr>],
    counted: Option<Sum>,
    cancel: &Cancel,
) -> Mapped {
    let mut all = Mapped {
        counted,
        ..Mapped::default()
    };
    let mut pages = 0;
    for run in runs {
        let mut at = run.start;
        while at < run.end {
            pages += 1;
            if all.is_certain() || pages > MOST_PAGES || cancel.is_cancelled() {
                return all;
            }
            match at_page(words, form, at, run.end) {
                Some(alone) => {
                    at = at.add(alone.len);
                    all.add(alone);
                }
                None => at = at.add(PAGE),
            }
        }
    }
    all
}

/// The chunk whose mapping begins at a page.
fn at_page<W: Words + ?Sized>(words: &W, form: Form, page: Addr, end: Addr) -> Option<Alone> {
    // Where it was moved for the sake of alignment, the first header is still there.
    let aligned = ALIGNMENTS.map(|bits| (1 << bits) - HEADER);
    aligned.chain(std::iter::once(0)).find_map(|offset| {
        let at = page.add(offset);
        let word = words.u64(at.add(8))?;
        if word & FLAGS != IS_MMAPPED {
            return None;
        }
        let (len, usable) = form.lengths(offset, word & !FLAGS)?;
        let there = form.offset(words.u64(at)?, len) == Some(offset);
        let fits = len > 0 && len.is_multiple_of(PAGE) && page.0.checked_add(len)? <= end.0;
        (there && fits).then_some(Alone {
            start: page,
            len,
            user: at.add(HEADER),
            usable,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    /// Chunks by where their header is, what it says, and the pages they have.
    fn memory(chunks: &[(u64, u64, u64)]) -> Synth {
        let mut memory = Synth::default();
        memory.add(0x10_0000, vec![0; 0x10_0000]);
        for (at, ahead, size) in chunks {
            let words = [*ahead, *size];
            memory.add(
                *at,
                words.iter().flat_map(|word| word.to_le_bytes()).collect(),
            );
            memory.add(at + 16, vec![0; 0x1000]);
        }
        memory
    }

    fn parameters(n_mmaps: u64, mmapped_mem: u64) -> Parameters {
        Parameters {
            address: Addr(0),
            mmap_threshold: 0,
            trim_threshold: 0,
            n_mmaps,
            mmapped_mem,
            sbrk_base: Addr(0),
            tcache_count: 0,
        }
    }

    #[test]
    fn chunks_are_found_where_mappings_are_merged() {
        let whole = [
            (0x10_0000, 0, 0x2_1002),
            (0x12_1030, 0x30, 0x2_0fd2),
            (0x15_0000, 0, 0x2_1002),
        ];
        let lean = whole.map(|(at, ahead, size)| (at, ahead, size - 16));
        for (form, chunks) in [(Form::Whole, whole), (Form::Lean, lean)] {
            let memory = memory(&chunks);
            let runs = [Addr(0x10_0000)..Addr(0x20_0000)];
            let some = parameters(3, 0x2_1000 * 3);
            let found = find(&memory, form, &runs, Some(&some), &Cancel::default());
            assert!(found.is_certain(), "{found:?}");
            assert_eq!(found.all[1].user, Addr(0x12_1040));
            let found = find(&memory, form, &runs, None, &Cancel::default());
            assert_eq!(found.found.count, 2, "those at the start of the mapping");
            assert!(!found.is_certain());
        }
    }

    #[test]
    fn an_int_with_one_reference_is_no_chunk() {
        // Its count of references, and a digit that looks like a size.
        let memory = memory(&[(0x10_0000, 1, 0x2_0ff2), (0x15_0000, 0, 0x2_1002)]);
        let runs = [Addr(0x10_0000)..Addr(0x20_0000)];
        let some = parameters(1, 0x2_1000);
        let found = find(&memory, Form::Whole, &runs, Some(&some), &Cancel::default());
        assert!(found.is_certain(), "{found:?}");
    }
}
