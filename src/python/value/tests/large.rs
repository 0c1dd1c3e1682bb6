//! Containers that are truly large: only what is shown is read.

use super::*;
use crate::python::layout::{DictKind, Layout};
use crate::python::world::AT_START;
use crate::target::{Fault, Memory};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes that are read.
struct Counting(Arc<dyn Memory>, AtomicUsize);

impl Memory for Counting {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        self.1.fetch_add(buf.len(), Ordering::Relaxed);
        self.0.read(addr, buf)
    }
}

/// What is shown, and how many bytes were read for it.
fn measure(world: &World, addr: Addr) -> (Shown, usize) {
    let mut objects = world.objects();
    let counting = Arc::new(Counting(Arc::clone(&objects.memory), AtomicUsize::new(0)));
    objects.memory = counting.clone();
    let shown = objects.show(addr, Limits::default());
    (shown, counting.1.load(Ordering::Relaxed))
}

#[test]
fn a_list_of_ten_million() {
    let layout = Layout::tables((3, 12), false).next().unwrap();
    let mut world = World::new(layout);
    let item = tuple(&mut world, &[]);
    let list = list(&mut world, &vec![item; 10_000_000]);
    let (shown, read) = measure(&world, list);
    assert!(shown.cut && shown.text.ends_with(", (), <9999800 more>]"));
    assert!(read < 1 << 16, "{read} bytes");
    assert_eq!(world.objects().len(list), Ok(10_000_000));
    assert_eq!(world.objects().items(list, 3), Ok(vec![item; 3]));
}

#[test]
fn a_dictionary_of_three_million() {
    const LOG2: u8 = 22;
    const COUNT: u64 = 3_000_000;
    let layout = Layout::tables((3, 12), false).next().unwrap();
    assert_eq!(layout.kinds.dict, DictKind::CompactLog2);
    let mut world = World::new(layout);
    let f = layout.fields;
    let item = tuple(&mut world, &[]);
    let dict = world.dict_of(&[(item, item)]);
    let header = f.dict_keys.unwrap();
    let room = u64::from(header.indices.offset) + (4 << LOG2) + COUNT * 16;
    let keys = world.piece(room, |piece| {
        piece.bytes(header.log2_slots, &[LOG2]);
        piece.bytes(header.log2_index_bytes, &[LOG2 + 2]);
        piece.bytes(header.kind, &[1]);
        piece.set(header.nentries, COUNT);
        let mut at = header.indices;
        at.offset += 4 << LOG2;
        piece.bytes(at, &item.0.to_le_bytes().repeat(COUNT as usize * 2));
    });
    world.piece_at(f.dict.keys.unwrap().of(dict), 8, |piece| {
        piece.set(AT_START, keys.0);
    });
    world.piece_at(f.dict.used.of(dict), 8, |piece| {
        piece.set(AT_START, COUNT);
    });
    let (shown, read) = measure(&world, dict);
    assert!(shown.cut && shown.text.ends_with(", (): (), <2999800 more>}"));
    assert!(read < 1 << 17, "{read} bytes");
    let objects = world.objects();
    assert!(objects.dict_items(dict).is_err(), "too many for one piece");
    let walked = objects.dict_iter(dict).unwrap();
    assert_eq!(walked.filter(Result::is_ok).count() as u64, COUNT);
    assert_eq!(objects.dict_get(dict, "none"), Ok(None));
}
