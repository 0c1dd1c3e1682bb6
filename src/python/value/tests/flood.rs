//! Random bytes over everything.

use super::*;
use crate::target::synth_random::Random;
use crate::target::{Fault, Memory};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Memory with some words changed.
struct Flooded {
    memory: Arc<dyn Memory>,
    /// By the address of the word.
    words: BTreeMap<u64, u64>,
}

impl Memory for Flooded {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        self.memory.read(addr, buf)?;
        let end = addr.0.saturating_add(buf.len() as u64);
        for (at, word) in self.words.range(addr.0.saturating_sub(7)..end) {
            for (index, byte) in word.to_le_bytes().into_iter().enumerate() {
                let place = (at + index as u64).checked_sub(addr.0);
                if let Some(old) = place.and_then(|place| buf.get_mut(place as usize)) {
                    *old = byte;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn of_random_words() {
    everywhere(|world, _| {
        let (int, text) = (world.int(1), world.text("text"));
        let bytes = world.bytes_object(b"bytes");
        let list = list(world, &[int, text]);
        let tuple = tuple(world, &[list, bytes]);
        let set = set(world, int);
        let dict = world.dict(&[("a", tuple), ("b", set), ("c", list)]);
        let all = [int, text, bytes, list, tuple, set, dict];
        let (start, end) = (0x10_0000, world.room(8).0);
        let places = (end - start) as usize / 8;
        let mut random = Random::new(0x1234_5678_9abc_def1);
        for round in 0..200 {
            let mut words = BTreeMap::new();
            for _ in 0..=random.below(if round % 10 == 0 { 400 } else { 12 }) {
                let at = start + 8 * random.below(places) as u64;
                let word = match random.below(6) {
                    0 => u64::MAX,
                    1 => 1 << random.below(64),
                    2 => random.below(64) as u64,
                    3 => start + 8 * random.below(places) as u64,
                    4 => all[random.below(all.len())].0,
                    _ => random.number(),
                };
                words.insert(at, word);
            }
            let mut objects = world.objects();
            let memory = Arc::clone(&objects.memory);
            objects.memory = Arc::new(Flooded { memory, words });
            for value in all {
                show(&objects, value);
            }
        }
    });
}
