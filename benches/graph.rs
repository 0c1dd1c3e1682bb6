//! Time and memory of the graph algorithms on made-up heaps: `cargo bench --bench graph -- 1 5 20`
//! takes millions of nodes.
//!
//! A made-up heap is like a large Python program: tables of records; each record with a dict, a
//! list, a tuple and some leaves that lie near it; keys and small values that millions refer to;
//! types; references back to the table. In the tangled one, each record also refers to three
//! others of the same region and to one anywhere, so that no order of the nodes is a good one.

use pydbg::diag::Cancel;
use pydbg::heap::graph::{Chunk, Csr, Watch, analyse};
use rayon::prelude::*;
use std::fs;
use std::time::Instant;

/// Nodes that are made by one thread at a time.
const CHUNK: u32 = 1 << 18;

/// How many nodes at the start are types, modules and shared small values.
const SHARED: u32 = 2000;

/// The members of one record: itself, its dict, a list, some leaves.
const GROUP: u32 = 8;

/// A small generator of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// How many groups are the records of one table, itself among them.
const TABLE: u32 = 512;

/// The edges of some nodes of a heap of so many nodes.
fn chunk(first: u32, last: u32, nodes: u32, tangled: bool) -> Chunk {
    let mut random = Random(u64::from(first) * 0x9e37_79b9 + 0x1234_5678_9abc);
    let mut chunk = Chunk::new(first);
    let groups = nodes / GROUP;
    for node in first..last {
        let group = node / GROUP;
        let base = group * GROUP;
        let table = group - group % TABLE;
        let near = |random: &mut Random| {
            let near = group.saturating_sub(1 << 10) + random.below(1 << 11);
            near.clamp(SHARED / GROUP, groups - 1) * GROUP
        };
        match node % GROUP {
            _ if node < SHARED => {
                // A module's dict: shared values, and each so-manieth table.
                for _ in 0..8 {
                    chunk.edge(random.below(SHARED));
                }
                for table in (node..groups / TABLE).step_by(SHARED as usize / 2) {
                    chunk.edge(table * TABLE * GROUP);
                }
            }
            0 if group == table => {
                for record in group + 1..groups.min(group + TABLE) {
                    chunk.edge(record * GROUP);
                }
            }
            0 => {
                chunk.edge(random.below(50));
                chunk.edge(base + 1);
            }
            1 => {
                for leaf in 2..GROUP - 1 {
                    chunk.edge(200 + leaf);
                    chunk.edge((base + leaf).min(nodes - 1));
                }
                chunk.edge(table * GROUP);
                if tangled {
                    chunk.edge(near(&mut random));
                    chunk.edge(random.below(groups) * GROUP);
                }
            }
            2 => {
                chunk.edge((base + 7).min(nodes - 1));
                for _ in 0..2 {
                    chunk.edge(300 + random.below(300));
                    if tangled {
                        chunk.edge(near(&mut random));
                    }
                }
            }
            3 => {
                chunk.edge(random.below(300));
                chunk.edge((base + 4).min(nodes - 1));
                if !tangled {
                    chunk.edge(near(&mut random));
                }
            }
            _ => {}
        }
        chunk.close();
    }
    chunk
}

/// The most memory that the process had so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Forgets the most memory so far.
fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn run(nodes: u32, tangled: bool) {
    let count = nodes.div_ceil(CHUNK);
    let range = |index: u32| (index * CHUNK, nodes.min((index + 1) * CHUNK));
    let chunks = (0..count)
        .into_par_iter()
        .map(|index| chunk(range(index).0, range(index).1, nodes, tangled))
        .collect();
    let row = |what: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        let bytes = peak() as f64 / f64::from(nodes);
        println!(
            "{what:<28} {seconds:6.3} s  {:6.1} M nodes/s  peak {bytes:5.1} bytes a node",
            f64::from(nodes) / seconds / 1e6
        );
    };
    let start = Instant::now();
    let forward = Csr::from_chunks(u64::from(nodes), chunks).expect("a graph");
    println!(
        "{:.1} M nodes, {:.1} M edges, {}",
        f64::from(nodes) / 1e6,
        f64::from(forward.edges()) / 1e6,
        if tangled { "tangled" } else { "orderly" }
    );
    row("edges from chunks", start);
    reset_peak();

    let cancel = Cancel::default();
    let watch = Watch::quiet(&cancel);
    let start = Instant::now();
    let reverse = forward.reversed(&watch).expect("not cancelled");
    row("reversed", start);
    drop(reverse);
    reset_peak();

    let roots: Vec<u32> = (0..SHARED).step_by(3).collect();
    let stage = std::sync::Mutex::new(("", Instant::now()));
    let hear = |what, _, _| {
        let mut stage = stage.lock().unwrap_or_else(|e| e.into_inner());
        if stage.0 != what {
            let name = std::mem::replace(&mut stage.0, what);
            if !name.is_empty() {
                row(&format!("  {name}"), stage.1);
            }
            stage.1 = Instant::now();
        }
    };
    let watch = Watch::new(&cancel, &hear);
    let start = Instant::now();
    let size = |node: u32| u64::from(16 + node % 8 * 16);
    let analysis = analyse(&forward, &roots, size, &watch).expect("not cancelled");
    row("reversed, dominators, sizes", start);
    println!(
        "reachable {:.1} %, retained by all {} bytes, unreachable {}\n",
        analysis.dominators.reachable().len() as f64 * 100.0 / f64::from(nodes),
        analysis.retained.reachable(),
        analysis.retained.unreachable()
    );
}

fn main() {
    let sizes: Vec<u32> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    for millions in if sizes.is_empty() {
        vec![1, 5, 20]
    } else {
        sizes
    } {
        run(millions * 1_000_000, false);
        run(millions * 1_000_000, true);
    }
}
