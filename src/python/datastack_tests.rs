//! Data stacks built word by word.

use super::*;
use crate::python::layout::Layout;
use crate::target::synth::Synth;
use std::sync::Arc;

const THREAD: u64 = 0x10_0000;
const OLD: u64 = 0x20_0000;
const NEW: u64 = 0x30_0000;

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A thread with two chunks; `size` and `top` are those of the older one.
fn two_chunks(previous: u64, size: u64, top: u64, current_top: u64) -> DataStack {
    let layout = Layout::tables((3, 12), false).next().unwrap().clone();
    let field = layout.fields.thread.datastack_chunk.unwrap();
    let mut memory = Synth::default();
    memory.add(field.of(Addr(THREAD)).0, words(&[NEW, current_top]));
    memory.add(OLD, words(&[0, size, top]));
    memory.add(NEW, words(&[previous, 4096, 99]));
    let objects = Objects::new(Arc::new(memory), Arc::new(layout));
    DataStack::read(&objects, Addr(THREAD)).unwrap()
}

fn parts(stack: &DataStack) -> Vec<(u64, u64)> {
    stack
        .parts
        .iter()
        .map(|part| (part.0.0, part.1.0))
        .collect()
}

#[test]
fn chunks_are_read_to_their_tops_outermost_first() {
    let stack = two_chunks(OLD, 4096, 10, NEW + 24 + 40);
    let expected = [(OLD + 32, OLD + 24 + 80), (NEW + 24, NEW + 64)];
    assert_eq!(parts(&stack), expected);
    assert_eq!(stack.bottom(), Some(Addr(OLD + 32)));
    assert!(stack.contains(Addr(NEW + 24)) && !stack.contains(Addr(NEW + 64)));
}

#[test]
fn nothing_behind_a_damaged_top_is_believed() {
    let stack = two_chunks(OLD, 4096, 1 << 61, NEW + 24 + 40);
    assert_eq!(parts(&stack), [(OLD + 32, OLD + 32), (NEW + 24, NEW + 64)]);
    assert_eq!(stack.bottom(), None);
    let stack = two_chunks(OLD, 4096, 10, 0x1234);
    assert_eq!(parts(&stack), [(OLD + 32, OLD + 104), (NEW + 24, NEW + 24)]);
}

#[test]
fn damaged_chunks_end_the_walk() {
    for (previous, size) in [(NEW, 4096), (0x6666_0000, 4096), (OLD, 8), (OLD, u64::MAX)] {
        let stack = two_chunks(previous, size, 10, NEW + 24 + 40);
        assert_eq!(
            parts(&stack),
            [(NEW + 24, NEW + 64)],
            "{previous:#x} {size}"
        );
        assert_eq!(stack.bottom(), None);
    }
}

/// Frames of the given sizes from 0x1000 on; those at `damaged` have no size.
fn frames(sizes: &[u64], damaged: &[u64], end: u64) -> Vec<u64> {
    let mut starts = FxHashSet::default();
    let mut known = std::collections::HashMap::new();
    let mut at = 0x1000;
    for size in sizes {
        if !damaged.contains(&at) {
            starts.insert(Addr(at));
            known.insert(Addr(at), *size);
        }
        at += size;
    }
    let stack = DataStack {
        parts: vec![(Addr(0x1000), Addr(end))],
        whole: true,
        ..DataStack::default()
    };
    let size = |at: Addr| known.get(&at).copied();
    let found = stack.frames(80, &size, &|at| starts.contains(&at));
    found.iter().map(|addr| addr.0).collect()
}

#[test]
fn frames_lie_one_behind_the_other() {
    assert_eq!(
        frames(&[80, 96, 160], &[], 0x1150),
        [0x1000, 0x1050, 0x10b0]
    );
    assert_eq!(frames(&[], &[], 0x1000), [0; 0]);
}

#[test]
fn a_damaged_frame_costs_only_itself() {
    let found = frames(&[80, 96, 160], &[0x1050], 0x1150);
    assert_eq!(found, [0x1000, 0x1050, 0x10b0]);
    let found = frames(&[80, 96, 160], &[0x1000], 0x1150);
    assert_eq!(found, [0x1000, 0x1050, 0x10b0]);
}

#[test]
fn a_frame_that_is_larger_than_the_rest_ends_it() {
    assert_eq!(frames(&[80, 1 << 40], &[], 0x1150), [0x1000, 0x1050]);
}
