//! Memory that is free and still not the system's: between the blocks of malloc's arenas.

use super::{Facts, Finding, Kind};
use crate::diag::human;
use crate::memory::What;

/// How many arenas are told one by one.
const ARENAS: usize = 3;

/// More arenas than this are said to come from the threads.
const MANY: usize = 4;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.large(facts.resident(&[What::NativeFree, What::NativeTop]))?;
    let mut arenas: Vec<_> = facts.memory.malloc.iter().flat_map(|f| &f.arenas).collect();
    arenas.sort_by_key(|arena| std::cmp::Reverse(arena.free()));
    let large = |free: u64| free >= bytes / 20;
    let holding = arenas.iter().filter(|arena| large(arena.free())).count();
    let trimmable: u64 = arenas.iter().map(|arena| arena.trimmable()).sum();
    let mut evidence: Vec<String> = arenas
        .iter()
        .take(ARENAS)
        .filter(|arena| large(arena.free()))
        .map(|arena| {
            let name = if arena.main {
                "the main arena"
            } else {
                "the arena"
            };
            let pins = arena.highest.iter().filter(|pin| !pin.cached);
            let pin = pins.max_by_key(|pin| pin.free_below);
            let pinned = pin.map_or_else(String::new, |pin| {
                format!(
                    "; the block of {} bytes at {} has {} free below it",
                    pin.size,
                    pin.address,
                    human(pin.free_below)
                )
            });
            format!(
                "{name} at {} has {} free and {} in use{pinned}",
                arena.address,
                human(arena.free()),
                human(arena.used.bytes),
            )
        })
        .collect();
    evidence.push(format!(
        "malloc_trim(0) could give back up to {}",
        human(trimmable)
    ));
    let threads = match holding > MANY {
        true => format!(
            ", in {holding} arenas: each of many threads has one, which MALLOC_ARENA_MAX limits"
        ),
        false => String::new(),
    };
    Some(Finding {
        kind: Kind::Fragmentation,
        bytes,
        words: format!(
            "fragmentation: {} are free inside of malloc's heaps and not given back to the \
             system{threads}",
            facts.amount(bytes)
        ),
        evidence,
        next: vec!["info arenas".into()],
    })
}
