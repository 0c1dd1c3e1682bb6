//! Which block of a pool of pymalloc an address is in (Objects/obmalloc.c). What looks like a pool is
//! taken for one when its header, its list of free blocks and its count of used ones agree.

use crate::addr::Addr;
use crate::python::obmalloc::{FreeBlocks, Pool};
use crate::target::Memory;
use serde::Serialize;

/// The block of a pool that an address is in.
#[derive(Clone, Debug, Serialize)]
pub struct Pooled {
    /// Where the pool begins.
    pub pool: Addr,
    /// Its size in bytes.
    pub pool_size: u32,
    /// The size of its blocks in bytes.
    pub block_size: u32,
    /// How many of its blocks are in use.
    pub used: u32,
    /// Where the block begins; `None` for an address in the header or behind the last block.
    pub block: Option<Addr>,
    /// What the address is in.
    pub state: BlockState,
}

/// What part of a pool an address is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// A block in use.
    Used,
    /// A block that was freed.
    Free,
    /// A block that was never used.
    Unused,
    /// The pool's header.
    Header,
    /// The rest behind the last block.
    Rest,
}

impl Pooled {
    /// In words.
    pub(super) fn words(&self) -> String {
        let pool = format!("the pymalloc pool at {}", self.pool);
        let size = self.block_size;
        match (self.state, self.block) {
            (BlockState::Header, _) => {
                format!("in the header of {pool}, whose blocks have {size} bytes")
            }
            (BlockState::Used, Some(block)) => {
                format!("in a block of {size} bytes at {block}, in use, of {pool}")
            }
            (BlockState::Free, Some(block)) => {
                format!("in a free block of {size} bytes at {block}, of {pool}")
            }
            (BlockState::Unused, Some(block)) => {
                format!("in a block of {size} bytes at {block}, never used, of {pool}")
            }
            _ => format!("in the rest behind the blocks of {pool}"),
        }
    }
}

/// The pool and block that `address` is in; `None` when it is in no pool.
pub(super) fn find(memory: &dyn Memory, pool_size: u32, address: Addr) -> Option<Pooled> {
    let pool = Addr(address.0 & !(u64::from(pool_size).checked_sub(1)?));
    let raw = memory.bytes(pool, pool_size as usize).ok()?;
    let mut free = FreeBlocks::default();
    let Pool {
        block_size,
        used,
        carved,
        room,
        ..
    } = Pool::read(&raw, pool, &mut free).ok()??;
    let offset = u32::try_from(address.since(pool)?).ok()?;
    let (block, state) = match offset.checked_sub(Pool::HEADER) {
        None => (None, BlockState::Header),
        Some(into) => match into / block_size {
            index if index >= room => (None, BlockState::Rest),
            index => {
                let state = match index {
                    _ if index >= carved => BlockState::Unused,
                    _ if free.contains(index) => BlockState::Free,
                    _ => BlockState::Used,
                };
                (Some(Pool::HEADER + index * block_size), state)
            }
        },
    };
    Some(Pooled {
        pool,
        pool_size,
        block_size,
        used,
        block: block.map(|at| pool.add(u64::from(at))),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::obmalloc::pool;
    use crate::target::synth::Synth;

    const POOL: u64 = 0x7f00_0000_4000;

    /// A pool of 4 KiB with blocks of 64 bytes, of which five were carved and one is free.
    fn pool() -> Synth {
        let mut memory = Synth::default();
        memory.add(POOL, pool::tests::pool(POOL, 4096, 64, 5, &[1]));
        memory
    }

    #[test]
    fn each_part_of_a_pool_is_told() {
        let memory = pool();
        let state = |at: u64| find(&memory, 4096, Addr(POOL + at)).unwrap().state;
        assert_eq!(state(10), BlockState::Header);
        assert_eq!(state(48 + 3), BlockState::Used);
        assert_eq!(state(48 + 64 + 63), BlockState::Free);
        assert_eq!(state(48 + 5 * 64), BlockState::Unused);
        assert_eq!(state(4095), BlockState::Rest);
        let block = find(&memory, 4096, Addr(POOL + 48 + 130)).unwrap().block;
        assert_eq!(block, Some(Addr(POOL + 48 + 128)));
    }

    #[test]
    fn what_does_not_add_up_is_no_pool() {
        let at = Addr(POOL + 100);
        assert!(find(&pool(), 16384, at).is_none());
        let mut memory = Synth::default();
        memory.add(POOL, vec![0; 4096]);
        assert!(find(&memory, 4096, at).is_none());
    }
}
