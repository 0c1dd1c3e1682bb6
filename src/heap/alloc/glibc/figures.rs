//! What glibc's malloc has, in the words of `malloc_info(3)` and `mallinfo2(3)`, and what these do not
//! tell: what the threads' caches keep, what `malloc_trim(0)` could give back, and which blocks
//! keep an arena from shrinking.

use super::walk::SMALLEST;
use super::{Block, BlockUse, Glibc};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::sum::Sum;
use serde::Serialize;
use std::collections::VecDeque;

const PAGE: u64 = 4096;
/// Bytes at the start of a free chunk that have to stay (`struct malloc_chunk`).
const FREE_HEADER: u64 = 48;
/// How many of the blocks that lie highest are told, and how many of the largest.
const PINS: usize = 8;
/// Classes of one size each, by 16 bytes, up to this; behind, each is twice the one before.
const EXACT: u64 = 1024;
const EXACT_CLASSES: usize = (EXACT / 16) as usize;

/// A block that keeps an arena from shrinking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Pin {
    /// What malloc returned.
    pub address: Addr,
    /// Bytes of the chunk with its header.
    pub size: u64,
    /// How much is free directly below it.
    pub free_below: u64,
    /// Whether it is not in use, but kept in a thread's cache or a fast bin.
    pub cached: bool,
}

/// The figures of an arena. Sizes of chunks are with their headers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArenaFigures {
    /// Its `malloc_state`.
    pub address: Addr,
    /// Whether it is the main arena.
    pub main: bool,
    /// How many threads use it.
    pub attached: u64,
    /// Bytes from the system, by its own account.
    pub system: u64,
    /// The most it ever had.
    pub max_system: u64,
    /// Runs of memory.
    pub segments: usize,
    /// Bytes of them that may be written to, also those that are not used any more.
    pub committed: u64,
    /// In use by the program.
    pub used: Sum,
    /// Kept in caches of threads.
    pub cached: Sum,
    /// In fast bins.
    pub fast: Sum,
    /// In the other bins.
    pub bins: Sum,
    /// Those of them that were freed and not looked at since.
    pub unsorted: Sum,
    /// Left at the end.
    pub top: u64,
    /// The threads' caches themselves.
    pub tables: Sum,
    /// The arena's own header, the headers of its heaps, and fence posts.
    pub headers: u64,
    /// Bytes of which nothing is known, because the memory is damaged.
    pub lost: u64,
    /// The largest free chunk that is not at the end.
    pub largest_free: u64,
    /// Whole pages in free chunks: `malloc_trim(0)` gives them back, if it did not do so before.
    pub trim_pages: u64,
    /// What it gives back of the end; only the main arena's.
    pub trim_top: u64,
    /// Free bytes that lie below the highest block that is in use or cached.
    pub pinned: u64,
    /// The blocks that lie highest, the highest first.
    pub highest: Vec<Pin>,
    /// The largest blocks in use.
    pub largest: Vec<Pin>,
}

impl ArenaFigures {
    /// All that is free.
    pub fn free(&self) -> u64 {
        self.cached.bytes + self.fast.bytes + self.bins.bytes + self.top
    }

    /// What `malloc_trim(0)` could give back.
    pub fn trimmable(&self) -> u64 {
        self.trim_pages + self.trim_top
    }
}

/// Chunks of like size.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Class {
    /// The smallest size, with the header.
    pub from: u64,
    /// The largest.
    pub to: u64,
    /// In use.
    pub used: Sum,
    /// Kept in caches of threads.
    pub cached: Sum,
    /// In fast bins.
    pub fast: Sum,
    /// In the other bins.
    pub bins: Sum,
}

/// All figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// By arena, the main one first.
    pub arenas: Vec<ArenaFigures>,
    /// By size, the smallest first; those of which there is any.
    pub classes: Vec<Class>,
    /// Chunks that were mapped by themselves.
    pub mapped: Sum,
    /// What does not agree, in words.
    pub problems: Vec<String>,
}

/// What is known while the chunks go by.
#[derive(Default)]
struct Tally {
    figures: ArenaFigures,
    /// Free bytes since the last block that is not free.
    free_run: u64,
    /// Free bytes up to the last block that is not free.
    free_below: u64,
    highest: VecDeque<Pin>,
    told: u64,
}

impl Tally {
    fn add(&mut self, block: Block) {
        let figures = &mut self.figures;
        self.told += block.size;
        match block.state {
            BlockUse::Used => figures.used.add(block.size),
            BlockUse::Cached => figures.cached.add(block.size),
            BlockUse::Fast => figures.fast.add(block.size),
            BlockUse::Table => figures.tables.add(block.size),
            BlockUse::Fence => figures.headers += block.size,
            BlockUse::Top => figures.top += block.size,
            BlockUse::Free => {
                figures.bins.add(block.size);
                figures.largest_free = figures.largest_free.max(block.size);
                let first = (block.start.0 + FREE_HEADER).next_multiple_of(PAGE);
                let end = block.start.0.saturating_add(block.size) & !(PAGE - 1);
                figures.trim_pages += end.saturating_sub(first);
            }
        }
        match block.state {
            BlockUse::Free => self.free_run += block.size,
            BlockUse::Used | BlockUse::Cached | BlockUse::Fast | BlockUse::Table => self.pin(block),
            BlockUse::Top | BlockUse::Fence => {}
        }
    }

    fn pin(&mut self, block: Block) {
        let cached = matches!(block.state, BlockUse::Cached | BlockUse::Fast);
        let pin = Pin {
            address: block.start.add(super::walk::HEADER),
            size: block.size,
            free_below: self.free_run,
            cached,
        };
        self.free_below += self.free_run;
        self.free_run = if cached { block.size } else { 0 };
        if self.highest.len() == PINS {
            self.highest.pop_front();
        }
        self.highest.push_back(pin);
        let largest = &mut self.figures.largest;
        let full = largest.len() == PINS;
        if !cached && (!full || largest.last().is_some_and(|last| last.size < pin.size)) {
            let at = largest.partition_point(|other| other.size >= pin.size);
            largest.insert(at, pin);
            largest.truncate(PINS);
        }
    }
}

/// The number of the class of a size.
fn class_of(size: u64) -> usize {
    match size.div_ceil(EXACT) {
        0 | 1 => (size / 16) as usize,
        more => EXACT_CLASSES + 1 + (more - 1).ilog2() as usize,
    }
}

/// The sizes of a class.
fn range(class: usize) -> (u64, u64) {
    match class.checked_sub(EXACT_CLASSES + 1) {
        None => (class as u64 * 16, class as u64 * 16),
        Some(power) => ((EXACT << power) + 16, EXACT << (power + 1).min(53)),
    }
}

impl Glibc {
    /// Walks all chunks and counts.
    pub fn figures<W: Words + ?Sized>(&self, words: &W) -> Figures {
        let mut tallies: Vec<Tally> = self.arenas.iter().map(|_| Tally::default()).collect();
        let mut classes = vec![Class::default(); EXACT_CLASSES + 1 + 64];
        self.blocks(words, &mut |block| {
            let tally = block.arena.and_then(|index| tallies.get_mut(index));
            let Some(tally) = tally else { return };
            tally.add(block);
            let Some(class) = classes.get_mut(class_of(block.size)) else {
                return;
            };
            match block.state {
                BlockUse::Used => class.used.add(block.size),
                BlockUse::Cached => class.cached.add(block.size),
                BlockUse::Fast => class.fast.add(block.size),
                BlockUse::Free => class.bins.add(block.size),
                BlockUse::Top | BlockUse::Table | BlockUse::Fence => {}
            }
        });
        let mut figures = Figures {
            mapped: self.mapped.found,
            ..Figures::default()
        };
        for (index, tally) in tallies.into_iter().enumerate() {
            self.finish(index, tally, &mut figures);
        }
        for (index, mut class) in classes.into_iter().enumerate() {
            (class.from, class.to) = range(index);
            let sums = [class.used, class.cached, class.fast, class.bins];
            if sums.iter().any(|sum| sum.count > 0) {
                figures.classes.push(class);
            }
        }
        figures
    }

    fn finish(&self, index: usize, tally: Tally, all: &mut Figures) {
        let Some(arena) = self.arenas.get(index) else {
            return;
        };
        let mut figures = tally.figures;
        let bytes = |start: Addr, end: Addr| end.since(start).unwrap_or(0);
        let has: u64 = arena
            .segments
            .iter()
            .map(|part| bytes(part.start, part.end))
            .sum();
        let regions = self.regions();
        let own = regions.iter().filter(|region| region.arena == Some(index));
        figures.lost = own
            .filter_map(|region| Some(bytes(region.lost?, region.end)))
            .sum();
        figures.headers += has.saturating_sub(tally.told + figures.lost);
        figures.address = arena.address;
        figures.main = arena.main;
        figures.attached = arena.attached;
        figures.system = arena.system;
        figures.max_system = arena.max_system;
        figures.unsorted = arena.bins.unsorted;
        figures.segments = arena.segments.len();
        let committed = |part: &super::Segment| bytes(part.start, part.committed);
        figures.committed = arena.segments.iter().map(committed).sum();
        // systrim() leaves the smallest chunk and a byte.
        if arena.main {
            figures.trim_top = figures.top.saturating_sub(SMALLEST + 1) & !(PAGE - 1);
        }
        figures.pinned = tally.free_below;
        figures.highest = tally.highest.into_iter().rev().collect();
        let listed: u64 = arena.fast.len() as u64;
        if figures.lost == 0 && arena.bins.whole && figures.bins != arena.bins.all {
            all.problems.push(format!(
                "the arena at {}: {} chunks ({} bytes) are marked as free, and {} ({} bytes) are in \
                 its bins: a thread was stopped inside of malloc, or it is damaged",
                arena.address,
                figures.bins.count,
                figures.bins.bytes,
                arena.bins.all.count,
                arena.bins.all.bytes
            ));
        }
        if figures.lost == 0 && arena.fast_whole && figures.fast.count != listed {
            all.problems.push(format!(
                "the arena at {}: {listed} chunks are in its fast bins, and {} of them were found",
                arena.address, figures.fast.count
            ));
        }
        all.arenas.push(figures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_one_size_each_and_then_double() {
        for size in (32..=1 << 20).step_by(16) {
            let (from, to) = range(class_of(size));
            assert!(from <= size && size <= to, "{size}: {from} to {to}");
        }
        assert_eq!(range(class_of(1040)), (1040, 2048));
        assert_eq!(range(class_of(!15)).0, (EXACT << 53) + 16);
    }
}
