//! The threads' caches of free chunks (`tcache_perthread_struct`, malloc/malloc.c): each is a chunk
//! of its own, to which a thread-local variable of the C library points. Their chunks count as in use
//! in all that the arenas know.

use super::lists::{Kept, chain};
use super::walk::{ALIGNMENT, FLAGS, HEADER, SMALLEST};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::native::Process;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

/// How a cache is laid out.
#[derive(PartialEq, Eq, Debug)]
struct Layout {
    bins: u64,
    /// Bytes of one count.
    width: u64,
    /// Where the lists begin.
    entries: u64,
    /// The chunk's size.
    size: u64,
    /// What is counted is how many more may be added.
    down: bool,
}

/// 2.26 to 2.29, 2.30 to 2.41, and from 2.42 on.
const LAYOUTS: [Layout; 3] = [
    Layout {
        bins: 64,
        width: 1,
        entries: 64,
        size: 592,
        down: false,
    },
    Layout {
        bins: 64,
        width: 2,
        entries: 128,
        size: 656,
        down: false,
    },
    Layout {
        bins: 76,
        width: 2,
        entries: 152,
        size: 768,
        down: true,
    },
];

/// Bins for one size each; those behind are for ranges of sizes.
const EXACT_BINS: u64 = 64;
/// The most chunks in one bin: what can be set, and what is believed of a cache that no thread has.
const MOST: usize = u16::MAX as usize;
const MOST_LEFT: usize = 1024;
/// How far below a thread's control block the C library's thread-local variables may be.
const LOCALS: u64 = 16 << 10;
/// No chunk lies below this.
const PAGE: u64 = 4096;

/// The cache of a thread.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cache {
    /// Where it is.
    pub address: Addr,
    /// The thread that has it (gdb number); `None` for one that a thread left behind: those of the
    /// other threads after a fork.
    pub thread: Option<usize>,
    /// How many of its lists could not be followed, or do not have the chunks that they should have.
    pub torn: usize,
    #[serde(skip)]
    pub(super) chunks: Vec<Kept>,
}

/// Whether a chunk in use may be a cache.
pub(super) fn may_be(size: u64) -> bool {
    // What would be left of a chunk is not cut off when it is too small for one.
    let fits = |layout: &Layout| layout.size == size || layout.size + ALIGNMENT == size;
    LAYOUTS.iter().any(fits)
}

/// What the words below the control blocks of the threads are, where the C library keeps a thread's
/// variables.
pub(super) struct Locals(FxHashMap<u64, Vec<Local>>);

/// Where a word is.
#[derive(Clone, Copy)]
struct Local {
    thread: usize,
    /// How far below the control block: for a variable the same in every thread.
    distance: u64,
}

impl Locals {
    /// Reads them. Only words that may lead to a chunk are kept.
    pub(super) fn of<W: Words + ?Sized>(process: &Process, words: &W) -> Locals {
        let mut found: FxHashMap<u64, Vec<Local>> = FxHashMap::default();
        for thread in process.threads() {
            let Some(pointer) = thread.pthread else {
                continue;
            };
            for distance in (1..=LOCALS / 8).map(|word| word * 8) {
                match words.u64(pointer.sub(distance)) {
                    Some(word) if word >= PAGE && word.is_multiple_of(ALIGNMENT) => {
                        let thread = thread.id;
                        let local = Local { thread, distance };
                        found.entry(word).or_default().push(local);
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
        Locals(found)
    }

    /// Whether some thread leads to an address.
    pub(super) fn lead_to(&self, address: Addr) -> bool {
        self.0.contains_key(&address.0)
    }

    fn to(&self, address: Addr) -> &[Local] {
        self.0.get(&address.0).map_or(&[], Vec::as_slice)
    }
}

/// The caches among chunks of which each may be one: those to which the threads' variable leads, and
/// those whose lists leave no doubt.
pub(super) fn find<W: Words + ?Sized>(
    words: &W,
    candidates: &[Addr],
    locals: &Locals,
) -> Vec<Cache> {
    let all = LAYOUTS.iter().map(|layout| {
        let threads = of_threads(words, candidates, locals, layout);
        let left = candidates.iter().filter_map(|start| {
            let address = start.add(HEADER);
            let has = |cache: &Cache| cache.address == address;
            if threads.iter().any(has) {
                return None;
            }
            let cache = read(words, address, layout, None)?;
            (!cache.chunks.is_empty()).then_some(cache)
        });
        let left: Vec<Cache> = left.collect();
        [threads, left].concat()
    });
    // Of those that have as many, the first.
    all.rev().max_by_key(Vec::len).unwrap_or_default()
}

/// The caches to which one variable leads in all threads. Other words lead to chunks of the size of a
/// cache, too: the variable is the one by which most threads have a cache that is whole.
fn of_threads<W: Words + ?Sized>(
    words: &W,
    candidates: &[Addr],
    locals: &Locals,
    layout: &Layout,
) -> Vec<Cache> {
    let mut variables: FxHashMap<u64, Vec<Cache>> = FxHashMap::default();
    for start in candidates {
        let address = start.add(HEADER);
        for local in locals.to(address) {
            if let Some(cache) = read(words, address, layout, Some(local.thread)) {
                variables.entry(local.distance).or_default().push(cache);
            }
        }
    }
    let best = variables.into_iter().max_by_key(|(distance, caches)| {
        let whole = caches.iter().filter(|cache| cache.torn == 0).count();
        let torn: usize = caches.iter().map(|cache| cache.torn).sum();
        let chunks: usize = caches.iter().map(|cache| cache.chunks.len()).sum();
        (whole, Reverse(torn), chunks, Reverse(*distance))
    });
    best.map(|(_, caches)| caches).unwrap_or_default()
}

fn read<W: Words + ?Sized>(
    words: &W,
    address: Addr,
    layout: &Layout,
    thread: Option<usize>,
) -> Option<Cache> {
    let size = words.u64(address.sub(8))? & !FLAGS;
    if size != layout.size && size != layout.size + ALIGNMENT {
        return None;
    }
    let mut cache = Cache {
        address,
        thread,
        torn: 0,
        chunks: Vec::new(),
    };
    // How many chunks a list may have, where that is not what is counted.
    let mut limit = None;
    let most = if thread.is_some() { MOST } else { MOST_LEFT };
    for bin in 0..layout.bins {
        let at = bin * layout.width;
        let word = words.u64(address.add(at & !7))?;
        let mask = (1 << (8 * layout.width)) - 1;
        let count = (word >> (8 * (at % 8))) & mask;
        let head = words.u64(address.add(layout.entries + bin * 8))?;
        let size = SMALLEST + bin * ALIGNMENT;
        let fits = |found: u64| match bin < EXACT_BINS {
            true => found == size,
            false => found >= SMALLEST + EXACT_BINS * ALIGNMENT,
        };
        let chunks = chain(words, head, HEADER, most, fits);
        let len = chunks.as_ref().map(|chunks| chunks.len() as u64);
        let right = match layout.down {
            true => len.is_some_and(|len| *limit.get_or_insert(len + count) == len + count),
            false => len == Some(count),
        };
        if !right {
            cache.torn += 1;
            // Only what belongs to a thread is a cache all the same.
            thread?;
        }
        cache.chunks.extend(chunks.unwrap_or_default());
    }
    Some(cache)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    /// A cache at 0x10010 with two chunks of 0x40 in it; `wrong` is added to what is counted.
    fn cache(layout: &Layout, wrong: u64) -> Synth {
        let mut bytes = vec![0; 1024];
        let mut set = |at: u64, value: u64, width: u64| {
            let at = at as usize;
            bytes[at..at + width as usize].copy_from_slice(&value.to_le_bytes()[..width as usize]);
        };
        set(8, layout.size | 1, 8);
        for bin in 0..layout.bins {
            let len = if bin == 2 { 2 + wrong } else { 0 };
            let count = if layout.down { 16 - len } else { len };
            set(16 + bin * layout.width, count, layout.width);
        }
        set(16 + layout.entries + 16, 0x2_0010, 8);
        let mut memory = Synth::default();
        memory.add(0x1_0000, bytes);
        for (at, next) in [(0x2_0000_u64, 0x3_0010_u64), (0x3_0000, 0)] {
            let words = [0, 0x41, next ^ ((at + 16) >> 12), 0];
            memory.add(
                at,
                words
                    .iter()
                    .flat_map(|word: &u64| word.to_le_bytes())
                    .collect(),
            );
        }
        memory
    }

    #[test]
    fn a_cache_is_known_by_its_lists_or_by_its_thread() {
        let at = [Addr(0x1_0000)];
        let local = Local {
            thread: 7,
            distance: 80,
        };
        let thread = Locals(FxHashMap::from_iter([(0x1_0010, vec![local])]));
        let none = Locals(FxHashMap::default());
        for layout in &LAYOUTS {
            assert!(may_be(layout.size));
            let found = find(&cache(layout, 0), &at, &none);
            assert_eq!(found.len(), 1, "{layout:?}");
            assert_eq!((found[0].chunks.len(), found[0].thread), (2, None));
            assert!(find(&cache(layout, 1), &at, &none).is_empty());
            let found = find(&cache(layout, 1), &at, &thread);
            assert_eq!((found[0].torn, found[0].thread), (1, Some(7)));
        }
    }

    #[test]
    fn other_chunks_that_a_thread_leads_to_are_no_caches() {
        let layout = &LAYOUTS[1];
        let mut memory = cache(layout, 0);
        let mut other = vec![0x55; 1024];
        other[8..16].copy_from_slice(&(layout.size | 1).to_le_bytes());
        memory.add(0x4_0000, other);
        let at = [Addr(0x1_0000), Addr(0x4_0000)];
        let local = |distance| {
            vec![Local {
                thread: 7,
                distance,
            }]
        };
        let locals = [(0x1_0010, local(800)), (0x4_0010, local(80))];
        let found = find(&memory, &at, &Locals(FxHashMap::from_iter(locals)));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].address, found[0].torn), (Addr(0x1_0010), 0));
    }
}
