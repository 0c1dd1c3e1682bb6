//! Objects of every type that has a decoder, filled with words that make no sense.

use super::super::DECODERS;
use super::*;

/// Words behind the header of an object.
const WORDS: u64 = 24;

/// An object of this type, whose words are what `word` says of their index and its own address.
fn filled(world: &mut World, name: &str, word: impl Fn(u64, Addr) -> u64) -> Addr {
    let header = world.layout.fields.object.size;
    let size = u64::from(header.offset) + WORDS * 8;
    let own = world.object((name, 0), size, |_| {});
    world.piece_at(header.of(own), WORDS * 8, |piece| {
        for index in 0..WORDS {
            let mut at = crate::python::world::AT_START;
            at.offset += index as u32 * 8;
            piece.set(at, word(index, own));
        }
    });
    own
}

#[test]
fn of_every_type_full_of_one_word() {
    everywhere(|world, measured| {
        let text = world.text("text");
        let none = world.object(("NoneType", 0), 32, |_| {});
        let dict = world.dict(&[("a", text)]);
        let constants = [0, 1, 8, 1 << 31, 1 << 60, u64::MAX, text.0, none.0, dict.0];
        for (name, _) in DECODERS.iter().flat_map(|decoders| decoders.iter()) {
            let mut all: Vec<Addr> = constants
                .iter()
                .map(|word| filled(world, name, |_, _| *word))
                .collect();
            all.push(filled(world, name, |_, own| own.0));
            all.push(filled(world, name, |index, own| match index % 3 {
                0 => own.0,
                1 => 3,
                _ => text.0,
            }));
            let objects = world.objects();
            for object in all {
                let shown = show(&objects, object);
                assert!(!shown.text.is_empty(), "{measured} {name}");
            }
        }
    });
}

#[test]
fn of_decimals_and_matches() {
    everywhere(|world, measured| {
        // Flags, exponent, digits, words used, words allocated, data.
        let decimal = |used: u64| {
            move |index: u64, own: Addr| [0, 0, 0, 1, used, 4, own.0][index.min(6) as usize]
        };
        for used in [1 << 17, 1 << 60, u64::MAX] {
            let object = filled(world, "decimal.Decimal", decimal(used));
            let shown = show(&world.objects(), object);
            assert_eq!(shown.unreadable, 1, "{measured}: {}", shown.text);
        }
        let text = world.text("text");
        let place = |index: u64| [1, text.0, 0, 0, 0, 4, 0, 1][index.min(7) as usize];
        for (start, end) in [(2, 1), (0, 5), (0, 1 << 60), (u64::MAX, u64::MAX)] {
            let object = filled(world, "re.Match", |index, _| match index {
                8 => start,
                9 => end,
                _ => place(index),
            });
            let shown = show(&world.objects(), object);
            // Without a class that writes itself it is any object.
            let plain = shown.text.starts_with("<re.Match object at ");
            assert!(plain || shown.unreadable > 0, "{measured}: {}", shown.text);
        }
    });
}
