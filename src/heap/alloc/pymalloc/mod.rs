//! pymalloc, CPython's allocator of small blocks (Objects/obmalloc.c): arenas of 256 KiB or 1 MiB are
//! cut into pools, each of blocks of one size. Larger blocks come from malloc, and free-threaded
//! builds have mimalloc in its place.

mod arena;
mod figures;
#[cfg(test)]
mod tests;

use super::{Gap, Span, Use};
use crate::addr::Addr;
use crate::heap::pieces::Pieces;
use crate::python::Python;
use crate::python::obmalloc::{
    Allocator, ArenaObject, ArenaTable, FreeBlocks, HEAD, Pool, Serving, Tables, asked,
};
use arena::{Cell, cells};
pub use arena::{Filling, PoolUse};
pub use figures::{ArenaRow, Bytes, ClassRow, Figures, StateFigures};

/// Blocks in use that are looked at to tell whether debug hooks surround them.
const SAMPLE: u32 = 64;

/// All arenas of a process.
pub struct Pymalloc {
    /// What serves requests for objects.
    pub serving: Serving,
    /// Bytes of a pool; `None` in builds without pymalloc.
    pub pool_size: Option<u32>,
    /// The tables of arenas. Interpreters of 3.12 and later may have one each.
    pub tables: Vec<ArenaTable>,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

impl Pymalloc {
    /// Finds the arenas.
    pub fn of(python: &Python, pieces: &Pieces<'_>) -> Pymalloc {
        let tables = Tables::of(python);
        let problems = tables.all.iter().filter_map(|table| table.problem.clone());
        let mut pymalloc = Pymalloc {
            serving: Serving::of(python),
            pool_size: python.layout.kinds.pool_size,
            problems: tables.problem.into_iter().chain(problems).collect(),
            tables: tables.all,
        };
        pymalloc.judge(pieces);
        pymalloc
    }

    /// All arenas.
    pub fn arenas(&self) -> impl Iterator<Item = &ArenaObject> {
        self.tables.iter().flat_map(|table| &table.arenas)
    }

    /// Tells the memory of an arena as spans side by side, in the order of addresses. Pools that
    /// cannot be believed are left out; they are the gaps that are returned.
    pub fn spans(
        &self,
        pieces: &Pieces<'_>,
        arena: &ArenaObject,
        tell: &mut dyn FnMut(Span),
    ) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let Some(pool_size) = self.pool_size else {
            return gaps;
        };
        let mut put = |start: Addr, len: u64, used| {
            if len > 0 {
                tell(Span { start, len, used });
            }
        };
        let end = arena.start.add(arena.size);
        let skipped = arena.first_pool.0 - arena.start.0;
        put(arena.start, skipped, Use::Overhead);
        cells(pieces, arena, pool_size, &mut |at, cell| {
            let size = u64::from(pool_size);
            match cell {
                Cell::Free => put(at, size, Use::Free),
                Cell::Used(pool, free) => blocks(at, size, pool, free, &mut put),
                Cell::Damaged(damage) => gaps.push(Gap {
                    start: at,
                    len: size,
                    why: format!("of the pymalloc pool at {at} {}", damage.words()),
                }),
            }
        });
        let carved = arena
            .first_pool
            .add(u64::from(arena.carved) * u64::from(pool_size));
        let pools = arena
            .first_pool
            .add(u64::from(arena.pools) * u64::from(pool_size));
        put(carved, pools.0.saturating_sub(carved.0), Use::Fresh);
        put(pools, end.0.saturating_sub(pools.0), Use::Overhead);
        gaps
    }

    /// Tells from the blocks what the functions did not tell: whether it is pymalloc that serves,
    /// and whether debug hooks surround its blocks.
    fn judge(&mut self, pieces: &Pieces<'_>) {
        if self.serving.allocator.is_some() && self.serving.hooks.is_some() {
            return;
        }
        let (mut seen, mut hooked) = (0, 0);
        for arena in self.arenas() {
            let Some(pool_size) = self.pool_size.filter(|_| seen < SAMPLE) else {
                break;
            };
            cells(pieces, arena, pool_size, &mut |at, cell| {
                let Cell::Used(pool, free) = cell else {
                    return;
                };
                let used = (0..pool.carved).filter(|index| !free.contains(*index));
                for index in used.take(SAMPLE.saturating_sub(seen) as usize) {
                    let block = at.add(u64::from(Pool::HEADER + index * pool.block_size));
                    let raw = pieces.bytes(block, HEAD as usize).unwrap_or_default();
                    seen += 1;
                    hooked += u32::from(asked(&raw, pool.block_size.into()).is_some());
                }
            });
        }
        let found = match (self.pool_size, seen) {
            (None, _) => (Allocator::Mimalloc, false, "this build is free-threaded"),
            // Nothing tells whether there is no pymalloc or no table was found.
            (_, 0) if !self.problems.is_empty() => return,
            (_, 0) => (Allocator::Malloc, false, "pymalloc has no blocks in use"),
            _ => (
                Allocator::Pymalloc,
                hooked * 2 > seen,
                "blocks of pymalloc are in use",
            ),
        };
        let (allocator, hooks, evidence) = found;
        let serving = &mut self.serving;
        if serving.allocator.is_none() {
            serving.allocator = Some(allocator);
            serving.evidence = format!("{}; {evidence}", serving.evidence);
        }
        serving.hooks.get_or_insert(hooks);
    }
}

/// Tells a pool with blocks in use.
fn blocks(
    at: Addr,
    size: u64,
    pool: &Pool,
    free: &FreeBlocks,
    put: &mut dyn FnMut(Addr, u64, Use),
) {
    let block = u64::from(pool.block_size);
    let place = |index: u32| at.add(u64::from(Pool::HEADER) + u64::from(index) * block);
    put(at, Pool::HEADER.into(), Use::Overhead);
    for index in 0..pool.carved {
        let used = match free.contains(index) {
            true => Use::Free,
            false => Use::Used,
        };
        put(place(index), block, used);
    }
    let fresh = u64::from(pool.room - pool.carved) * block;
    put(place(pool.carved), fresh, Use::Fresh);
    let rest = place(pool.room);
    put(rest, at.add(size).0.saturating_sub(rest.0), Use::Overhead);
}
