//! Which allocator the memory of objects is from: pymalloc where its pools are, else what the mapping
//! says.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::target::Mapping;
use rayon::prelude::*;

/// Kinds of memory, by their numbers.
const NAMES: &[&str] = &[
    "pymalloc",
    "mimalloc",
    "malloc",
    "malloc or another anonymous mapping",
    "static data of a program or library",
    "a mapped file",
    "not in any mapping",
];

const PYMALLOC: u8 = 0;
const MIMALLOC: u8 = 1;
const BREAK: u8 = 2;
const ANONYMOUS: u8 = 3;
const STATIC: u8 = 4;
const FILE: u8 = 5;
const NOWHERE: u8 = 6;

/// The memory that objects lie in.
pub(super) struct Places {
    /// The mappings by address, each with the number of its kind.
    mappings: Vec<(Addr, Addr, u8)>,
    /// Ones in the bits of an address that tell a place within a pool.
    within: u64,
    /// Where the pools begin that have objects; by address.
    pools: Vec<u64>,
}

impl Places {
    /// Looks at the mappings, and once at each pool that has objects.
    pub(super) fn of(heap: &Heap) -> Places {
        let python = &heap.python;
        let process = &python.process;
        let anonymous = match python.layout.free_threaded {
            true => MIMALLOC,
            false => ANONYMOUS,
        };
        let kind = |mapping: &Mapping| match mapping.path.as_deref() {
            Some("[heap]") => BREAK,
            _ if process.images.at(mapping.start).is_some() => STATIC,
            _ if mapping.file().is_some() => FILE,
            _ => anonymous,
        };
        let mappings = process.target.mappings.iter();
        let size = python.layout.kinds.pool_size.map_or(1, u64::from);
        let mut places = Places {
            mappings: mappings.map(|m| (m.start, m.end, kind(m))).collect(),
            within: size.saturating_sub(1),
            pools: Vec::new(),
        };
        if size > 1 {
            let addresses = (0..heap.count()).map(|id| heap.address(id));
            let mut firsts: Vec<Addr> = addresses
                .filter(|addr| matches!(places.mapping(*addr), BREAK | ANONYMOUS))
                .collect();
            firsts.dedup_by_key(|addr| addr.0 & !places.within);
            let pooled = firsts
                .into_par_iter()
                .filter(|addr| python.is_pooled(*addr));
            places.pools = pooled.map(|addr| addr.0 & !places.within).collect();
        }
        places
    }

    /// The number of the kind of memory at an address.
    pub(super) fn number(&self, addr: Addr) -> u8 {
        match self.pools.binary_search(&(addr.0 & !self.within)) {
            Ok(_) => PYMALLOC,
            Err(_) => self.mapping(addr),
        }
    }

    fn mapping(&self, addr: Addr) -> u8 {
        let after = self.mappings.partition_point(|(start, ..)| *start <= addr);
        match after.checked_sub(1).and_then(|at| self.mappings.get(at)) {
            Some((_, end, kind)) if addr < *end => *kind,
            _ => NOWHERE,
        }
    }
}

/// What a kind of memory is called.
pub(super) fn name(number: u64) -> &'static str {
    let name = usize::try_from(number).ok().and_then(|at| NAMES.get(at));
    name.copied().unwrap_or("?")
}
