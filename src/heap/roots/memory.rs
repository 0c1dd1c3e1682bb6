//! Words that look like references: in the writable data of mapped files, on C stacks and in
//! registers. They add no object to those that are known, they only tell who may hold it.

use super::{RootKind, Roots, number};
use crate::addr::{Addr, Svma};
use crate::bytes;
use crate::image::Image;
use crate::image::elf::{PF_W, PT_LOAD};
use crate::native::spread;
use crate::python::Python;
use crate::python::layout::State;
use crate::ranges::joined;
use crate::target::{Memory, Registers};
use rustc_hash::FxHashSet;
use std::ops;

/// Bytes of a word.
const WORD: u64 = 8;

/// Bytes looked at in one piece.
const PIECE: u64 = 1 << 20;

/// What is still found where a piece cannot be read whole.
const PAGE: u64 = 4096;

/// Behind a thread's own pointer lies glibc's `struct pthread`, then the stack ends.
const PTHREAD: u64 = 2 * PAGE;

/// The most of a stack that is looked at, in bytes.
const MOST_STACK: u64 = 256 << 20;

/// The same where glibc did not make the stack.
const MOST_FOREIGN_STACK: u64 = 1 << 20;

/// The objects that are known.
pub struct Known<'k> {
    /// The first of them.
    pub low: Addr,
    /// The last of them.
    pub high: Addr,
    /// Whether an object begins there; asked for aligned addresses between these two only.
    pub is_object: &'k (dyn Fn(Addr) -> bool + Sync),
}

impl Known<'_> {
    fn has(&self, word: u64) -> bool {
        (self.low.0..=self.high.0).contains(&word)
            && word.is_multiple_of(WORD)
            && (self.is_object)(Addr(word))
    }
}

/// Memory to look at, and what a word there is.
struct Range {
    start: Addr,
    end: Addr,
    kind: RootKind,
}

impl Roots {
    /// Adds the words of C data, C stacks and registers that are addresses of known objects. Of the
    /// roots that are not certain, those that lead to no known object are left out.
    pub fn add_conservative(&mut self, python: &Python, known: &Known<'_>) {
        let target = &python.process.target;
        self.all
            .retain(|root| root.certain || known.has(root.object.0));
        let skipped = Skipped::of(python, self);
        let mut ranges = Vec::new();
        for (position, image) in python.process.images.all.iter().enumerate() {
            let kind = RootKind::Global {
                image: number(position),
            };
            for (start, end) in data(python, image) {
                pieces(start, end, kind, &mut ranges);
            }
        }
        for (position, thread) in target.threads.iter().enumerate() {
            let Some(registers) = &thread.registers else {
                continue;
            };
            let thread = number(position);
            for (register, value) in registers.general.iter().enumerate() {
                let object = untagged(python, value.unwrap_or(0));
                if known.has(object) && !skipped.has(Addr::NULL, Addr(object)) {
                    let register = number(register);
                    let kind = RootKind::Register { thread, register };
                    self.push(kind, Addr::NULL, Addr(object), false);
                }
            }
            if let Some((start, end)) = stack(python, position, registers) {
                pieces(start, end, RootKind::Stack { thread }, &mut ranges);
            }
        }
        let found = spread::map(&ranges, |range| scan(python, range, known, &skipped));
        for (range, words) in ranges.iter().zip(found) {
            for (at, object) in words {
                self.push(range.kind, at, object, false);
            }
        }
    }
}

/// What is known to be something else than a reference from outside of objects.
struct Skipped {
    /// The places of precise roots.
    places: FxHashSet<Addr>,
    /// Static types: much refers to them, and nothing keeps them alive.
    types: FxHashSet<Addr>,
    /// Static types and states whose references a table tells, by address and apart.
    ranges: Vec<ops::Range<Addr>>,
}

impl Skipped {
    fn of(python: &Python, roots: &Roots) -> Skipped {
        let layout = &python.layout;
        let f = &layout.fields;
        let mut ranges = Vec::new();
        let mut places = FxHashSet::default();
        let mut types = FxHashSet::default();
        for root in &roots.all {
            match root.kind {
                RootKind::Type {
                    part: super::TypePart::Type,
                    ..
                } => {
                    let size = f.type_object.size.offset;
                    ranges.push(root.object..root.object.add(size.into()));
                    types.insert(root.object);
                }
                _ if !root.at.is_null() => {
                    places.insert(root.at);
                }
                _ => {}
            }
        }
        if layout.state_references(State::Thread).is_some() {
            let size = u64::from(f.thread.size.offset);
            let states = python.threads().map(|thread| thread.tstate);
            ranges.extend(states.map(|start| start..start.add(size)));
        }
        if layout.state_references(State::Interpreter).is_some() {
            let size = u64::from(f.interpreter.size.offset);
            let states = python.interpreters.iter().map(|state| state.addr);
            ranges.extend(states.map(|start| start..start.add(size)));
        }
        Skipped {
            places,
            types,
            ranges: joined(ranges),
        }
    }

    fn has(&self, at: Addr, object: Addr) -> bool {
        let after = self.ranges.partition_point(|range| range.start <= at);
        let before = after.checked_sub(1).and_then(|last| self.ranges.get(last));
        self.types.contains(&object)
            || before.is_some_and(|range| at < range.end)
            || self.places.contains(&at)
    }
}

/// The part of a thread's stack that is in use: from its stack pointer to glibc's `struct pthread`,
/// which lies behind its thread pointer; the first thread's to the end of the mapping.
fn stack(python: &Python, position: usize, registers: &Registers) -> Option<(Addr, Addr)> {
    let target = &python.process.target;
    let mapping = python.process.stack_mapping(position.checked_add(1)?)?;
    let start = Addr(registers.sp()?.0 & !(WORD - 1)).max(mapping.start);
    let is_first = target.threads.get(position)?.tid == target.process.pid;
    let pthread = registers
        .thread_pointer
        .map(Addr)
        .filter(|pointer| start < *pointer && *pointer < mapping.end)
        .map(|pointer| pointer.add(PTHREAD));
    let most = match is_first {
        true => MOST_STACK,
        false => MOST_FOREIGN_STACK,
    };
    // Stacks of several threads may lie in one mapping, and other memory beside them.
    let end = pthread.unwrap_or_else(|| start.add(most));
    let end = end.min(start.add(MOST_STACK)).min(mapping.end);
    (start < end).then_some((start, end))
}

/// The parts of a file's writable data that are mapped: its segments, with what of them only memory
/// has (`.bss`).
fn data(python: &Python, image: &Image) -> Vec<(Addr, Addr)> {
    let mappings = &python.process.target.mappings;
    let segments = image
        .segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_W != 0);
    let mut found = Vec::new();
    for segment in segments {
        let start = image.addr(Svma(segment.vaddr));
        let end = start.add(segment.memsz);
        for mapping in mappings.iter().filter(|mapping| mapping.write) {
            let (start, end) = (start.max(mapping.start), end.min(mapping.end));
            if start < end {
                found.push((Addr(start.0.next_multiple_of(WORD)), end));
            }
        }
    }
    found
}

/// Adds a range in pieces.
fn pieces(start: Addr, end: Addr, kind: RootKind, ranges: &mut Vec<Range>) {
    let mut start = start;
    while start < end {
        let next = end.min(start.add(PIECE));
        ranges.push(Range {
            start,
            end: next,
            kind,
        });
        if next <= start {
            break;
        }
        start = next;
    }
}

/// The object that a word of the evaluation loop stands for.
fn untagged(python: &Python, word: u64) -> u64 {
    python.layout.kinds.references.untag(word)
}

/// The words of a range that are known objects, with their places.
fn scan(python: &Python, range: &Range, known: &Known<'_>, skipped: &Skipped) -> Vec<(Addr, Addr)> {
    let memory = &*python.process.target.memory;
    let to_type = u64::from(python.layout.fields.object.ob_type.offset);
    let is_stack = matches!(range.kind, RootKind::Stack { .. });
    let mut found = Vec::new();
    each_piece(memory, range, &mut |start, piece| {
        for (index, word) in piece.chunks_exact(WORD as usize).enumerate() {
            let Some(mut word) = bytes::u64_at(word, 0).filter(|word| *word != 0) else {
                continue;
            };
            if is_stack {
                word = untagged(python, word);
            }
            if !known.has(word) {
                continue;
            }
            let at = start.add(index as u64 * WORD);
            // The type of a static object is the object's reference.
            let is_type = known.has(at.0.wrapping_sub(to_type));
            if !is_type && !skipped.has(at, Addr(word)) {
                found.push((at, Addr(word)));
            }
        }
    });
    found
}

/// Visits the memory of a range that can be read.
fn each_piece(memory: &dyn Memory, range: &Range, visit: &mut dyn FnMut(Addr, &[u8])) {
    let length = range.end.since(range.start).unwrap_or(0);
    match memory.bytes(range.start, length as usize) {
        Ok(piece) => visit(range.start, &piece),
        Err(_) => {
            for page in (0..length).step_by(PAGE as usize) {
                let at = range.start.add(page);
                if let Ok(piece) = memory.bytes(at, PAGE.min(length - page) as usize) {
                    visit(at, &piece);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_range_and_end() {
        let mut ranges = Vec::new();
        let kind = RootKind::Global { image: 0 };
        pieces(Addr(8), Addr(2 * PIECE + 16), kind, &mut ranges);
        let sizes: Vec<u64> = ranges.iter().map(|r| r.end.0 - r.start.0).collect();
        assert_eq!(sizes, [PIECE, PIECE, 8]);
        pieces(Addr(u64::MAX - 8), Addr(u64::MAX), kind, &mut ranges);
        assert_eq!(ranges.len(), 4);
    }
}
