//! Sizes that no object has.

use super::*;
use crate::python::layout::Field;
use crate::python::world::AT_START;

const SIZES: [u64; 8] = [
    1 << 31,
    1 << 32,
    1 << 40,
    1 << 52,
    1 << 60,
    1 << 61,
    1 << 63,
    u64::MAX,
];

/// Writes over one word of an object, then shows it: it must be marked.
fn with_size(world: &mut World, name: &str, object: Addr, field: Field, of: fn(u64) -> u64) {
    for size in SIZES {
        world.piece_at(field.of(object), 8, |piece| piece.set(AT_START, of(size)));
        let shown = show(&world.objects(), object);
        assert!(
            shown.unreadable > 0 || shown.cut,
            "{} {name} {size:#x}: {}",
            world.layout.measured,
            shown.text
        );
    }
}

#[test]
fn of_sequences() {
    everywhere(|world, _| {
        let f = world.layout.fields;
        let item = tuple(world, &[]);
        let (list, tuple) = (list(world, &[item]), tuple(world, &[item]));
        with_size(world, "list", list, f.object.ob_size, |size| size);
        with_size(world, "tuple", tuple, f.object.ob_size, |size| size);
    });
}

#[test]
fn of_tables() {
    everywhere(|world, _| {
        let f = world.layout.fields;
        let item = tuple(world, &[]);
        let (dict, set) = (world.dict(&[("a", item)]), set(world, item));
        with_size(world, "dict", dict, f.dict.used, |size| size);
        let dict = world.dict(&[("a", item)]);
        match (f.dict.mask, f.dict_keys, f.dict.keys) {
            (Some(mask), ..) => with_size(world, "dict mask", dict, mask, |size| size - 1),
            (_, Some(keys), Some(pointer)) => {
                let objects = world.objects();
                let at = objects.memory.ptr(pointer.of(dict)).unwrap();
                world.piece_at(keys.nentries.of(at), 8, |piece| {
                    piece.set(AT_START, 1 << 60);
                });
                assert!(show(&world.objects(), dict).unreadable > 0);
            }
            _ => panic!("no dictionary"),
        }
        for word in 0..3 {
            let mut field = f.object.size;
            field.offset += word * 8;
            let old = world.objects().memory.u64(field.of(set)).unwrap();
            with_size(world, "set", set, field, |size| size);
            world.piece_at(field.of(set), 8, |piece| piece.set(AT_START, old));
        }
    });
}

#[test]
fn of_strings_and_numbers() {
    everywhere(|world, _| {
        let f = world.layout.fields;
        let (text, int) = (world.text("hello"), world.int(1));
        let bytes = world.bytes_object(b"hello");
        let length = match f.str.state {
            Some(_) => f.str.length,
            None => f.object.ob_size,
        };
        for (object, field) in [
            (text, length),
            (bytes, f.object.ob_size),
            (int, f.int.tag.unwrap_or(f.object.ob_size)),
        ] {
            for size in SIZES {
                world.piece_at(field.of(object), 8, |piece| piece.set(AT_START, size));
                show(&world.objects(), object);
            }
        }
    });
}

#[test]
fn negative_and_zero() {
    everywhere(|world, measured| {
        let f = world.layout.fields;
        let item = tuple(world, &[]);
        let list = list(world, &[item]);
        world.piece_at(f.object.ob_size.of(list), 8, |piece| {
            piece.set(AT_START, -1i64 as u64);
        });
        assert!(show(&world.objects(), list).unreadable > 0, "{measured}");
        world.piece_at(f.object.ob_size.of(list), 8, |piece| piece.set(AT_START, 0));
        assert_eq!(show(&world.objects(), list).text, "[]");
    });
}
