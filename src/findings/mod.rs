//! What is wrong with the memory of the process, in a sentence each, with the evidence and the
//! command to type next.

mod buffers;
mod fragmentation;
mod garbage;
mod native;
mod objects;
mod pools;
mod stacks;

use crate::diag::human;
use crate::heap::{Heap, Suspect, SuspectBounds};
use crate::memory::{Memory, What};
use serde::Serialize;
use std::cell::OnceCell;
use std::sync::Arc;

/// How much of the memory that is the process's own something has to have before it is called a
/// cause, as one part of so many. Eclipse MAT calls what has a fifth of the heap a suspect; this is
/// of all memory.
const SHARE: u64 = 4;

/// What is less than this is no cause of anything, in bytes: an interpreter with its usual modules
/// has some 10 MB.
const LEAST: u64 = 8 << 20;

/// How many places are told where objects have gathered.
const SUSPECTS: usize = 3;

/// What sort of cause it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Python objects that have gathered somewhere.
    Objects,
    /// Python objects that the collector would free.
    Garbage,
    /// Python objects that count references which there are not.
    LeakedReferences,
    /// Large data that belongs to Python objects.
    Buffers,
    /// Free memory that malloc cannot give back or does not.
    Fragmentation,
    /// Blocks of malloc that no Python object has.
    Native,
    /// Free blocks that Python's allocator cannot give back.
    PoolFragmentation,
    /// Stacks of threads.
    ThreadStacks,
}

/// A cause.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What sort it is.
    pub kind: Kind,
    /// How many bytes it has, in RAM or in the core.
    pub bytes: u64,
    /// The sentence.
    pub words: String,
    /// What it rests on, a sentence each.
    pub evidence: Vec<String>,
    /// What to type next.
    pub next: Vec<String>,
}

/// What the causes are looked for in.
struct Facts<'a> {
    heap: &'a Arc<Heap>,
    memory: &'a Memory,
    suspects: OnceCell<Vec<Suspect>>,
    /// Bytes that are neither of files nor shared.
    own: u64,
}

impl Facts<'_> {
    fn resident(&self, kinds: &[What]) -> u64 {
        self.memory.resident(kinds)
    }

    /// The bytes, if they are so many that they are a cause.
    fn large(&self, bytes: u64) -> Option<u64> {
        (bytes >= LEAST && bytes >= self.own / SHARE).then_some(bytes)
    }

    /// Where objects have gathered, most first.
    fn suspects(&self) -> &[Suspect] {
        self.suspects.get_or_init(|| {
            let bounds = SuspectBounds {
                floor: LEAST,
                most: SUSPECTS,
                ..SuspectBounds::default()
            };
            let found = self.heap.suspects(bounds);
            found.map(|found| found.suspects).unwrap_or_default()
        })
    }

    /// `40 MB (75 % of the process's own memory)`.
    fn amount(&self, bytes: u64) -> String {
        let percent = bytes as f64 * 100.0 / self.own.max(1) as f64;
        format!(
            "{} ({percent:.0} % of the process's own memory)",
            human(bytes)
        )
    }
}

/// The causes, the largest first; none for a process that has what it needs.
pub fn of_memory(heap: &Arc<Heap>, memory: &Memory) -> Vec<Finding> {
    let others = memory.resident(&[What::Files, What::Shared, What::Zeros]);
    let facts = Facts {
        heap,
        memory,
        suspects: OnceCell::new(),
        own: memory.total.saturating_sub(others),
    };
    let all = [
        buffers::find(&facts),
        fragmentation::find(&facts),
        native::find(&facts),
        objects::find(&facts),
        pools::find(&facts),
        stacks::find(&facts),
    ];
    let found = all.into_iter().flatten().chain(garbage::find(&facts));
    let mut found: Vec<Finding> = found.collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.bytes));
    found
}
