//! Arenas built in memory, whole and damaged.

use super::*;
use crate::python::obmalloc::pool::tests::pool;
use crate::target::Mapping;
use crate::target::synth::Synth;
use crate::target::synth_random::Random;

const POOL: u64 = 4096;
const START: u64 = 0x7f00_0000_0000;
const POOLS: u64 = 64;

/// An arena of 64 pools: ten were carved out, of which the third is free again.
fn arena() -> Vec<u8> {
    let mut raw = Vec::new();
    for index in 0..10 {
        let at = START + index * POOL;
        let size = 16 * (1 + index as u32 * 3);
        let most = (POOL as u32 - Pool::HEADER) / size;
        raw.extend(match index {
            2 => vec![0; POOL as usize],
            _ => pool(at, POOL as usize, size, most - 1, &[1, 4, 2]),
        });
    }
    raw.resize((POOLS * POOL) as usize, 0xdd);
    raw
}

fn books() -> Pymalloc {
    let arena = ArenaObject {
        start: Addr(START),
        size: POOLS * POOL,
        first_pool: Addr(START),
        pools: POOLS as u32,
        carved: 10,
        free: 55,
    };
    Pymalloc {
        serving: Serving {
            allocator: None,
            hooks: None,
            evidence: String::new(),
        },
        pool_size: Some(POOL as u32),
        tables: vec![ArenaTable {
            interpreters: vec![0],
            address: Addr(0x1000),
            source: String::new(),
            totals: None,
            arenas: vec![arena],
            problem: None,
        }],
        problems: Vec::new(),
    }
}

/// What is told of an arena with these bytes: bytes of spans by use, gaps, figures. Whatever the
/// bytes are, spans and gaps cover the arena without overlaps.
fn told(raw: Vec<u8>, readable: u64) -> ([u64; 4], Vec<Gap>, Figures) {
    let mut memory = Synth::default();
    memory.add(START, raw[..readable as usize].to_vec());
    let mappings = [Mapping {
        start: Addr(START),
        end: Addr(START + POOLS * POOL),
        read: true,
        write: true,
        execute: false,
        shared: false,
        offset: 0,
        path: None,
        deleted: false,
    }];
    let pieces = Pieces::new(&memory, &mappings);
    let mut books = books();
    books.judge(&pieces);
    let (mut bytes, mut covered) = ([0; 4], Vec::new());
    let gaps = books.spans(&pieces, &books.tables[0].arenas[0], &mut |span| {
        bytes[span.used as usize] += span.len;
        covered.push((span.start.0, span.len));
    });
    covered.extend(gaps.iter().map(|gap| (gap.start.0, gap.len)));
    covered.sort_unstable();
    let mut at = START;
    for (start, len) in covered {
        assert_eq!(start, at);
        at += len;
    }
    assert_eq!(at, START + POOLS * POOL);
    let figures = books.figures(&pieces);
    let state = &figures.states[0];
    assert_eq!(state.bytes.total(), state.size);
    assert_eq!(state.bytes.used, bytes[Use::Used as usize]);
    assert_eq!(
        state.bytes.damaged,
        gaps.iter().map(|gap| gap.len).sum::<u64>()
    );
    (bytes, gaps, figures)
}

#[test]
fn a_whole_arena_is_told_to_the_last_byte() {
    let (_, gaps, figures) = told(arena(), POOLS * POOL);
    assert_eq!(gaps, Vec::new());
    assert_eq!(figures.problems, Vec::<String>::new());
    assert_eq!(figures.serving.allocator, Some(Allocator::Pymalloc));
    let state = &figures.states[0];
    let row = state.arenas[0];
    assert_eq!(
        (row.used_pools, row.free_pools, row.fresh_pools),
        (9, 1, 54)
    );
    assert_eq!(state.classes.len(), 9);
    assert!(
        state
            .classes
            .iter()
            .all(|row| (row.free, row.fresh) == (3, 1))
    );
}

#[test]
fn a_damaged_pool_is_a_gap_with_its_reason() {
    let mut raw = arena();
    raw[5 * POOL as usize] ^= 1;
    let (_, gaps, figures) = told(raw, POOLS * POOL);
    assert_eq!((gaps.len(), gaps[0].start), (1, Addr(START + 5 * POOL)));
    assert!(
        gaps[0].why.contains("count of used blocks"),
        "{}",
        gaps[0].why
    );
    assert_eq!(figures.problems.len(), 1);
    // What cannot be read is a gap too.
    let (_, gaps, _) = told(arena(), 7 * POOL);
    let starts: Vec<u64> = gaps
        .iter()
        .map(|gap| (gap.start.0 - START) / POOL)
        .collect();
    assert_eq!(starts, [7, 8, 9]);
}

#[test]
fn any_damage_leaves_what_adds_up() {
    let mut random = Random::new(0x5eed_0013);
    for _ in 0..100 {
        let mut raw = arena();
        for _ in 0..20 {
            let pool = random.below(10) * POOL as usize;
            raw[pool + random.below(300)] = random.number() as u8;
        }
        told(raw, POOLS * POOL);
    }
}
