//! Values that no sound process has, under every layout: whatever the bytes are, writing them ends
//! soon and says what is wrong in its place.

mod extension;
mod flood;
mod garbage;
mod large;
mod shapes;
mod sizes;

use super::{Limits, Shown};
use crate::addr::Addr;
use crate::python::layout::Layout;
use crate::python::object::Objects;
use crate::python::world::World;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// No value may take more processor time.
const LONGEST: Duration = Duration::from_secs(2);

/// The processor time that the calling thread has used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.unwrap().into()
}

/// Runs a test in a world of each layout.
fn everywhere(test: impl Fn(&mut World, &str)) {
    for layout in Layout::all_tables() {
        test(&mut World::new(layout), layout.measured);
    }
}

/// The value with the default limits; with none it has to end too.
fn show(objects: &Objects, addr: Addr) -> Shown {
    let start = cpu_time();
    objects.show(addr, Limits::NONE);
    let shown = objects.show(addr, Limits::default());
    let took = cpu_time() - start;
    assert!(took < LONGEST, "took {took:?}");
    let longest = 2 * Limits::default().total;
    assert!(shown.text.len() < longest, "{} bytes", shown.text.len());
    shown
}

/// A list of these items.
fn list(world: &mut World, items: &[Addr]) -> Addr {
    let words: Vec<u64> = items.iter().map(|item| item.0).collect();
    let array = world.words(&words);
    let f = world.layout.fields;
    let size = u64::from(f.list.items.offset) + 16;
    world.object(("list", 1 << 25), size, |piece| {
        piece.set(f.object.ob_size, items.len() as u64);
        piece.set(f.list.items, array.0);
        let mut allocated = f.list.items;
        allocated.offset += 8;
        piece.set(allocated, items.len() as u64);
    })
}

/// A tuple of these items.
fn tuple(world: &mut World, items: &[Addr]) -> Addr {
    let f = world.layout.fields;
    let size = u64::from(f.tuple.items.offset) + items.len() as u64 * 8;
    world.object(("tuple", 1 << 26), size, |piece| {
        piece.set(f.object.ob_size, items.len() as u64);
        for (index, item) in items.iter().enumerate() {
            let mut at = f.tuple.items;
            at.offset += index as u32 * 8;
            piece.set(at, item.0);
        }
    })
}

/// A set of one element in a table of eight slots.
fn set(world: &mut World, element: Addr) -> Addr {
    use crate::python::layout::DictKind;
    let hash_first = world.layout.kinds.dict == DictKind::Open;
    let mut slots = [0; 16];
    slots[4 + usize::from(hash_first)] = element.0;
    let table = world.words(&slots);
    let header = world.layout.fields.object.size;
    world.object(("set", 0), u64::from(header.offset) + 32, |piece| {
        for (index, word) in [1, 1, 7, table.0].into_iter().enumerate() {
            let mut at = header;
            at.offset += index as u32 * 8;
            piece.set(at, word);
        }
    })
}
