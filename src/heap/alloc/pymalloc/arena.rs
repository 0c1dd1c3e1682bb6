//! The pools of one arena.

use crate::addr::Addr;
use crate::heap::pieces::Pieces;
use crate::python::obmalloc::{ArenaObject, Damage, FreeBlocks, Pool};
use serde::Serialize;

/// What a pool is that was ever used.
pub(super) enum Cell<'c> {
    /// None of its blocks is in use.
    Free,
    /// Some are; the free ones are marked.
    Used(&'c Pool, &'c FreeBlocks),
    /// It cannot be believed.
    Damaged(Damage),
}

/// Meets the pools of an arena that were ever used, by address.
pub(super) fn cells(
    pieces: &Pieces<'_>,
    arena: &ArenaObject,
    pool_size: u32,
    meet: &mut dyn FnMut(Addr, Cell<'_>),
) {
    let size = pool_size as usize;
    let all = size.checked_mul(arena.carved as usize);
    let all = all.and_then(|len| pieces.bytes(arena.first_pool, len));
    let mut free = FreeBlocks::default();
    for index in 0..arena.carved as usize {
        let at = arena.first_pool.add((index * size) as u64);
        // Where some of its pages are missing, other pools can be read.
        let single = match &all {
            Some(_) => None,
            None => pieces.bytes(at, size),
        };
        let raw = match (&all, &single) {
            (Some(all), _) => all.get(index * size..(index + 1) * size),
            (None, single) => single.as_deref(),
        };
        let read = raw.map_or(Err(Damage::Unreadable), |raw| {
            Pool::read(raw, at, &mut free)
        });
        match &read {
            Ok(None) => meet(at, Cell::Free),
            Ok(Some(pool)) => meet(at, Cell::Used(pool, &free)),
            Err(damage) => meet(at, Cell::Damaged(*damage)),
        }
    }
}

/// What a pool holds, for a picture of its arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolUse {
    /// It was never used.
    Fresh,
    /// None of its blocks is in use.
    Free,
    /// Blocks of this size; how many are in use, and how many there may be.
    Blocks {
        /// Bytes of a block.
        size: u32,
        /// Blocks in use.
        used: u32,
        /// Blocks it has room for.
        room: u32,
    },
    /// It cannot be believed.
    Damaged,
}

/// What the pools of an arena hold, by address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Filling {
    /// The arena's first byte.
    pub address: Addr,
    /// Its pools.
    pub pools: Vec<PoolUse>,
}

impl Filling {
    /// Looks at the pools of an arena.
    pub(super) fn of(pieces: &Pieces<'_>, arena: &ArenaObject, pool_size: u32) -> Filling {
        let mut pools = Vec::with_capacity(arena.pools as usize);
        cells(pieces, arena, pool_size, &mut |_, cell| {
            pools.push(match cell {
                Cell::Free => PoolUse::Free,
                Cell::Used(pool, _) => PoolUse::Blocks {
                    size: pool.block_size,
                    used: pool.used,
                    room: pool.room,
                },
                Cell::Damaged(_) => PoolUse::Damaged,
            });
        });
        pools.resize(arena.pools as usize, PoolUse::Fresh);
        Filling {
            address: arena.start,
            pools,
        }
    }
}
