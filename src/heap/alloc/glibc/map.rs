//! Where in the arenas' memory what is in use lies: each run of memory in cells of one or several
//! pages.

use super::{BlockUse, Glibc, Region};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use serde::Serialize;

const PAGE: u64 = 4096;

/// A run of memory of an arena.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// Which arena has it, by position.
    pub arena: usize,
    /// First byte.
    pub start: Addr,
    /// First byte behind it.
    pub end: Addr,
    /// How many blocks are in use.
    pub blocks: u64,
    /// Their bytes, with headers and what malloc needs itself.
    pub used: u64,
    /// Free bytes, those kept in caches of threads among them.
    pub free: u64,
    /// The longest run of free bytes.
    pub longest_free: u64,
    /// Bytes of which nothing is known.
    pub lost: u64,
    /// Free bytes in each cell.
    #[serde(skip)]
    pub free_in: Vec<u32>,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Map {
    /// Bytes of a cell.
    pub unit: u64,
    /// By arena and address.
    pub parts: Vec<Part>,
}

impl Glibc {
    /// Draws the arenas in about so many cells at the most.
    pub fn map<W: Words + ?Sized>(&self, words: &W, cells: u64) -> Map {
        let regions = self.regions();
        let len = |region: &Region| region.end.since(region.start).unwrap_or(0);
        let arenas = || regions.iter().filter(|region| region.arena.is_some());
        let total: u64 = arenas().map(len).sum();
        let unit = (total / cells.max(1))
            .max(PAGE)
            .next_power_of_two()
            .min(1 << 31);
        let part = |region: &Region| Part {
            arena: region.arena.unwrap_or(0),
            start: region.start,
            end: region.end,
            blocks: 0,
            used: 0,
            free: 0,
            longest_free: 0,
            lost: region
                .lost
                .and_then(|lost| region.end.since(lost))
                .unwrap_or(0),
            free_in: vec![0; len(region).div_ceil(unit) as usize],
        };
        let mut parts: Vec<Part> = arenas().map(part).collect();
        let (mut at, mut run) = (0, 0);
        self.blocks(words, &mut |block| {
            if block.arena.is_none() {
                return;
            }
            let holds = |part: &Part| part.start <= block.start && block.start < part.end;
            while parts.get(at).is_some_and(|part| !holds(part)) {
                (at, run) = (at + 1, 0);
            }
            let Some(part) = parts.get_mut(at) else {
                return;
            };
            match block.state {
                BlockUse::Cached | BlockUse::Fast | BlockUse::Free | BlockUse::Top => {
                    run += block.size;
                    part.longest_free = part.longest_free.max(run);
                    part.add_free(block.start, block.size, unit);
                }
                BlockUse::Used => {
                    part.blocks += 1;
                    run = 0;
                }
                BlockUse::Table | BlockUse::Fence => run = 0,
            }
        });
        for part in &mut parts {
            let all = part.end.since(part.start).unwrap_or(0);
            part.used = all.saturating_sub(part.free + part.lost);
        }
        Map { unit, parts }
    }
}

impl Part {
    fn add_free(&mut self, start: Addr, len: u64, unit: u64) {
        self.free += len;
        let from = start.since(self.start).unwrap_or(0);
        let end = from.saturating_add(len);
        let first = (from / unit) as usize;
        for (index, cell) in self.free_in.iter_mut().enumerate().skip(first) {
            let low = index as u64 * unit;
            if low >= end {
                break;
            }
            let here = end.min(low + unit) - from.max(low);
            *cell = cell.saturating_add(here as u32);
        }
    }
}
