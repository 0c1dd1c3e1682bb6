//! What pymalloc's books come to, as `sys._debugmallocstats()` counts it (`pymalloc_print_stats`):
//! pools and blocks by class of sizes, bytes by what they are for, and each arena.

use super::arena::{Cell, Filling, cells};
use super::{Gap, Pymalloc};
use crate::addr::Addr;
use crate::heap::pieces::Pieces;
use crate::python::obmalloc::{ArenaObject, ArenaTable, Pool, Serving, Totals};
use rayon::prelude::*;
use serde::Serialize;

/// More classes of sizes than any version has.
const CLASSES: usize = 64;

/// More gaps than this are counted, not told.
const MOST_GAPS: usize = 100;

/// What the books of all states of pymalloc come to.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// What serves requests for objects.
    pub serving: Serving,
    /// One for each state. Interpreters of 3.12 and later may have one each.
    pub states: Vec<StateFigures>,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// What the books of one state of pymalloc come to.
#[derive(Clone, Debug, Serialize)]
pub struct StateFigures {
    /// The interpreters that use it.
    pub interpreters: Vec<i64>,
    /// Where its table of arenas is.
    pub table: Addr,
    /// How that was found, in words.
    pub source: String,
    /// How many arenas there have been, where that can be found.
    pub totals: Option<Totals>,
    /// Bytes of all arenas.
    pub size: u64,
    /// Bytes of a pool.
    pub pool_size: u32,
    /// The classes of sizes that have pools, by size.
    pub classes: Vec<ClassRow>,
    /// Pools without blocks in use, with those never used.
    pub unused_pools: u64,
    /// What the bytes are for.
    pub bytes: Bytes,
    /// The arenas, by address.
    pub arenas: Vec<ArenaRow>,
    /// Pools that cannot be believed; the first hundred.
    pub gaps: Vec<Gap>,
}

/// A class of sizes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct ClassRow {
    /// Its number.
    pub class: u32,
    /// Bytes of a block.
    pub size: u32,
    /// Pools with blocks in use.
    pub pools: u64,
    /// Blocks in use.
    pub used: u64,
    /// Blocks that were freed.
    pub free: u64,
    /// Blocks that were never used.
    pub fresh: u64,
}

impl ClassRow {
    /// Blocks that can be had without a new pool.
    pub fn available(&self) -> u64 {
        self.free + self.fresh
    }
}

/// What the bytes of arenas are for. They add up to the size of the arenas.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Bytes {
    /// Blocks in use.
    pub used: u64,
    /// Free blocks of pools in use, and those never used.
    pub available: u64,
    /// Pools without blocks in use, and those never used.
    pub unused_pools: u64,
    /// Headers of pools in use.
    pub headers: u64,
    /// What is left over behind the blocks of pools in use.
    pub quantization: u64,
    /// What arenas lose because pools are aligned to their size.
    pub alignment: u64,
    /// Pools that cannot be believed.
    pub damaged: u64,
}

/// One arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ArenaRow {
    /// Its first byte.
    pub address: Addr,
    /// Bytes.
    pub size: u64,
    /// How many pools it has.
    pub pools: u32,
    /// Pools with blocks in use.
    pub used_pools: u32,
    /// Pools that are free again.
    pub free_pools: u32,
    /// Pools that were never used.
    pub fresh_pools: u32,
    /// Pools that cannot be believed.
    pub damaged_pools: u32,
    /// Blocks in use: those that keep the arena from being given back.
    pub used_blocks: u64,
    /// Their bytes.
    pub used_bytes: u64,
}

/// What one arena comes to.
struct Sum {
    row: ArenaRow,
    classes: [ClassRow; CLASSES],
    bytes: Bytes,
    gaps: Vec<Gap>,
    problem: Option<String>,
}

impl Pymalloc {
    /// Walks all pools.
    pub fn figures(&self, pieces: &Pieces<'_>) -> Figures {
        let mut problems = self.problems.clone();
        let states = self.pool_size.into_iter().flat_map(|pool_size| {
            let tables = self.tables.iter();
            tables.map(move |table| (table, pool_size))
        });
        let states =
            states.map(|(table, pool_size)| state(pieces, table, pool_size, &mut problems));
        Figures {
            serving: self.serving.clone(),
            states: states.collect(),
            problems,
        }
    }

    /// What the pools of the arenas of a table hold, in the order of the arenas.
    pub fn fillings(&self, pieces: &Pieces<'_>, table: &ArenaTable) -> Vec<Filling> {
        let Some(pool_size) = self.pool_size else {
            return Vec::new();
        };
        let arenas = table.arenas.par_iter();
        arenas
            .map(|arena| Filling::of(pieces, arena, pool_size))
            .collect()
    }
}

fn state(
    pieces: &Pieces<'_>,
    table: &ArenaTable,
    pool_size: u32,
    problems: &mut Vec<String>,
) -> StateFigures {
    let arenas = table.arenas.par_iter();
    let sums: Vec<Sum> = arenas.map(|arena| sum(pieces, arena, pool_size)).collect();
    let mut classes = [ClassRow::default(); CLASSES];
    let mut state = StateFigures {
        interpreters: table.interpreters.clone(),
        table: table.address,
        source: table.source.clone(),
        totals: table.totals,
        size: 0,
        pool_size,
        classes: Vec::new(),
        unused_pools: 0,
        bytes: Bytes::default(),
        arenas: Vec::with_capacity(sums.len()),
        gaps: Vec::new(),
    };
    let mut damaged = 0;
    for sum in sums {
        state.size += sum.row.size;
        state.unused_pools += u64::from(sum.row.free_pools) + u64::from(sum.row.fresh_pools);
        state.arenas.push(sum.row);
        state.bytes.add(&sum.bytes);
        for (all, one) in classes.iter_mut().zip(&sum.classes) {
            all.add(one);
        }
        damaged += sum.gaps.len();
        let room = MOST_GAPS.saturating_sub(state.gaps.len());
        state.gaps.extend(sum.gaps.into_iter().take(room));
        problems.extend(sum.problem);
    }
    if let Some(first) = state.gaps.first() {
        problems.push(format!(
            "{damaged} pools of pymalloc cannot be believed: {}",
            first.why
        ));
    }
    let rows = classes.into_iter().filter(|row| row.pools > 0);
    state.classes = rows.collect();
    state
}

fn sum(pieces: &Pieces<'_>, arena: &ArenaObject, pool_size: u32) -> Sum {
    let pool_bytes = u64::from(pool_size);
    let mut sum = Sum {
        row: ArenaRow {
            address: arena.start,
            size: arena.size,
            pools: arena.pools,
            used_pools: 0,
            free_pools: 0,
            fresh_pools: arena.pools - arena.carved,
            damaged_pools: 0,
            used_blocks: 0,
            used_bytes: 0,
        },
        classes: [ClassRow::default(); CLASSES],
        bytes: Bytes::default(),
        gaps: Vec::new(),
        problem: None,
    };
    cells(pieces, arena, pool_size, &mut |at, cell| match cell {
        Cell::Free => sum.row.free_pools += 1,
        Cell::Used(pool, _) => sum.count(pool, pool_bytes),
        Cell::Damaged(damage) => {
            sum.row.damaged_pools += 1;
            sum.bytes.damaged += pool_bytes;
            sum.gaps.push(Gap {
                start: at,
                len: pool_bytes,
                why: format!("of the one at {at} {}", damage.words()),
            });
        }
    });
    let unused = sum.row.free_pools + sum.row.fresh_pools;
    sum.bytes.unused_pools = u64::from(unused) * pool_bytes;
    sum.bytes.alignment = arena.size - u64::from(arena.pools) * pool_bytes;
    if sum.row.damaged_pools == 0 && unused != arena.free {
        sum.problem = Some(format!(
            "the arena at {} says that {} of its pools are free, and {unused} are",
            arena.start, arena.free
        ));
    }
    sum
}

impl Sum {
    /// Counts a pool with blocks in use.
    fn count(&mut self, pool: &Pool, pool_size: u64) {
        let size = u64::from(pool.block_size);
        let used = u64::from(pool.used);
        self.row.used_pools += 1;
        self.row.used_blocks += used;
        self.row.used_bytes += used * size;
        self.bytes.used += used * size;
        self.bytes.available += u64::from(pool.room - pool.used) * size;
        self.bytes.headers += u64::from(Pool::HEADER);
        let blocks = u64::from(pool.room) * size;
        self.bytes.quantization += pool_size - u64::from(Pool::HEADER) - blocks;
        if let Some(class) = self.classes.get_mut(pool.class as usize) {
            class.add(&ClassRow {
                class: pool.class,
                size: pool.block_size,
                pools: 1,
                used,
                free: u64::from(pool.carved - pool.used),
                fresh: u64::from(pool.room - pool.carved),
            });
        }
    }
}

impl ClassRow {
    fn add(&mut self, other: &ClassRow) {
        self.class = self.class.max(other.class);
        self.size = self.size.max(other.size);
        self.pools += other.pools;
        self.used += other.used;
        self.free += other.free;
        self.fresh += other.fresh;
    }
}

impl Bytes {
    fn add(&mut self, other: &Bytes) {
        self.used += other.used;
        self.available += other.available;
        self.unused_pools += other.unused_pools;
        self.headers += other.headers;
        self.quantization += other.quantization;
        self.alignment += other.alignment;
        self.damaged += other.damaged;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        let blocks = self.used + self.available + self.unused_pools;
        blocks + self.headers + self.quantization + self.alignment + self.damaged
    }
}
