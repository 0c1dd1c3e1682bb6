//! Which chunk of glibc's malloc an address is in (malloc/malloc.c, 2.26 to 2.43, 64-bit). A chunk
//! is {size of the previous, size and flags, user's bytes}; nothing leads from the inside of one to
//! its start, so the chunks are walked from the start of their heap. A walk that does not come out
//! right is no answer.

use super::Process;
use crate::addr::Addr;
use crate::target::{Mapping, Memory};
use serde::Serialize;

/// Bytes in front of the user's.
const HEADER: u64 = 16;
/// The smallest chunk.
const SMALLEST: u64 = 32;
/// Flags in the size word: the previous chunk is in use, this one was mapped by itself.
const PREV_INUSE: u64 = 1;
const IS_MMAPPED: u64 = 2;
const FLAGS: u64 = 7;
/// Heaps of arenas other than the first are aligned to this (HEAP_MAX_SIZE).
pub const HEAP_ALIGNMENT: u64 = 64 << 20;
/// Chunks mapped by themselves have whole pages.
const PAGE: u64 = 4096;
/// The most chunks that are walked: a heap of 64-byte chunks of 2 GiB.
const MOST_CHUNKS: usize = 1 << 25;
/// How many chunks behind the one that was looked for must be right for it to be believed.
const CHECKED_BEHIND: usize = 1000;
/// Sizes of `heap_info`: up to 2.34, and from 2.35 on.
pub const HEAP_INFO: [u64; 2] = [32, 48];
/// Size of `struct malloc_state`, rounded up, and where `top` is in it: up to 2.42, and 2.43.
const STATES: [(u64, u64); 2] = [(2208, 96), (2112, 8)];

/// A chunk.
#[derive(Clone, Debug, Serialize)]
pub struct Chunk {
    /// Where its header is.
    pub start: Addr,
    /// Where the user's bytes begin: what malloc() returned.
    pub user: Addr,
    /// Bytes, the header included.
    pub size: u64,
    /// Bytes that the user may use.
    pub usable: u64,
    /// What it is.
    pub state: State,
    /// The heap it belongs to.
    pub heap: Heap,
}

/// What a chunk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In use, or freed and kept in a thread's cache or a fast bin: their chunks count as in use.
    Used,
    /// Free.
    Free,
    /// The rest of the heap, which was not handed out yet.
    Top,
}

/// Where a chunk is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heap {
    /// The process's heap, `[heap]`.
    Main,
    /// An arena that was made for other threads.
    Arena,
    /// Mapped by itself, for its size.
    Mmapped,
}

impl Chunk {
    /// The chunk in words, as seen from `address`.
    pub fn words(&self, address: Addr) -> String {
        let heap = match self.heap {
            Heap::Main => "glibc's heap",
            Heap::Arena => "an arena of glibc's malloc",
            Heap::Mmapped => "memory that glibc's malloc mapped for it alone",
        };
        let state = match self.state {
            State::Used if self.heap == Heap::Mmapped => "in use",
            State::Used => "in use, or freed and kept in a thread's cache",
            State::Free => "free",
            State::Top => return format!("in the part of {heap} that was not handed out yet"),
        };
        let part = match address.since(self.user) {
            Some(0) => "at the start of".to_owned(),
            Some(offset) => format!("{offset} bytes into"),
            None => "in the header of".to_owned(),
        };
        format!(
            "{part} a block of {} bytes at {} in {heap}, {state}",
            self.usable, self.user
        )
    }
}

impl Process {
    /// The chunk of glibc's malloc that `address` is in; `None` when no walk leads there.
    pub fn chunk(&self, address: Addr) -> Option<Chunk> {
        self.images.exported("gnu_get_libc_version")?;
        let mapping = self.target.mapping(address)?;
        if !mapping.write || mapping.file().is_some() {
            return None;
        }
        let memory = &*self.target.memory;
        if mapping.path.as_deref() == Some("[heap]") {
            let start = Addr(mapping.start.0.checked_add(15)? & !15);
            return walk(memory, start, mapping.end, None, address, Heap::Main);
        }
        arena(memory, mapping, address).or_else(|| mmapped(memory, mapping, address))
    }
}

/// Walks the chunks from `start`, the last of which is at `top` if that is known, and else ends at
/// `end`.
fn walk(
    memory: &dyn Memory,
    start: Addr,
    end: Addr,
    top: Option<Addr>,
    address: Addr,
    heap: Heap,
) -> Option<Chunk> {
    let mut at = start;
    let mut found: Option<Chunk> = None;
    let mut behind = 0;
    for _ in 0..MOST_CHUNKS {
        let word = memory.u64(at.add(8)).ok()?;
        let size = word & !FLAGS;
        let next = Addr(at.0.checked_add(size)?);
        if size < SMALLEST || !size.is_multiple_of(16) || next > end || word & IS_MMAPPED != 0 {
            return None;
        }
        let is_top = top == Some(at) || next == end;
        let chunk = Chunk {
            start: at,
            user: at.add(HEADER),
            size,
            usable: size - 8,
            state: if is_top { State::Top } else { State::Used },
            heap,
        };
        // The first word of the next chunk belongs to the user of this one while it is in use.
        let shared = if is_top { next } else { next.add(8) };
        match found.as_mut() {
            Some(before) if behind == 0 && word & PREV_INUSE == 0 => {
                before.state = State::Free;
                if address >= at {
                    *before = chunk;
                    behind = 0;
                } else {
                    behind = 1;
                }
            }
            Some(_) => behind += 1,
            None if address < shared => found = Some(chunk),
            None => {}
        }
        if is_top || behind == CHECKED_BEHIND {
            return found;
        }
        at = next;
    }
    None
}

/// An arena's first heap begins with `heap_info`, which points to the arena right behind it; later
/// heaps have chunks right behind `heap_info`.
fn arena(memory: &dyn Memory, mapping: &Mapping, address: Addr) -> Option<Chunk> {
    let info = Addr(address.0 & !(HEAP_ALIGNMENT - 1));
    if !mapping.contains(info) {
        return None;
    }
    let arena = memory.ptr(info).ok()?;
    let size = memory.u64(info.add(16)).ok()?;
    let end = Addr(info.0.checked_add(size)?);
    if size > HEAP_ALIGNMENT || end > mapping.end || address >= end {
        return None;
    }
    let attempts = HEAP_INFO.into_iter().flat_map(|info_size| {
        STATES
            .into_iter()
            .map(move |(state, top)| (info_size, state, top))
    });
    attempts.into_iter().find_map(|(info_size, state, top)| {
        let top = memory.ptr(arena.add(top)).ok()?;
        let first = arena == info.add(info_size);
        let start = match first {
            true => arena.add(state),
            false => info.add(info_size),
        };
        let own = (top >= start && top < end).then_some(top);
        if first && own.is_none() && !mapping.contains(top) {
            // The arena has grown into another heap; its chunks end in fence posts.
            return None;
        }
        walk(memory, start, end, own, address, Heap::Arena)
    })
}

/// Chunks that were mapped by themselves lie side by side where their mappings were merged.
fn mmapped(memory: &dyn Memory, mapping: &Mapping, address: Addr) -> Option<Chunk> {
    let mut at = mapping.start;
    for _ in 0..MOST_CHUNKS {
        let before = memory.u64(at).ok()?;
        let word = memory.u64(at.add(8)).ok()?;
        let size = word & !FLAGS;
        let next = Addr(at.0.checked_add(size)?);
        let whole = size > 0 && size.is_multiple_of(PAGE) && before == 0;
        if word & FLAGS != IS_MMAPPED || !whole || next > mapping.end {
            return None;
        }
        if address < next {
            return Some(Chunk {
                start: at,
                user: at.add(HEADER),
                size,
                usable: size - HEADER,
                state: State::Used,
                heap: Heap::Mmapped,
            });
        }
        at = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    fn heap(sizes: &[u64]) -> (Synth, Addr) {
        let mut words = Vec::new();
        for size in sizes {
            words.extend([0, *size]);
            words.extend(vec![0; ((size & !FLAGS) / 8 - 2) as usize]);
        }
        let end = Addr(0x1_0000 + words.len() as u64 * 8);
        let mut memory = Synth::default();
        memory.add(
            0x1_0000,
            words.iter().flat_map(|w| w.to_le_bytes()).collect(),
        );
        (memory, end)
    }

    #[test]
    fn chunks_are_used_free_or_the_rest() {
        let (memory, end) = heap(&[0x291, 0x41, 0x51, 0x60, 0x1001]);
        let at = |address| {
            walk(
                &memory,
                Addr(0x1_0000),
                end,
                None,
                Addr(address),
                Heap::Main,
            )
        };
        let used = at(0x1_0298).unwrap();
        assert_eq!((used.user, used.usable), (Addr(0x1_02a0), 0x38));
        assert_eq!(used.state, State::Used);
        let shared = at(0x1_02d4).unwrap();
        assert_eq!(shared.user, Addr(0x1_02a0), "a word of the next chunk");
        assert_eq!(at(0x1_02e8).unwrap().state, State::Free);
        let header = at(0x1_0321).unwrap();
        assert_eq!(header.start, Addr(0x1_0320), "behind a free chunk");
        assert_eq!(at(0x1_0400).unwrap().state, State::Top);
    }

    #[test]
    fn a_broken_chain_is_no_answer() {
        for bad in [0x18u64, 0x8, 0x9_0001, 0x43] {
            let (mut memory, end) = heap(&[0x291, 0x41, 0x51, 0x1001]);
            memory.add(0x1_0298, bad.to_le_bytes().to_vec());
            let found = walk(
                &memory,
                Addr(0x1_0000),
                end,
                None,
                Addr(0x1_0020),
                Heap::Main,
            );
            assert!(found.is_none(), "{bad:#x}");
        }
    }
}
