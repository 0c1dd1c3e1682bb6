//! Segments built in memory, whole and damaged, with the layout of every free-threaded version.

use super::segments::Run;
use super::walk::SEGMENT;
use super::{Mimalloc, Segment};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::python::layout::Layout;
use crate::target::synth_random::Random;

const AT: Addr = Addr(SEGMENT * 100);
const SLICE: u64 = 64 << 10;
const SIZE: u64 = 96;

/// The first three slices of a segment.
struct Ram(Vec<u8>);

impl Words for Ram {
    fn u64(&self, addr: Addr) -> Option<u64> {
        let at = usize::try_from(addr.since(AT)?).ok()?;
        crate::bytes::u64_at(&self.0, at)
    }
}

impl Ram {
    fn put(&mut self, at: Addr, bytes: &[u8]) {
        let at = (at.0 - AT.0) as usize;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// A segment whose second slice is a page of blocks of 96 bytes: ten were given out, of which two
/// are free again; the rest is of no page.
fn build(layout: &Layout) -> Ram {
    let (page, segment) = (
        layout.fields.mi_page.unwrap(),
        layout.fields.mi_segment.unwrap(),
    );
    let mut ram = Ram(vec![0; 3 * SLICE as usize]);
    ram.put(segment.cookie.of(AT), &(AT.0 ^ 0x5ec2e7).to_le_bytes());
    ram.put(segment.slice_entries.of(AT), &512u64.to_le_bytes());
    ram.put(segment.own_slices.of(AT), &1u64.to_le_bytes());
    ram.put(segment.all_slices.of(AT), &512u64.to_le_bytes());
    let entry = |slice: u64| {
        segment
            .slices
            .of(AT)
            .add(slice * u64::from(page.size.offset))
    };
    ram.put(page.slice_count.of(entry(0)), &[1]);
    ram.put(page.slice_count.of(entry(2)), &510u32.to_le_bytes());
    let at = entry(1);
    let start = AT.add(SLICE + SIZE);
    ram.put(page.slice_count.of(at), &[1]);
    ram.put(page.capacity.of(at), &[10]);
    ram.put(page.reserved.of(at), &[20]);
    ram.put(page.block_size.of(at), &[SIZE as u8]);
    if let Some(field) = page.start {
        ram.put(field.of(at), &start.0.to_le_bytes());
    }
    ram.put(page.free.of(at), &start.add(3 * SIZE).0.to_le_bytes());
    ram.put(start.add(3 * SIZE), &start.add(7 * SIZE).0.to_le_bytes());
    ram
}

/// Blocks in use and free, and bytes of no page and of damaged ones. Whatever the bytes are, what is
/// told lies side by side.
fn told(layout: &Layout, ram: &Ram) -> [u64; 4] {
    let segment = Segment {
        start: AT,
        size: SEGMENT,
        thread: 0,
    };
    let mimalloc = Mimalloc::new(layout, &[], ram).unwrap();
    let mut at = mimalloc.own_end(&segment);
    let mut told = [0; 4];
    mimalloc.runs(&segment, &mut |from, to, run| {
        assert!(from == at && from <= to);
        at = to;
        match run {
            Run::Unused => told[2] += to.0 - from.0,
            Run::Damaged(_) => told[3] += to.0 - from.0,
            Run::Page(page) => {
                let free = (0..page.count).filter(|index| page.free.contains(*index));
                told[1] += free.count() as u64;
                told[0] += page.count;
                assert!(from <= page.start && page.start.add(page.room * page.size) <= to);
            }
        }
    });
    told[0] -= told[1];
    assert_eq!(at, AT.add(SEGMENT));
    told
}

fn layouts() -> impl Iterator<Item = &'static Layout> {
    Layout::all_tables().filter(|table| table.free_threaded)
}

#[test]
fn a_segment_is_told_to_its_end() {
    for layout in layouts() {
        let found = told(layout, &build(layout));
        assert_eq!(found, [8, 2, 510 * SLICE, 0], "{}", layout.measured);
    }
}

#[test]
fn any_damage_leaves_what_adds_up() {
    let mut random = Random::new(0x5eed_0014);
    for layout in layouts() {
        for _ in 0..300 {
            let mut ram = build(layout);
            for _ in 0..4 {
                let page = layout.fields.mi_page.unwrap().size.offset as usize;
                let slices = layout.fields.mi_segment.unwrap().slices.offset as usize;
                let at = [random.below(300), slices + random.below(3 * page)][random.below(2)];
                ram.0[at] = random.number() as u8;
            }
            told(layout, &ram);
        }
    }
}
