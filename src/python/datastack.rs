//! A thread's data stack (3.11+): the chunks in which all frames of plain functions lie one behind
//! the other, in the order in which they were called (`_PyStackChunk` in
//! Include/cpython/pystate.h, `push_chunk` and `_PyThreadState_PopFrame` in Python/pystate.c). It
//! needs no link between frames, and is the second source where a link is lost.

use super::object::Objects;
use crate::addr::Addr;
use crate::bytes;
use rustc_hash::FxHashSet;

/// Fields of `_PyStackChunk`, the same from 3.11 to 3.15.
mod chunk {
    /// The next outer chunk.
    pub(super) const PREVIOUS: usize = 0;
    /// Bytes, this header included.
    pub(super) const SIZE: usize = 8;
    /// How many words are in use; not kept in the current chunk.
    pub(super) const TOP: usize = 16;
    /// Where the frames begin.
    pub(super) const DATA: u64 = 24;
}

/// Bytes of a word.
const WORD: u64 = 8;

/// `datastack_top` and `datastack_limit` follow `datastack_chunk` in every version.
const TOP_AFTER_CHUNK: u64 = WORD;
const LIMIT_AFTER_CHUNK: u64 = 2 * WORD;

/// More chunks than this (of 16 KiB or more) are damage.
const MOST_CHUNKS: usize = 1 << 18;

/// The largest chunk that is believed, in bytes.
const LARGEST_CHUNK: u64 = 1 << 32;

/// How far the next whole frame is looked for behind a damaged one, in words.
const SEARCHED: u64 = 1 << 16;

/// The parts of the data stack that are in use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct DataStack {
    /// Outermost first.
    parts: Vec<(Addr, Addr)>,
    /// The chunks, each with its size in bytes.
    chunks: Vec<(Addr, u64)>,
    /// The current chunk and its size, as the thread state alone tells.
    current: Option<(Addr, u64)>,
    /// Whether the outermost part was reached.
    whole: bool,
}

impl DataStack {
    /// Reads the chunks of the thread state at `tstate`; `None` where the version has none.
    pub(super) fn read(objects: &Objects, tstate: Addr) -> Option<DataStack> {
        let field = objects.layout.fields.thread.datastack_chunk?.of(tstate);
        let memory = &objects.memory;
        let mut at = memory.ptr(field).ok()?;
        let mut top = memory.ptr(field.add(TOP_AFTER_CHUNK)).ok();
        let limit = memory.ptr(field.add(LIMIT_AFTER_CHUNK)).ok();
        let room = limit.and_then(|limit| limit.since(at));
        let room = room.filter(|size| !at.is_null() && *size <= LARGEST_CHUNK);
        let mut stack = DataStack {
            parts: Vec::new(),
            chunks: Vec::new(),
            current: room.map(|size| (at, size)),
            whole: at.is_null(),
        };
        let mut seen = FxHashSet::default();
        while !at.is_null() && stack.parts.len() < MOST_CHUNKS && seen.insert(at) {
            let Ok(header) = memory.bytes(at, chunk::DATA as usize) else {
                break;
            };
            let word = |index| bytes::u64_at(&header, index).unwrap_or(0);
            let size = word(chunk::SIZE);
            if size <= chunk::DATA || size > LARGEST_CHUNK {
                break;
            }
            stack.chunks.push((at, size));
            let previous = Addr(word(chunk::PREVIOUS));
            let data = at.add(chunk::DATA);
            let used = || {
                word(chunk::TOP)
                    .checked_mul(WORD)
                    .map(|used| data.add(used))
            };
            // The first word of the outermost chunk stays free.
            let start = data.add(if previous.is_null() { WORD } else { 0 });
            let end = top.take().or_else(used);
            // Behind an unknown end lie frames that have returned, so nothing there is believed.
            let end = end.filter(|end| data <= *end && *end <= at.add(size));
            stack.parts.push((start, end.unwrap_or(start).max(start)));
            stack.whole = previous.is_null();
            at = previous;
        }
        stack.parts.reverse();
        Some(stack)
    }

    /// Where its chunks are, each with its size in bytes.
    pub(super) fn chunks(&self) -> &[(Addr, u64)] {
        &self.chunks
    }

    /// What of its chunks lies behind the frames, as bounds; nothing where the end is not known.
    pub(super) fn unused(&self) -> Vec<(Addr, Addr)> {
        let chunks = self.chunks.iter().rev().zip(&self.parts);
        let known = chunks.filter(|(_, (start, end))| start < end);
        known
            .map(|((chunk, size), (_, end))| (*end, chunk.add(*size)))
            .collect()
    }

    /// Where the outermost frame must begin; `None` when there is none or it is not known.
    pub(super) fn bottom(&self) -> Option<Addr> {
        let (start, end) = self.parts.first()?;
        (self.whole && start < end).then_some(*start)
    }

    /// Whether `addr` lies in a part that is in use.
    pub(super) fn contains(&self, addr: Addr) -> bool {
        let within = |(start, end): &(Addr, Addr)| *start <= addr && addr < *end;
        self.parts.iter().any(within)
    }

    /// Whether `addr` lies in one of its chunks, or in the current one whose header is lost.
    pub(super) fn has_room_at(&self, addr: Addr) -> bool {
        let lost = self.current.iter().filter(|_| self.chunks.is_empty());
        let mut chunks = self.chunks.iter().chain(lost);
        chunks.any(|(chunk, size)| addr.since(*chunk).is_some_and(|at| at < *size))
    }

    /// The addresses of all frames, outermost first. `size` tells the bytes of the frame at an
    /// address if there is one; where it knows none, the next address that `is_frame` is sure of
    /// is looked for, at least `least` bytes further.
    pub(super) fn frames(
        &self,
        least: u64,
        size: &dyn Fn(Addr) -> Option<u64>,
        is_frame: &dyn Fn(Addr) -> bool,
    ) -> Vec<Addr> {
        let mut frames = Vec::new();
        for (start, end) in &self.parts {
            let mut at = *start;
            while let Some(left) = end.since(at).filter(|left| *left >= least) {
                frames.push(at);
                let behind = size(at).filter(|size| least <= *size && *size <= left);
                let words = left.min(SEARCHED * WORD) / WORD;
                let found = || {
                    let mut words = (least / WORD..words).map(|word| word * WORD);
                    words.find(|offset| is_frame(at.add(*offset)))
                };
                match behind.or_else(found) {
                    Some(distance) => at = at.add(distance),
                    None => break,
                }
            }
        }
        frames
    }
}

#[cfg(test)]
#[path = "datastack_tests.rs"]
mod tests;
