//! Heaps of mimalloc built in memory, with the layout of every free-threaded version.

use super::*;
use crate::heap::alloc::mimalloc::{QUEUE, QUEUES, SEGMENT};
use crate::python::layout::{Layout, MiHeap, MiPage, MiSegment};
use crate::target::Mapping;
use std::collections::BTreeMap;

const INTERPRETER: Addr = Addr(0x1000_0000);
const THREAD: Addr = Addr(0x1100_0000);
const OWN: Addr = Addr(SEGMENT * 100);
const LEFT: Addr = Addr(SEGMENT * 101);
const OTHER: Addr = Addr(SEGMENT * 102);
const SUBPROC: u64 = 0x1200_0000;
const SLICE: u64 = 64 << 10;
const TRACKED: u8 = 1;
const FROZEN: u8 = 8;
const TYPE: u64 = 0x1300_0000;

/// Bytes by address; what was not written is 0 where anything was written nearby.
#[derive(Default)]
struct Ram(BTreeMap<u64, u8>);

impl Words for Ram {
    fn u64(&self, addr: Addr) -> Option<u64> {
        let near = self
            .0
            .range(addr.0.saturating_sub(SLICE)..addr.0.saturating_add(SLICE));
        near.into_iter().next()?;
        let byte = |at: u64| self.0.get(&at).copied().unwrap_or(0);
        Some(u64::from_le_bytes(
            [0, 1, 2, 3, 4, 5, 6, 7].map(|by| byte(addr.0.wrapping_add(by))),
        ))
    }
}

impl Ram {
    fn bytes(&mut self, at: Addr, bytes: &[u8]) {
        for (by, byte) in bytes.iter().enumerate() {
            self.0.insert(at.0 + by as u64, *byte);
        }
    }

    fn set(&mut self, at: Addr, word: u64) {
        self.bytes(at, &word.to_le_bytes());
    }
}

/// What is built, under one layout.
struct World<'a> {
    layout: &'a Layout,
    ram: Ram,
}

impl World<'_> {
    fn fields(&self) -> (MiHeap, MiPage, MiSegment) {
        let f = &self.layout.fields;
        (
            f.mi_heap.unwrap(),
            f.mi_page.unwrap(),
            f.mi_segment.unwrap(),
        )
    }

    /// A segment of 512 slices, the first of which describes it.
    fn segment(&mut self, at: Addr, thread: u64) {
        let (_, page, segment) = self.fields();
        self.ram.set(segment.cookie.of(at), at.0 ^ 0x5ec2e7);
        self.ram.set(segment.thread_id.of(at), thread);
        self.ram.set(segment.slice_entries.of(at), 512);
        self.ram
            .bytes(page.slice_count.of(segment.slices.of(at)), &[1]);
    }

    /// A page of ten blocks, the first of them tracked, the next one frozen, the third not tracked,
    /// the others free; returns its description and the objects that count.
    fn page(&mut self, segment: Addr, slice: u64, heap: Addr, tag: u8) -> (Addr, [u64; 2]) {
        const SIZE: u64 = 96;
        let (_, page, fields) = self.fields();
        let size = u64::from(page.size.offset);
        let at = fields.slices.of(segment).add(slice * size);
        let first = segment.add(slice * SLICE);
        let start = match page.start {
            Some(field) => {
                self.ram.set(field.of(at), first.0);
                first
            }
            None => first.add(SIZE),
        };
        let into = if tag == 3 { 16 } else { 0 };
        let object = &self.layout.fields.object;
        let ob_type = object.ob_type.offset as u8;
        let places = self.layout.kinds.page_tag.unwrap();
        self.ram.bytes(page.slice_count.of(at), &[1, 0, 0, 0]);
        self.ram.bytes(page.debug_offset.of(at), &[ob_type + into]);
        self.ram.bytes(page.capacity.of(at), &[10, 0]);
        self.ram
            .bytes(page.block_size.of(at), &(SIZE as u32).to_le_bytes());
        self.ram
            .bytes(at.add(places.byte.into()), &[tag << places.shift]);
        self.ram.set(page.heap.of(at), heap.0);
        let block = |index: u64| start.add(index * SIZE);
        let bits = [TRACKED, TRACKED | FROZEN, 0, TRACKED, TRACKED, TRACKED];
        for (index, bits) in bits.into_iter().enumerate() {
            let object_at = block(index as u64).add(into.into());
            self.ram
                .bytes(object.gc_bits.unwrap().of(object_at), &[bits]);
            self.ram.set(object.ob_type.of(object_at), TYPE);
        }
        // The rest is on the three lists.
        for (list, indices, flag) in [
            (page.free, &[3, 7, 9][..], 0),
            (page.local_free, &[4, 6], 0),
            (page.thread_free, &[5, 8], 1),
        ] {
            let mut from = list.of(at);
            for (number, index) in indices.iter().enumerate() {
                let flag = if number == 0 { flag } else { 0 };
                self.ram.set(from, block(*index).0 | flag);
                from = block(*index);
            }
            self.ram.set(from, 0);
        }
        (at, [0, 1].map(|index| block(index).add(into.into()).0))
    }

    /// What is found: frozen and other objects, and problems.
    fn find(&self) -> (Vec<(u64, bool)>, Vec<String>) {
        let mapping = |start: Addr, size: u64| Mapping {
            start,
            end: start.add(size),
            read: true,
            write: true,
            execute: false,
            shared: false,
            offset: 0,
            path: None,
            deleted: false,
        };
        let mappings = [mapping(OWN.sub(SLICE), 3 * SEGMENT + SLICE)];
        let mimalloc = Mimalloc::new(self.layout, &mappings, &self.ram).unwrap();
        let objects = Objects::new(self.layout, mimalloc).unwrap();
        let pages = objects
            .mimalloc
            .pages(INTERPRETER, std::iter::empty(), &HEAPS);
        let mut free = Free::default();
        let mut found = Vec::new();
        let mut problems = pages.problems;
        for page in &pages.all {
            problems.extend(objects.each(page, &mut free, &mut |object, frozen| {
                found.push((object.0, frozen));
            }));
        }
        found.sort_unstable();
        (found, problems)
    }
}

/// A thread with a page in each of its heaps, an ended one with two pages of which one is of other
/// objects, and a segment of another interpreter. With the addresses of the queue's head, of a
/// page of the thread, and of what is to be found.
fn build(layout: &Layout) -> (World<'_>, Addr, Addr, Vec<(u64, bool)>) {
    let f = &layout.fields;
    let mut world = World {
        layout,
        ram: Ram::default(),
    };
    let (heap, page, segment) = world.fields();
    let (thread, own) = (f.mi_thread.unwrap(), f.mi_interpreter.unwrap());
    world
        .ram
        .set(f.interpreter.threads.of(INTERPRETER), THREAD.0);
    world.ram.set(f.thread.interp.of(THREAD), INTERPRETER.0);
    world.ram.set(f.thread.next.of(THREAD), 0);
    world
        .ram
        .bytes(thread.initialized.of(THREAD), &[1, 0, 0, 0]);
    let heaps = [2, 3].map(|index| {
        thread
            .heaps
            .of(THREAD)
            .add(index * u64::from(heap.size.offset))
    });
    for start in heaps {
        for queue in 0..QUEUES {
            world.ram.set(heap.pages.of(start).add(queue * QUEUE), 0);
        }
    }
    world.segment(OWN, 7);
    world.segment(LEFT, 0);
    world.segment(OTHER, 0);
    let mut expected = Vec::new();
    let mut made = Vec::new();
    let places = [
        (OWN, 1, heaps[0], 2),
        (OWN, 2, heaps[0], 2),
        (OWN, 3, heaps[1], 3),
        (LEFT, 1, Addr::NULL, 3),
        (LEFT, 2, Addr::NULL, 1),
        (OTHER, 1, Addr::NULL, 2),
    ];
    for (segment, slice, heap, tag) in places {
        let (at, [tracked, frozen]) = world.page(segment, slice, heap, tag);
        made.push(at);
        if segment != OTHER && tag != 1 {
            expected.extend([(tracked, false), (frozen, true)]);
        }
    }
    expected.sort_unstable();
    let queue = heap.pages.of(heaps[0]).add(5 * QUEUE);
    world.ram.set(queue, made[0].0);
    world.ram.set(page.next.of(made[0]), made[1].0);
    world.ram.set(page.prev.of(made[1]), made[0].0);
    world
        .ram
        .set(heap.pages.of(heaps[1]).add(9 * QUEUE), made[2].0);
    if let (Some(field), Some(of_segment)) = (own.subproc, segment.subproc) {
        world.ram.set(field.of(INTERPRETER), SUBPROC);
        world.ram.set(of_segment.of(LEFT), SUBPROC);
        world.ram.set(of_segment.of(OTHER), SUBPROC + 8);
        // A thread's own segments say the same.
        world.ram.set(of_segment.of(OWN), SUBPROC);
    }
    if let (Some(list), Some(visited)) = (own.abandoned, own.abandoned_visited) {
        world.ram.set(list.of(INTERPRETER), LEFT.0 | 3);
        world.ram.set(visited.of(INTERPRETER), 0);
        world.ram.set(segment.abandoned_next.unwrap().of(LEFT), 0);
    }
    (world, queue, made[0], expected)
}

/// The layouts of all free-threaded versions.
fn layouts() -> impl Iterator<Item = &'static Layout> {
    Layout::all_tables().filter(|table| table.free_threaded)
}

#[test]
fn objects_are_found_in_pages_of_threads_that_live_and_have_ended() {
    assert_eq!(layouts().count(), 4);
    for layout in layouts() {
        let (world, _, _, expected) = build(layout);
        let (found, problems) = world.find();
        assert_eq!(found, expected, "{}", layout.measured);
        assert_eq!(problems, Vec::<String>::new(), "{}", layout.measured);
    }
}

#[test]
fn a_broken_queue_hides_no_page() {
    for layout in layouts() {
        let (_, page, _) = build(layout).0.fields();
        for bad in [0x1234, OWN.0, u64::MAX] {
            let (mut world, queue, _, expected) = build(layout);
            world.ram.set(queue, bad);
            let (found, problems) = world.find();
            assert_eq!((found, problems.len()), (expected, 1), "{problems:?}");
            let (mut world, _, first, expected) = build(layout);
            world.ram.set(page.next.of(first), first.0);
            let (found, problems) = world.find();
            assert_eq!((found, problems.len()), (expected, 1), "{problems:?}");
        }
    }
}

#[test]
fn a_broken_list_of_free_blocks_ends() {
    for layout in layouts() {
        let (_, page, _) = build(layout).0.fields();
        for bad in [0x1234, OWN.0 + SLICE + 1, !7] {
            let (mut world, _, first, expected) = build(layout);
            world.ram.set(page.free.of(first), bad);
            let (found, problems) = world.find();
            // What is free may keep its mark here, which no real one does.
            assert!(expected.iter().all(|object| found.contains(object)));
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
    }
}
