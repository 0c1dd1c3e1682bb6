//! Scalars under every layout, whole ones and ones that damaged memory makes.

use super::{Limits, Shown};
use crate::addr::Addr;
use crate::python::layout::{Layout, StrKind};
use crate::python::world::World;

const STR: (&str, u64) = ("str", 1 << 28);
const INT: (&str, u64) = ("int", 1 << 24);
const BYTES: (&str, u64) = ("bytes", 1 << 27);
const ABSURD: [u64; 5] = [1 << 31, 1 << 46, 1 << 60, u64::MAX / 2, u64::MAX];

fn show(world: &World, addr: Addr) -> Shown {
    world.objects().show(addr, Limits::default())
}

fn unreadable(world: &World, addr: Addr, what: &str) {
    let shown = show(world, addr);
    assert!(
        shown.text.starts_with("<unreadable object at 0x"),
        "{what}: {}",
        shown.text
    );
    assert_eq!(shown.unreadable, 1, "{what}");
    let whole = world.objects().show(addr, Limits::NONE);
    assert_eq!(whole.unreadable, 1, "{what}: {}", whole.text);
}

/// A string with these words of state and length, its data `data`; not of 2.7.
fn string(world: &mut World, length: u64, kind: u32, data: &[u8]) -> Option<Addr> {
    let f = world.layout.fields;
    let (state, compact) = (f.str.state?, f.str.compact_data?);
    let shift = match world.layout.kinds.str {
        StrKind::BitsAfterInterned => 8,
        _ => 2,
    };
    let size = u64::from(compact.offset) + data.len() as u64;
    Some(world.object(STR, size, |piece| {
        piece.set(f.str.length, length);
        // Compact, not ASCII.
        piece.set32(state, (kind | 0b1000) << shift);
        piece.bytes(compact, data);
    }))
}

#[test]
fn strings_of_every_width_are_written() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let wide = [0x27u32, 0xd800, 0x1_f600].map(u32::to_le_bytes).concat();
        for (kind, data, expected) in [
            (1, &b"\xe9'"[..], "\"é'\""),
            (2, &b"\x2d\x4e\x00\xd8"[..], "'中\\ud800'"),
            (4, &wide, "\"'\\ud800😀\""),
        ] {
            let length = (data.len() / kind as usize) as u64;
            if let Some(at) = string(&mut world, length, kind, data) {
                assert_eq!(show(&world, at).text, expected, "{}", layout.measured);
                let (chars, left_out) = world.objects().chars(at, 1).unwrap();
                assert_eq!((chars.len() as u64, left_out), (1, length - 1));
            }
        }
    }
}

#[test]
fn long_strings_are_cut_and_say_by_how_much() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let (text, bytes) = (
            world.text(&"a".repeat(205)),
            world.bytes_object(&[b'b'; 201]),
        );
        let limits = Limits {
            elements: 4,
            ..Limits::default()
        };
        let objects = world.objects();
        let cut = objects.show(text, limits);
        let python2 = layout.kinds.str == StrKind::Pointer;
        let expected = match python2 {
            true => "'aaaa'...<and 201 more bytes>",
            false => "'aaaa'...<and 201 more characters>",
        };
        assert_eq!(
            (&*cut.text, cut.cut),
            (expected, true),
            "{}",
            layout.measured
        );
        let cut = objects.show(bytes, Limits::default());
        assert!(
            cut.text.ends_with("bbb'...<and 1 more byte>"),
            "{}",
            cut.text
        );
        assert!(!objects.show(text, Limits::NONE).cut);
        let no_room = Limits {
            total: 3,
            ..Limits::NONE
        };
        assert!(
            objects
                .show(text, no_room)
                .text
                .starts_with("'aaa'...<and 202 more ")
        );
    }
}

#[test]
fn a_string_of_five_million_characters_is_read_whole() {
    let layout = Layout::tables((3, 11), false).next().unwrap();
    let mut world = World::new(layout);
    let at = world.text(&"x".repeat(5_000_000));
    let objects = world.objects();
    let whole = objects.show(at, Limits::NONE);
    assert_eq!((whole.text.len(), whole.cut), (5_000_002, false));
    assert_eq!(objects.text(at, u64::MAX).unwrap().left_out, 0);
    assert_eq!(objects.chars(at, 10).unwrap().1, 4_999_990);
}

#[test]
fn damaged_strings_are_unreadable() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        for length in ABSURD {
            let Some(at) = string(&mut world, length, 1, b"abc") else {
                continue;
            };
            unreadable(&world, at, &format!("{} {length:#x}", layout.measured));
            assert!(world.objects().chars(at, 5).is_err());
        }
        for kind in [3, 5, 7] {
            if let Some(at) = string(&mut world, 3, kind, b"abc") {
                unreadable(&world, at, &format!("{} kind {kind}", layout.measured));
            }
        }
        // Not compact, of kind 0 or 4, with pointers to nothing.
        let f = layout.fields;
        for kind in [0, 4] {
            let size = u64::from(f.str.pointer.offset) + 8;
            let at = world.object(STR, size, |piece| {
                piece.set(f.str.length, 3);
                if let Some(state) = f.str.state {
                    piece.set32(state, kind << 2 | kind << 8);
                }
            });
            let shown = show(&world, at);
            let empty = kind == 0 && layout.kinds.str == StrKind::BitsWithLegacy;
            match empty {
                true => assert_eq!(shown.text, "''", "wstr_length is 0"),
                false => unreadable(&world, at, &format!("{} pointer", layout.measured)),
            }
        }
    }
}

#[test]
fn integers_of_any_size_are_shown_in_bounded_time() {
    for layout in Layout::all_tables() {
        let f = layout.fields;
        let integer = |world: &mut World, count: u64, digits: &[u8]| {
            let size = u64::from(f.int.digits.offset) + digits.len() as u64;
            world.object(INT, size, |piece| {
                match f.int.tag {
                    Some(tag) => piece.set(tag, count << 3),
                    None => piece.set(f.object.ob_size, count),
                }
                piece.bytes(f.int.digits, digits);
            })
        };
        let mut world = World::new(layout);
        // All bits set, too many digits to compute with.
        let digits = 0x3fff_ffffu32.to_le_bytes().repeat(70_000);
        let at = integer(&mut world, 70_000, &digits);
        let shown = show(&world, at);
        let expected = format!(
            "0x{}...<and 524968 more hexadecimal digits>",
            "f".repeat(32)
        );
        assert_eq!(
            (shown.text, shown.cut),
            (expected, true),
            "{}",
            layout.measured
        );
        // The most that is computed with.
        let at = integer(&mut world, 1 << 16, &digits);
        let shown = show(&world, at);
        assert!(shown.text.ends_with("more digits>"), "{}", shown.text);
        for count in [5000, 1 << 28, 1 << 40, 1 << 60, (1 << 61) - 1] {
            let at = integer(&mut world, count, &[1; 8]);
            unreadable(&world, at, &format!("{} {count:#x}", layout.measured));
        }
        // A digit of more than 30 bits.
        let at = integer(&mut world, 2, &[0xff; 8]);
        unreadable(&world, at, layout.measured);
    }
}

#[test]
fn damaged_bytes_are_unreadable() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let f = layout.fields;
        for length in ABSURD {
            let at = world.object(BYTES, u64::from(f.bytes.data.offset) + 8, |piece| {
                piece.set(f.object.ob_size, length);
            });
            unreadable(&world, at, &format!("{} {length:#x}", layout.measured));
            let at = world.object(("bytearray", 0), 128, |piece| {
                piece.set(f.object.ob_size, length);
                piece.set(f.bytearray.start, 0x10_0000);
            });
            unreadable(&world, at, &format!("{} {length:#x}", layout.measured));
        }
        let at = world.object(("bytearray", 0), 128, |_| {});
        assert_eq!(show(&world, at).text.replace("(b'", "('"), "bytearray('')");
    }
}

#[test]
fn small_objects_that_hold_garbage_or_themselves_end() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let after = |index: u64| {
            let mut field = layout.fields.object.size;
            field.offset += index as u32 * 8;
            field
        };
        // Each object holds itself, then garbage.
        for (name, slots) in [("cell", 1), ("slice", 3), ("range", 3), ("lazy_import", 3)] {
            let size = u64::from(layout.fields.object.size.offset) + 64;
            let own = world.room(size);
            let ty = world.type_of(name, 0);
            world.piece_at(own, size, |piece| {
                piece.set(layout.fields.object.ob_type, ty.0);
                (0..slots).for_each(|slot| piece.set(after(slot), own.0));
            });
            let shown = show(&world, own);
            assert!(
                shown.text.len() < 10_000 + 4000,
                "{} {name}",
                layout.measured
            );
            let garbage = world.object((name, 0), size, |piece| {
                (0..slots).for_each(|slot| piece.set(after(slot), 0xdead_beef));
            });
            let shown = show(&world, garbage);
            let marked =
                shown.unreadable > 0 || name == "range" && layout.fields.range.stop.is_none();
            assert!(marked, "{} {name}: {}", layout.measured, shown.text);
        }
    }
}

#[test]
fn narrow_unicode_of_python_2_is_joined() {
    let layout = Layout::tables((2, 7), false).next().unwrap();
    let f = layout.fields;
    let mut world = World::new(layout);
    let units: Vec<u8> = [0x61u16, 0xd83d, 0xde00, 0xd800]
        .iter()
        .flat_map(|unit| unit.to_le_bytes())
        .collect();
    let data = world.raw(&units);
    let at = world.object(("unicode", 1 << 28), 64, |piece| {
        piece.set(f.str.length, 4);
        piece.set(f.str.pointer, data.0);
    });
    let maximum = world.int(0xffff);
    let sysdict = world.dict(&[("maxunicode", maximum)]);
    let interpreter = world.piece(4096, |piece| piece.set(f.interpreter.sysdict, sysdict.0));
    let objects = world.objects();
    objects.interpreter.set(interpreter).unwrap();
    assert_eq!(
        objects.show(at, Limits::default()).text,
        r"u'a\U0001f600\ud800'"
    );
}

#[test]
fn builtin_types_whose_names_are_lost_are_found_in_builtins() {
    for layout in Layout::all_tables() {
        let f = layout.fields;
        let mut world = World::new(layout);
        let meta = world.type_of("type", 1 << 31);
        let none = world.object(("NoneType", 0), 64, |_| {});
        let size = u64::from(f.type_object.size.offset);
        let nameless = world.room(size);
        world.piece_at(nameless, size, |piece| {
            piece.set(f.object.ob_type, meta.0);
            // The name is not mapped.
            piece.set(f.type_object.name, 0x10);
            piece.set(f.type_object.flags, 1 << 12);
        });
        let number = world.object(("x", 0), 64, |piece| {
            piece.set(f.object.ob_type, nameless.0);
            let mut value = f.object.size;
            value.source = f.object.ob_type.source;
            piece.set(value, 2.5f64.to_bits());
        });
        let builtins = world.dict(&[("float", nameless), ("None", none)]);
        let size = u64::from(f.interpreter.builtins.offset) + 8;
        let interpreter = world.piece(size, |piece| piece.set(f.interpreter.builtins, builtins.0));
        let objects = world.objects();
        objects.interpreter.set(interpreter).unwrap();
        assert_eq!(
            objects.show(number, Limits::default()).text,
            "2.5",
            "{}",
            layout.measured
        );
        assert_eq!(objects.show(none, Limits::default()).text, "None");
    }
}
