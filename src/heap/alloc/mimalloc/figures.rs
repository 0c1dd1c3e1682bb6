//! What the segments, pages and blocks of mimalloc come to.

use super::segments::{Run, Segment, Segments, reader};
use crate::addr::Addr;
use crate::heap::alloc::Gap;
use crate::heap::pieces::Pieces;
use crate::python::Python;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// What the blocks of a heap are for. Each thread has one heap of each kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeapKind {
    /// Memory that is no object.
    Memory,
    /// Objects that the collector does not track.
    Objects,
    /// Objects that it tracks.
    Collected,
    /// The same, with a dictionary and weak references in front of them.
    CollectedWithDict,
    /// None of these.
    Unknown,
}

impl HeapKind {
    const ALL: [HeapKind; 5] = [
        HeapKind::Memory,
        HeapKind::Objects,
        HeapKind::Collected,
        HeapKind::CollectedWithDict,
        HeapKind::Unknown,
    ];

    fn index(tag: u64) -> usize {
        (tag as usize).min(HeapKind::ALL.len() - 1)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            HeapKind::Memory => "memory",
            HeapKind::Objects => "objects",
            HeapKind::Collected => "objects, collected",
            HeapKind::CollectedWithDict => "objects, collected, with __dict__",
            HeapKind::Unknown => "of no known kind",
        }
    }
}

/// What the pages of all heaps of a kind come to, in bytes but for counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct HeapRow {
    /// The kind.
    pub kind: HeapKind,
    /// Pages.
    pub pages: u64,
    /// Blocks in use.
    pub used_blocks: u64,
    /// Their bytes.
    pub used: u64,
    /// Blocks that were freed.
    pub free: u64,
    /// Blocks that were never used.
    pub fresh: u64,
    /// What is before and behind the blocks.
    pub overhead: u64,
}

/// Pages with blocks of one size.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct SizeRow {
    /// Bytes of a block.
    pub size: u64,
    /// Pages.
    pub pages: u64,
    /// Blocks in use.
    pub used: u64,
    /// Blocks that were freed.
    pub free: u64,
    /// Blocks that were never used.
    pub fresh: u64,
}

/// One segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentRow {
    /// Its first byte.
    pub address: Addr,
    /// Bytes.
    pub size: u64,
    /// The thread that has it; 0 after that has ended.
    pub thread: u64,
    /// Its pages.
    pub pages: u64,
    /// Blocks in use: those that keep it from being given back.
    pub used_blocks: u64,
    /// Their bytes.
    pub used: u64,
    /// Bytes that no page has.
    pub unused: u64,
}

/// What all segments come to.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Bytes of all segments.
    pub size: u64,
    /// Heaps by kind.
    pub heaps: Vec<HeapRow>,
    /// Pages by the size of their blocks.
    pub sizes: Vec<SizeRow>,
    /// Bytes that no page has.
    pub unused: u64,
    /// The segments' own descriptions.
    pub headers: u64,
    /// Bytes of pages that cannot be believed.
    pub damaged: u64,
    /// The segments, by address.
    pub segments: Vec<SegmentRow>,
    /// Pages that cannot be believed.
    pub gaps: Vec<Gap>,
}

/// What one segment comes to.
struct Sum {
    row: SegmentRow,
    heaps: [HeapRow; 5],
    sizes: FxHashMap<u64, SizeRow>,
    header: u64,
    gaps: Vec<Gap>,
}

impl Segments {
    /// Walks all pages.
    pub fn figures(&self, python: &Python, pieces: &Pieces<'_>) -> Figures {
        let sums = self.all.par_iter();
        let sums: Vec<Sum> = sums.map(|segment| sum(python, pieces, segment)).collect();
        let mut figures = Figures {
            size: self.all.iter().map(|segment| segment.size).sum(),
            heaps: rows().to_vec(),
            sizes: Vec::new(),
            unused: 0,
            headers: 0,
            damaged: 0,
            segments: Vec::with_capacity(sums.len()),
            gaps: Vec::new(),
        };
        let mut sizes: FxHashMap<u64, SizeRow> = FxHashMap::default();
        for sum in sums {
            for (all, one) in figures.heaps.iter_mut().zip(&sum.heaps) {
                all.add(one);
            }
            for (size, row) in sum.sizes {
                sizes.entry(size).or_default().add(&row);
            }
            figures.unused += sum.row.unused;
            figures.headers += sum.header;
            figures.damaged += sum.gaps.iter().map(|gap| gap.len).sum::<u64>();
            figures.segments.push(sum.row);
            figures.gaps.extend(sum.gaps);
        }
        figures.heaps.retain(|row| row.pages > 0);
        figures.sizes = sizes.into_values().collect();
        figures.sizes.sort_unstable_by_key(|row| row.size);
        figures
    }
}

fn rows() -> [HeapRow; 5] {
    HeapKind::ALL.map(|kind| HeapRow {
        kind,
        pages: 0,
        used_blocks: 0,
        used: 0,
        free: 0,
        fresh: 0,
        overhead: 0,
    })
}

fn sum(python: &Python, pieces: &Pieces<'_>, segment: &Segment) -> Sum {
    let mut sum = Sum {
        row: SegmentRow {
            address: segment.start,
            size: segment.size,
            thread: segment.thread,
            pages: 0,
            used_blocks: 0,
            used: 0,
            unused: 0,
        },
        heaps: rows(),
        sizes: FxHashMap::default(),
        header: 0,
        gaps: Vec::new(),
    };
    let Some(reader) = reader(python, pieces) else {
        return sum;
    };
    reader.runs(segment, &mut |from, to, run| {
        let len = to.0 - from.0;
        match run {
            Run::Unused => sum.row.unused += len,
            Run::Damaged(why) => sum.gaps.push(Gap {
                start: from,
                len,
                why,
            }),
            Run::Page(page) => {
                let free = (0..page.count).filter(|index| page.free.contains(*index));
                let free = free.count() as u64;
                let (used, fresh) = (page.count - free, page.room - page.count);
                sum.row.pages += 1;
                sum.row.used_blocks += used;
                sum.row.used += used * page.size;
                let one = SizeRow {
                    size: page.size,
                    pages: 1,
                    used,
                    free,
                    fresh,
                };
                sum.sizes.entry(page.size).or_default().add(&one);
                if let Some(heap) = sum.heaps.get_mut(HeapKind::index(page.kind)) {
                    heap.pages += 1;
                    heap.used_blocks += used;
                    heap.used += used * page.size;
                    heap.free += free * page.size;
                    heap.fresh += fresh * page.size;
                    heap.overhead += len - page.room * page.size;
                }
            }
        }
    });
    sum.header = reader.own_end(segment).since(segment.start).unwrap_or(0);
    sum
}

impl HeapRow {
    fn add(&mut self, other: &HeapRow) {
        self.pages += other.pages;
        self.used_blocks += other.used_blocks;
        self.used += other.used;
        self.free += other.free;
        self.fresh += other.fresh;
        self.overhead += other.overhead;
    }
}

impl SizeRow {
    fn add(&mut self, other: &SizeRow) {
        self.size = other.size;
        self.pages += other.pages;
        self.used += other.used;
        self.free += other.free;
        self.fresh += other.fresh;
    }
}
