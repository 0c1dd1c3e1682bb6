//! One bit for each place at which an object may begin, and from the bits the ids of objects: the
//! n-th object by address has id n.

use super::pieces::Pieces;
use crate::addr::Addr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of bits between two counts.
const BLOCK: usize = 8;

/// Bits of a word.
const BITS: u64 = 64;

/// The places of objects, filled by several threads at once.
pub struct Marks {
    words: Vec<AtomicU64>,
}

impl Clone for Marks {
    fn clone(&self) -> Marks {
        let words = self.words.iter();
        let words = words.map(|word| AtomicU64::new(word.load(Ordering::Relaxed)));
        Marks {
            words: words.collect(),
        }
    }
}

impl Marks {
    /// No object yet, in this memory.
    pub fn new(pieces: &Pieces<'_>) -> Marks {
        let count = pieces.places().div_ceil(BITS) as usize;
        let mut words = Vec::new();
        words.resize_with(count, AtomicU64::default);
        Marks { words }
    }

    /// Whether a place is marked.
    #[inline]
    pub(crate) fn is_set(&self, place: u64) -> bool {
        let word = self.words.get((place / BITS) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (place % BITS) & 1 == 1)
    }

    /// Marks a place; whether it was not marked before.
    #[inline]
    pub(crate) fn set(&self, place: u64) -> bool {
        let bit = 1 << (place % BITS);
        let Some(word) = self.words.get((place / BITS) as usize) else {
            return false;
        };
        word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Gives every marked place its number.
    pub fn ranked(self) -> Ranks {
        let words: Vec<u64> = self.words.into_iter().map(AtomicU64::into_inner).collect();
        let mut before = Vec::with_capacity(words.len().div_ceil(BLOCK) + 1);
        let mut count = 0u32;
        for block in words.chunks(BLOCK) {
            before.push(count);
            let ones: u32 = block.iter().map(|word| word.count_ones()).sum();
            count = count.saturating_add(ones);
        }
        Ranks {
            words,
            before,
            count,
        }
    }
}

/// The ids of all objects by their places.
pub struct Ranks {
    words: Vec<u64>,
    /// How many objects there are before each block of words.
    before: Vec<u32>,
    count: u32,
}

impl Ranks {
    /// How many objects there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The id of the object at a place.
    #[inline]
    pub(super) fn id(&self, place: u64) -> Option<u32> {
        let index = (place / BITS) as usize;
        let word = *self.words.get(index)?;
        let bit = place % BITS;
        if word >> bit & 1 == 0 {
            return None;
        }
        let block = index / BLOCK;
        let inside = self.words.get(block * BLOCK..index)?;
        let ones: u32 = inside.iter().map(|word| word.count_ones()).sum();
        let below = (word & ((1 << bit) - 1)).count_ones();
        Some(self.before.get(block)? + ones + below)
    }

    /// The addresses of all objects, in order.
    pub(super) fn addresses(&self, pieces: &Pieces<'_>) -> Vec<u64> {
        let mut all = Vec::with_capacity(self.count as usize);
        for (start, first, count) in pieces.runs() {
            let mut index = (first / BITS) as usize;
            let last = first.saturating_add(count);
            while index as u64 * BITS < last {
                let mut word = self.words.get(index).copied().unwrap_or(0);
                while word != 0 {
                    let place = index as u64 * BITS + u64::from(word.trailing_zeros());
                    word &= word - 1;
                    if (first..last).contains(&place) {
                        all.push(start.0 + (place - first) * super::pieces::ALIGNMENT);
                    }
                }
                index += 1;
            }
        }
        all
    }
}

/// What is asked about objects by their addresses.
pub struct Ids<'p, 'm> {
    /// The memory.
    pub pieces: &'p Pieces<'m>,
    /// The numbers.
    pub ranks: &'p Ranks,
}

impl Ids<'_, '_> {
    /// The id of the object at an address.
    #[inline]
    pub fn of(&self, addr: Addr) -> Option<u32> {
        self.ranks.id(self.pieces.place(addr)?)
    }
}
