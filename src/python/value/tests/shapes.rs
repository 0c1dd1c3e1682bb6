//! Objects and types that point where they should not: cycles, garbage, themselves.

use super::*;
use crate::python::world::AT_START;

#[test]
fn cycles_are_written_as_python_does() {
    everywhere(|world, measured| {
        let list = list(world, &[Addr(1)]);
        let items = world.layout.fields.list.items;
        let array = world.objects().memory.ptr(items.of(list)).unwrap();
        for (inner, text) in [
            (list, "[[...]]".to_owned()),
            (tuple(world, &[list]), "[([...],)]".to_owned()),
            (
                world.dict_of(&[(list, list)]),
                "[{[...]: [...]}]".to_owned(),
            ),
        ] {
            world.piece_at(array, 8, |piece| piece.set(AT_START, inner.0));
            assert_eq!(show(&world.objects(), list).text, text, "{measured}");
        }
        let one = tuple(world, &[Addr(1)]);
        let place = world.layout.fields.tuple.items.of(one);
        world.piece_at(place, 8, |piece| piece.set(AT_START, one.0));
        assert_eq!(show(&world.objects(), one).text, "((...),)", "{measured}");
    });
}

#[test]
fn a_key_may_be_the_dictionary_itself() {
    everywhere(|world, measured| {
        let empty = tuple(world, &[]);
        let dict = world.dict_of(&[(empty, empty)]);
        let f = world.layout.fields;
        let objects = world.objects();
        let entry = match (f.dict.keys, f.dict_keys, f.dict.table) {
            (Some(keys), Some(header), _) => {
                let keys = objects.memory.ptr(keys.of(dict)).unwrap();
                header.indices.of(keys).add(16)
            }
            (_, _, Some(table)) => objects.memory.ptr(table.of(dict)).unwrap().add(32),
            _ => panic!("no dictionary"),
        };
        world.piece_at(entry, 8, |piece| piece.set(AT_START, dict.0));
        let text = show(&world.objects(), dict).text;
        assert_eq!(text, "{{...}: ()}", "{measured}");
        for garbage in [8, 1 << 47, u64::MAX, dict.0 + 1] {
            world.piece_at(entry, 8, |piece| piece.set(AT_START, garbage));
            let shown = show(&world.objects(), dict);
            assert!(shown.text.ends_with(": ()}"), "{measured}: {}", shown.text);
            assert_eq!(shown.unreadable, 1, "{measured}: {}", shown.text);
        }
    });
}

#[test]
fn deep_nesting_ends() {
    everywhere(|world, measured| {
        let mut inner = tuple(world, &[]);
        for level in 0..100_000 {
            if level % 2 == 0 {
                inner = tuple(world, &[inner]);
            } else {
                inner = list(world, &[inner]);
            }
            // A world of each layout is slow to build to the bottom.
            if level > 1000 && measured != "3.12.1" {
                break;
            }
        }
        let objects = world.objects();
        let shown = objects.show(inner, Limits::NONE);
        assert!(shown.cut && shown.text.contains("<1 item>"), "{measured}");
        let shown = show(&objects, inner);
        assert!(shown.cut && shown.text.len() < 200, "{}", shown.text);
    });
}

#[test]
fn a_type_may_point_anywhere() {
    everywhere(|world, measured| {
        let ty = world.type_of("Thing", 1 << 9);
        let f = world.layout.fields;
        let thing = world.object(("Thing", 1 << 9), 64, |_| {});
        let fields = [
            f.type_object.name,
            f.type_object.base,
            f.type_object.dict,
            f.type_object.mro,
            f.type_object.dictoffset,
            f.type_object.basicsize,
            f.type_object.heap_name,
            f.type_object.flags,
        ];
        let loop_of_types = tuple(world, &[ty, ty, thing]);
        for field in fields {
            let old = world.objects().memory.u64(field.of(ty)).unwrap();
            for value in [
                1,
                8,
                1 << 47,
                1 << 60,
                u64::MAX,
                ty.0,
                thing.0,
                loop_of_types.0,
            ] {
                world.piece_at(field.of(ty), 8, |piece| piece.set(AT_START, value));
                let shown = show(&world.objects(), thing);
                assert!(!shown.text.is_empty(), "{measured}");
            }
            world.piece_at(field.of(ty), 8, |piece| piece.set(AT_START, old));
        }
    });
}

#[test]
fn objects_that_are_their_own_type() {
    everywhere(|world, measured| {
        let ob_type = world.layout.fields.object.ob_type;
        let at = world.room(1024);
        for flags in [0, 1 << 9, 1 << 25, 1 << 26, 1 << 29, 1 << 31, u64::MAX] {
            let f = world.layout.fields.type_object;
            world.piece_at(at, 1024, |piece| {
                for word in 0..128 {
                    let mut field = AT_START;
                    field.offset = word * 8;
                    piece.set(field, at.0);
                }
                piece.set(f.flags, flags | 1 << 12);
                piece.set(ob_type, at.0);
            });
            let shown = show(&world.objects(), at);
            assert!(!shown.text.is_empty(), "{measured}");
        }
    });
}

#[test]
fn an_order_that_is_lost_is_said_to_be() {
    everywhere(|world, measured| {
        let f = world.layout.fields;
        let (one, two) = (tuple(world, &[]), list(world, &[]));
        let dict = world.dict_of(&[(one, two), (two, one)]);
        let size = u64::from(f.dict.size.offset);
        let memory = world.objects().memory;
        let raw = memory.bytes(dict, size as usize).unwrap().into_owned();
        let last = world.words(&[one.0, 0, 0, 0]);
        let first = world.words(&[two.0, 0, last.0, 0]);
        let ty = world.type_of("collections.OrderedDict", 1 << 29);
        let ordered = world.piece(size + 8, |piece| {
            piece.bytes(AT_START, &raw);
            piece.set(f.object.ob_type, ty.0);
            piece.set(f.dict.size, first.0);
        });
        let text = show(&world.objects(), ordered).text;
        let known = [
            "OrderedDict([([], ()), ((), [])])",
            "OrderedDict({[]: (), (): []})",
        ];
        assert!(known.contains(&&*text), "{measured}: {text}");
        for damage in [first.0, 0, 1 << 47] {
            world.piece_at(first.add(16), 8, |piece| piece.set(AT_START, damage));
            let shown = show(&world.objects(), ordered);
            let said = shown
                .text
                .ends_with("<not in their order, which cannot be read>");
            let whole = shown.text.contains("()") && shown.text.contains("[]");
            assert!(said && whole && shown.cut, "{measured}: {}", shown.text);
        }
    });
}
