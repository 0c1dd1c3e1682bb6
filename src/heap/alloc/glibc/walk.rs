//! One run of chunks of glibc's malloc (malloc/malloc.c, 2.26 to 2.43, 64-bit): {size of the one
//! before if that is free, size and flags, user's bytes}, side by side up to the top of the arena
//! or to fence posts, where the arena went on somewhere else.

use crate::addr::Addr;
use crate::heap::pieces::Words;
use serde::Serialize;

/// Bytes in front of the user's.
pub(super) const HEADER: u64 = 16;
/// The smallest chunk.
pub(super) const SMALLEST: u64 = 32;
/// In the size: the chunk before is in use; this one was mapped by itself.
pub(super) const PREV_INUSE: u64 = 1;
pub(super) const IS_MMAPPED: u64 = 2;
/// All flags in the size.
pub(super) const FLAGS: u64 = 7;
/// Chunks lie at multiples of this.
pub(super) const ALIGNMENT: u64 = 16;

/// What the sizes say of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// In use as far as the next one says.
    Used,
    /// In one of the lists of free chunks.
    Free,
    /// What is left at the end.
    Top,
    /// Fence posts.
    Fence,
}

/// A chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    pub(super) start: Addr,
    pub(super) size: u64,
    pub(super) state: State,
}

/// How a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// At the arena's top, which reaches up to this address.
    Top(Addr),
    /// At fence posts, which end at this address.
    Fence(Addr),
    /// At a chunk that makes no sense.
    Broken {
        /// The first chunk of which nothing is known.
        at: Addr,
        /// Why.
        why: &'static str,
    },
}

/// Tells the chunks from `first` on, by address. None reaches beyond `end`.
pub(super) fn walk<W: Words + ?Sized>(
    words: &W,
    first: Addr,
    end: Addr,
    top: Addr,
    found: &mut impl FnMut(Chunk),
) -> Stop {
    let mut at = first;
    // Whether it is in use is said by the next one.
    let mut before: Option<Chunk> = None;
    loop {
        let broken = |why| Stop::Broken {
            at: before.map_or(at, |chunk| chunk.start),
            why,
        };
        let Some(word) = words.u64(at.add(8)) else {
            return broken("its memory is missing");
        };
        let size = word & !FLAGS;
        let room = end.since(at).unwrap_or(0);
        let fence = match size {
            _ if at == top => None,
            0 if room == HEADER => Some(HEADER),
            HEADER => fence(words, at, room),
            _ => None,
        };
        let whole = size >= SMALLEST && size.is_multiple_of(ALIGNMENT) && size <= room;
        if word & IS_MMAPPED != 0 || (fence.is_none() && !whole) {
            return broken("its size is not that of a chunk");
        }
        if let Some(mut chunk) = before.take() {
            if word & PREV_INUSE == 0 {
                chunk.state = State::Free;
            }
            found(chunk);
        }
        let chunk = |size, state| Chunk {
            start: at,
            size,
            state,
        };
        if at == top {
            found(chunk(size, State::Top));
            return Stop::Top(at.add(size));
        }
        if let Some(size) = fence {
            found(chunk(size, State::Fence));
            return Stop::Fence(at.add(size));
        }
        if size == room {
            // A heap ends in its top or in fence posts.
            return Stop::Broken {
                at,
                why: "nothing follows it",
            };
        }
        before = Some(chunk(size, State::Used));
        at = at.add(size);
    }
}

/// Bytes of the fence posts at a chunk that has no more than a header: two, or three if what was
/// left of the top is no chunk either.
fn fence<W: Words + ?Sized>(words: &W, at: Addr, room: u64) -> Option<u64> {
    let mut len = HEADER;
    while len < 3 * HEADER && len < room {
        match words.u64(at.add(len + 8)).map(|word| word & !FLAGS) {
            Some(HEADER) => len += HEADER,
            Some(0) if room == len + HEADER => return Some(room),
            _ => break,
        }
    }
    (len > HEADER).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    impl Words for Synth {
        fn u64(&self, addr: Addr) -> Option<u64> {
            let memory: &dyn crate::target::Memory = self;
            memory.u64(addr).ok()
        }
    }

    fn heap(sizes: &[u64]) -> (Synth, Addr) {
        let mut words: Vec<u64> = Vec::new();
        for size in sizes {
            words.extend([0, *size]);
            let len = (size & !FLAGS).clamp(HEADER, 0x1000);
            words.extend(vec![0; (len / 8 - 2) as usize]);
        }
        let end = Addr(0x1_0000 + words.len() as u64 * 8);
        let mut memory = Synth::default();
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        memory.add(0x1_0000, bytes.collect());
        (memory, end)
    }

    fn states(sizes: &[u64], top: u64) -> (Vec<State>, Stop) {
        let (memory, end) = heap(sizes);
        let mut states = Vec::new();
        let mut add = |chunk: Chunk| states.push(chunk.state);
        let stop = walk(&memory, Addr(0x1_0000), end, Addr(top), &mut add);
        (states, stop)
    }

    #[test]
    fn chunks_are_used_free_or_the_top() {
        let (states, stop) = states(&[0x291, 0x41, 0x50, 0x1001], 0x1_0320);
        assert_eq!(states, [State::Used, State::Free, State::Used, State::Top]);
        assert_eq!(stop, Stop::Top(Addr(0x1_1320)));
    }

    #[test]
    fn fence_posts_end_a_heap() {
        for (last, end) in [
            (&[0x11, 0x11][..], 0x1_0060),
            (&[0x11, 1], 0x1_0060),
            (&[1], 0x1_0050),
            (&[0x11, 0x11, 0x11], 0x1_0070),
        ] {
            let sizes = [&[0x41], last].concat();
            let (states, stop) = states(&sizes, 0x9_0000);
            assert_eq!(states.last(), Some(&State::Fence));
            assert_eq!(stop, Stop::Fence(Addr(end)));
        }
    }

    #[test]
    fn damage_ends_it_before_the_chunk_of_which_nothing_is_known() {
        for bad in [0x18, 0x9_0001, 0x43, 0] {
            let (states, stop) = states(&[0x291, 0x41, 0x51, bad, 0x1001], 0x1_0330);
            assert_eq!(states.len(), 2, "{bad:#x}");
            let Stop::Broken { at, .. } = stop else {
                panic!("{stop:?}");
            };
            assert_eq!(at, Addr(0x1_02d0));
        }
    }
}
