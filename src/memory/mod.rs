//! Where the memory of the process is: one table that adds up to its resident set, or to what the
//! core holds.
//!
//! Every byte is told by whoever knows it best, once: Python's allocator and glibc's tell their
//! blocks, the objects tell which of the blocks are theirs, and of what is left the mapping tells
//! what it is for.

mod audit;
mod blocks;
mod books;
mod claims;
mod ledger;
mod rest;
mod what;

use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::alloc::glibc;
use crate::heap::alloc::recognise::Server;
use crate::heap::pieces::Pieces;
use crate::target::Mapping;
use crate::target::resident::{Basis, Resident};
pub use audit::{Audit, Miscounted, MiscountedType, Verdict};
pub(crate) use blocks::Blocks;
pub(crate) use books::{Allocator, Books};
pub(crate) use claims::Claims;
use ledger::Ledger;
pub use ledger::Row;
use rest::Rest;
use serde::Serialize;
use std::io;
use std::ops::Range;
use std::sync::Arc;
pub use what::What;

/// The table, and what it was made from.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// What `resident` in the rows means.
    pub basis: Basis,
    /// What the rows add up to: the resident set as the kernel has it, or the bytes of the core.
    pub total: u64,
    /// Bytes in swap, of a live process.
    pub swapped: u64,
    /// What there is, in the order of the table.
    pub rows: Vec<Row>,
    /// What each mapping is for where no allocator says so, the largest first.
    pub mappings: Vec<Area>,
    /// What has the buffers: types, with the bytes of the buffers of their instances, the largest
    /// first.
    pub buffers: Vec<OfType>,
    /// Another library than glibc that serves malloc.
    pub other_malloc: Option<Server>,
    /// The figures of glibc's malloc.
    pub malloc: Option<glibc::Figures>,
    /// What is wrong with the books of allocators, in words.
    pub problems: Vec<String>,
}

/// What the instances of a type have.
#[derive(Clone, Debug, Serialize)]
pub struct OfType {
    /// The full name of the type.
    pub class: Arc<str>,
    /// How many blocks.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The part of a mapping that no allocator speaks for.
#[derive(Clone, Debug, Serialize)]
pub struct Area {
    /// Where the mapping begins.
    pub start: Addr,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub what: What,
    /// Bytes of it that are in RAM, or in the core.
    pub resident: u64,
    /// All its bytes.
    pub size: u64,
}

impl Memory {
    /// Adds up all memory of the process that has these objects.
    pub fn of(heap: &Heap) -> io::Result<Memory> {
        let process = &heap.python.process;
        let target = &process.target;
        let resident = target.resident()?;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let mut books = Books::of(&heap.python, &pieces);
        let mut claims = Claims::default();
        let regions = books.claim(&mut claims);
        let blocks = Blocks::of(heap, &pieces, &claims);
        let mut ledger = books.book(&regions, &blocks, &resident);
        let mut claim = |what, run: Range<u64>, ledger: &mut Ledger<'_>| {
            for part in claims.claim(run) {
                ledger.book(what, Addr(part.start), part.end - part.start);
            }
        };
        for (start, size) in heap.python.frame_stacks() {
            let run = start.0..start.0.saturating_add(size);
            claim(What::FrameStacks, run, &mut ledger);
        }
        for run in &blocks.mapped {
            claim(What::Buffers, run.clone(), &mut ledger);
        }
        let anonymous = |at: u64| {
            let mapping = target.mapping(Addr(at));
            mapping.is_some_and(|mapping| mapping.file().is_none())
        };
        for (run, what) in &blocks.loose {
            if anonymous(run.start) {
                claim(*what, run.clone(), &mut ledger);
            }
        }
        let rest = Rest::new(process, books.other_malloc.is_some());
        let mut mappings: Vec<Area> = Vec::new();
        for mapping in &target.mappings {
            let area = area(mapping, rest.of(mapping), &claims, &resident);
            if area.resident > 0 {
                ledger.add(area.what, area.size, area.resident);
                mappings.push(area);
            }
        }
        if resident.zeros > 0 {
            ledger.add(What::Zeros, resident.zeros, resident.zeros);
        }
        mappings.sort_by_key(|area| std::cmp::Reverse(area.resident));
        Ok(Memory {
            basis: resident.basis,
            total: resident.total,
            swapped: resident.swapped,
            rows: ledger.rows(),
            mappings,
            buffers: blocks.buffers(heap),
            malloc: books.figures(),
            other_malloc: books.other_malloc,
            problems: books.problems,
        })
    }

    /// The bytes of some kinds of memory together.
    pub fn resident(&self, kinds: &[What]) -> u64 {
        let rows = self.rows.iter().filter(|row| kinds.contains(&row.what));
        rows.map(|row| row.resident).sum()
    }

    /// What the rows add up to.
    pub fn sum(&self) -> u64 {
        self.rows.iter().map(|row| row.resident).sum()
    }
}

/// What is left of a mapping.
fn area(mapping: &Mapping, what: What, claims: &Claims, resident: &Resident) -> Area {
    let free = claims.free(mapping.start.0..mapping.end.0);
    let bytes = |part: &Range<u64>| resident.bytes(Addr(part.start), part.end - part.start);
    Area {
        start: mapping.start,
        name: mapping.path.clone(),
        what,
        resident: free.iter().map(bytes).sum(),
        size: free.iter().map(|part| part.end - part.start).sum(),
    }
}
