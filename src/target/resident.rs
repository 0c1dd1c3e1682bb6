//! Which bytes of the address space there really are: in RAM (live), or in the core.
//!
//! For a live process /proc/PID/pagemap tells of each page whether it is in RAM (bit 63; Linux
//! Documentation/admin-guide/mm/pagemap.rst), and smaps how many bytes of each mapping the kernel
//! counts to its resident set. A core has the bytes that were dumped; in one that pydbg wrote, its
//! note also has what was in RAM then.
//!
//! A page that was read before it was ever written is the kernel's page of zeros. pagemap has it as
//! present and smaps does not count it; what a debugger reads makes more of them.

use super::dumped::Dumped;
use super::memory::Memory;
use super::proc::Task;
use super::proc_note::{Kept, apply, names};
use super::smaps::{self, Smap};
use super::{Mapping, Origin, Target};
use crate::addr::Addr;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::Serialize;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Bytes of an entry of pagemap.
const ENTRY: u64 = 8;

/// The bit of a page that is in RAM.
const PRESENT: u64 = 1 << 63;

/// The bits of a page of a file, and of one that no other process has (bits 61 and 56). The page of
/// zeros has neither, nor has one that is shared with a forked process.
const OF_FILE: u64 = 1 << 61;
const EXCLUSIVE: u64 = 1 << 56;

/// Bytes of a core that one task looks at.
const CHUNK: u64 = 4 << 20;

/// Words that are looked at together.
const FEW: usize = 32;

/// How many entries of pagemap are read at once.
const AT_ONCE: u64 = 1 << 16;

/// What the bytes are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Bytes in RAM, as the kernel's resident set size: a live process, or a core that tells.
    Resident,
    /// A core: bytes that it holds.
    Dumped,
}

/// The bytes that there are.
#[derive(Debug)]
pub struct Resident {
    /// What they are counted by.
    pub basis: Basis,
    /// All of them, in bytes: for a live process the sum of what smaps tells.
    pub total: u64,
    /// Bytes of pages in a core that have nothing but zeros: most were never written, and a core
    /// does not tell.
    pub zeros: u64,
    /// In swap, in bytes.
    pub swapped: u64,
    /// By address, apart.
    runs: Vec<Range<u64>>,
    /// How many bytes all runs before each one have.
    before: Vec<u64>,
}

impl Target {
    /// Which bytes there are. For a live process that runs on it is what there is now.
    pub fn resident(&self) -> io::Result<Resident> {
        match self.origin {
            Origin::Live(pid) => {
                let task = Task::of(pid);
                live(&task.read("smaps")?, task, &self.mappings, &*self.memory)
            }
            Origin::Core(_) | Origin::Snapshot(_) => {
                let kept = self.kept.as_ref();
                let kept = kept.and_then(|kept| Resident::kept(kept, &self.mappings));
                Ok(kept.unwrap_or_else(|| dumped(&self.dumped, &*self.memory)))
            }
            Origin::Synthetic => {
                let whole = self.mappings.iter().map(|m| m.start.0..m.end.0);
                Ok(Resident::new(Basis::Dumped, whole.collect()))
            }
        }
    }
}

impl Resident {
    /// Of runs by address that do not overlap.
    pub fn new(basis: Basis, runs: Vec<Range<u64>>) -> Resident {
        let mut total = 0;
        let before = runs.iter().map(|run| {
            let before = total;
            total += run.end.saturating_sub(run.start);
            before
        });
        let before = before.collect();
        Resident {
            basis,
            total,
            zeros: 0,
            swapped: 0,
            runs,
            before,
        }
    }

    /// Of pages in RAM, of which smaps tells how many bytes they are.
    fn counted(smaps: &[Smap], runs: Vec<Range<u64>>) -> Resident {
        let sum = |of: fn(&Smap) -> u64| smaps.iter().map(of).fold(0, u64::saturating_add);
        Resident {
            total: sum(|smap| smap.resident),
            swapped: sum(|smap| smap.swapped),
            ..Resident::new(Basis::Resident, runs)
        }
    }

    /// What was in RAM when pydbg wrote the core, if that is all there and makes sense.
    fn kept(kept: &Kept, mappings: &[Mapping]) -> Option<Resident> {
        let smaps = smaps::parse(kept.file("smaps").ok()?);
        let runs = unpacked(kept.file(names::RESIDENT).ok()?)?;
        let all = runs.iter().all(|run| apply::is_within(mappings, run));
        all.then(|| Resident::counted(&smaps, runs))
    }

    /// The runs as numbers of pages: how many are missing before each, and how many it has, each in
    /// groups of seven bits, the lowest first.
    pub(super) fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut end = 0;
        for run in &self.runs {
            for pages in [run.start / PAGE - end, (run.end - run.start) / PAGE] {
                push_number(&mut bytes, pages);
            }
            end = run.end / PAGE;
        }
        bytes
    }

    /// How many of `len` bytes from an address on there are.
    pub fn bytes(&self, start: Addr, len: u64) -> u64 {
        let end = start.0.saturating_add(len);
        self.below(end).saturating_sub(self.below(start.0))
    }

    /// How many bytes there are below an address.
    fn below(&self, at: u64) -> u64 {
        let index = self.runs.partition_point(|run| run.start < at);
        let last = index.checked_sub(1);
        let found = last.and_then(|last| Some((self.runs.get(last)?, self.before.get(last)?)));
        found.map_or(0, |(run, before)| before + (at.min(run.end) - run.start))
    }
}

/// What a core holds, without its pages of zeros.
fn dumped(runs: &[Dumped], memory: &dyn Memory) -> Resident {
    let runs = || runs.iter().map(|run| &run.range);
    let chunks: Vec<Range<u64>> = runs()
        .flat_map(|run| {
            let starts = (run.start..run.end).step_by(CHUNK as usize);
            starts.map(|start| start..run.end.min(start.saturating_add(CHUNK)))
        })
        .collect();
    let written: Vec<Vec<Range<u64>>> = chunks
        .into_par_iter()
        .map(|chunk| {
            let starts = (chunk.start..chunk.end).step_by(PAGE as usize);
            let pages = starts.map(|start| start..chunk.end.min(start + PAGE));
            joined(pages.filter(|page| !is_zero(memory, page.start, page.end - page.start)))
        })
        .collect();
    let total = runs().map(|run| run.end - run.start).sum();
    let resident = Resident::new(Basis::Dumped, joined(written.into_iter().flatten()));
    Resident {
        zeros: u64::saturating_sub(total, resident.total),
        total,
        ..resident
    }
}

/// Runs by address, with those that touch made one.
fn joined(runs: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for run in runs {
        match all.last_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            _ => all.push(run),
        }
    }
    all
}

/// What pagemap and the text of smaps tell of a live process.
pub(super) fn live(
    smaps: &[u8],
    task: Task,
    mappings: &[Mapping],
    memory: &dyn Memory,
) -> io::Result<Resident> {
    let smaps = smaps::parse(smaps);
    let pagemap = fs::File::open(task.path("pagemap"))?;
    let mut runs: Vec<Range<u64>> = Vec::new();
    for mapping in mappings {
        let known = smaps.binary_search_by_key(&mapping.start.0, |smap| smap.start);
        let smap = known.ok().and_then(|index| smaps.get(index));
        match smap.map_or(mapping.len(), |smap| smap.resident) {
            0 => {}
            all if all == mapping.len() => runs.push(mapping.start.0..mapping.end.0),
            counted => {
                let mut present = Present::read(&pagemap, mapping)?;
                present.drop_zeros(counted / PAGE, memory);
                runs.extend(present.pages.iter().map(|page| *page..page + PAGE));
            }
        }
    }
    Ok(Resident::counted(&smaps, joined(runs.into_iter())))
}

/// Adds a number in groups of seven bits; all but the last have the eighth set.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What [`Resident::packed`] has made of runs; nothing where that makes no sense.
fn unpacked(bytes: &[u8]) -> Option<Vec<Range<u64>>> {
    let mut bytes = bytes.iter();
    let mut number = || -> Option<Option<u64>> {
        let mut number = 0u64;
        for place in 0..10 {
            let Some(byte) = bytes.next() else {
                return (place == 0).then_some(None);
            };
            let bits = u64::from(byte & 0x7f);
            let shifted = bits.checked_shl(place * 7)?;
            (shifted >> (place * 7) == bits).then_some(())?;
            number |= shifted;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(Some(number))
    };
    let mut runs = Vec::new();
    let mut end = 0u64;
    while let Some(before) = number()? {
        let start = end.checked_add(before.checked_mul(PAGE)?)?;
        end = start.checked_add(number()??.checked_mul(PAGE)?)?;
        runs.push(start..end);
    }
    Some(runs)
}

/// The pages of a mapping that pagemap has as present.
struct Present {
    /// Their addresses, in order.
    pages: Vec<u64>,
    /// Those of them that may be the page of zeros.
    doubtful: FxHashSet<u64>,
}

impl Present {
    fn read(pagemap: &fs::File, mapping: &Mapping) -> io::Result<Present> {
        let mut present = Present {
            pages: Vec::new(),
            doubtful: FxHashSet::default(),
        };
        let (first, last) = (mapping.start.0 / PAGE, mapping.end.0 / PAGE);
        let mut entries = vec![0; (AT_ONCE.min(last - first) * ENTRY) as usize];
        let mut number = first;
        while number < last {
            let wanted = ((last - number).min(AT_ONCE) * ENTRY) as usize;
            let Some(buffer) = entries.get_mut(..wanted) else {
                break;
            };
            let read = pagemap.read_at(buffer, number * ENTRY)?;
            let (whole, _) = buffer.get(..read).unwrap_or_default().as_chunks::<8>();
            for (number, entry) in (number..).zip(whole) {
                let entry = u64::from_le_bytes(*entry);
                if entry & PRESENT != 0 {
                    present.pages.push(number * PAGE);
                    if entry & (OF_FILE | EXCLUSIVE) == 0 {
                        present.doubtful.insert(number * PAGE);
                    }
                }
            }
            match whole.len() as u64 {
                0 => break,
                count => number += count,
            }
        }
        Ok(present)
    }

    /// Drops pages of zeros, down to as many as the kernel has counted: all that may be some, or
    /// if others must be among them, those in which nothing but zeros is.
    fn drop_zeros(&mut self, counted: u64, memory: &dyn Memory) {
        let mut surplus = (self.pages.len() as u64).saturating_sub(counted);
        let all = self.doubtful.len() as u64 <= surplus;
        let doubtful = &self.doubtful;
        self.pages.retain(|page| {
            let zero =
                surplus > 0 && doubtful.contains(page) && (all || is_zero(memory, *page, PAGE));
            surplus -= u64::from(zero);
            !zero
        });
    }
}

/// Whether there are nothing but zeros from an address on; what cannot be read is none.
fn is_zero(memory: &dyn Memory, start: u64, len: u64) -> bool {
    let Ok(bytes) = memory.bytes(Addr(start), len as usize) else {
        return false;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    // Without an end before the end, so that many are looked at at once.
    let zero = |words: &[[u8; 8]]| words.iter().fold(0, |all, w| all | u64::from_ne_bytes(*w)) == 0;
    words.chunks(FEW).all(zero) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    #[test]
    fn bytes_within_and_between_runs() {
        let resident = Resident::new(Basis::Dumped, vec![0x1000..0x3000, 0x5000..0x6000]);
        let bytes = |start, len| resident.bytes(Addr(start), len);
        assert_eq!(resident.total, 0x3000);
        assert_eq!(bytes(0, 0x10_0000), 0x3000);
        assert_eq!(bytes(0x1800, 0x10), 0x10);
        assert_eq!(bytes(0x2fff, 0x2002), 2);
        assert_eq!(bytes(0x3000, 0x2000), 0);
        assert_eq!(bytes(0x5fff, u64::MAX), 1);
        assert_eq!(
            Resident::new(Basis::Dumped, Vec::new()).bytes(Addr(7), 9),
            0
        );
    }

    #[test]
    fn a_page_that_was_written_is_there() {
        let task = Task::leader(std::process::id() as i32);
        let block = vec![1_u8; 1 << 20];
        let at = Addr(block.as_ptr() as u64);
        let smaps = task.read("smaps").unwrap();
        let found = live(&smaps, task, &task.maps().unwrap(), &Synth::default()).unwrap();
        assert_eq!(found.bytes(at, 1 << 20), 1 << 20);
        assert!(found.total >= 1 << 20);
    }

    #[test]
    fn runs_are_packed_and_read_again() {
        let runs = vec![
            0x1000..0x2000,
            0x4000..0x14_5000,
            0x7fff_0000_0000..0x7fff_0000_1000,
        ];
        let resident = Resident::new(Basis::Resident, runs.clone());
        assert_eq!(unpacked(&resident.packed()), Some(runs));
        assert_eq!(unpacked(&[]), Some(Vec::new()));
        for nonsense in [&[1][..], &[0x80], &[1, 0x80], &[0xff; 20], &[0xff; 9]] {
            assert_eq!(unpacked(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_core_tells_its_zeros() {
        let mut memory = Synth::default();
        let mut bytes = vec![0; 0x4800];
        bytes[0x1fff] = 1;
        bytes[0x4001] = 1;
        memory.add(0x10_0000, bytes);
        let runs =
            [0x10_0000..0x10_4800, 0x20_0000..0x20_1000].map(|range| Dumped { range, offset: 0 });
        let found = dumped(&runs, &memory);
        assert_eq!((found.total, found.zeros), (0x5800, 0x3000));
        assert_eq!(
            found.runs,
            [
                0x10_1000..0x10_2000,
                0x10_4000..0x10_4800,
                0x20_0000..0x20_1000
            ]
        );
    }

    #[test]
    fn pages_of_zeros_are_not_counted() {
        let mut memory = Synth::default();
        memory.add(0x2000, vec![0; 0x1000]);
        memory.add(0x3000, vec![1; 0x1000]);
        let present = |doubtful: &[u64]| Present {
            pages: vec![0x1000, 0x2000, 0x3000, 0x4000],
            doubtful: doubtful.iter().copied().collect(),
        };
        let left = |doubtful: &[u64], counted| {
            let mut present = present(doubtful);
            present.drop_zeros(counted, &memory);
            present.pages
        };
        assert_eq!(left(&[0x2000, 0x3000], 4).len(), 4);
        assert_eq!(left(&[0x2000, 0x3000], 2), [0x1000, 0x4000]);
        assert_eq!(left(&[0x2000, 0x3000], 3), [0x1000, 0x3000, 0x4000]);
    }
}
