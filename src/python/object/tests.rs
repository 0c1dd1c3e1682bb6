//! Objects under every layout.

use super::*;
use crate::python::layout::{Attributes, Layout};
use crate::python::world::{AT_START, World};

#[test]
fn strings_and_integers_are_read() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let (text, int) = (world.text("hello"), world.int(42));
        let objects = world.objects();
        let read = objects.text(text, 3).unwrap();
        assert_eq!(
            (&*read.value, read.left_out),
            ("hel", 2),
            "{}",
            layout.measured
        );
        assert!(objects.is_text(text, "hello"));
        assert!(!objects.is_text(text, "hell"));
        assert_eq!(objects.int(int), Ok(42), "{}", layout.measured);
        assert!(objects.int(text).is_err() && objects.text(int, 9).is_err());
        assert!(objects.dict_items(text).is_err() && objects.list_items(text, 9).is_err());
    }
}

#[test]
fn dictionaries_are_read() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let (one, two) = (world.int(1), world.int(2));
        let dict = world.dict(&[("one", one), ("two", two), ("gone", Addr::NULL)]);
        let objects = world.objects();
        assert_eq!(
            objects.dict_get(dict, "two"),
            Ok(Some(two)),
            "{}",
            layout.measured
        );
        assert_eq!(
            objects.dict_get(dict, "three"),
            Ok(None),
            "{}",
            layout.measured
        );
        assert_eq!(
            objects.dict_get(dict, "gone"),
            Ok(None),
            "{}",
            layout.measured
        );
        assert_eq!(
            objects.dict_items(dict).unwrap().len(),
            2,
            "{}",
            layout.measured
        );
    }
}

#[test]
fn a_dictionary_of_absurd_size_is_refused() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let one = world.int(1);
        let dict = world.dict(&[("one", one)]);
        let f = layout.fields;
        let objects = world.objects();
        let count = match (f.dict.keys, f.dict_keys, f.dict.mask) {
            (Some(keys), Some(header), _) => header
                .nentries
                .of(objects.memory.ptr(keys.of(dict)).unwrap()),
            (_, _, Some(mask)) => mask.of(dict),
            _ => panic!("no dictionary"),
        };
        for size in [1 << 31, 1 << 60, u64::MAX] {
            world.piece_at(count, 8, |piece| {
                piece.bytes(AT_START, &size.to_le_bytes());
            });
            assert!(
                world.objects().dict_items(dict).is_err(),
                "{} {size:#x}",
                layout.measured
            );
        }
    }
}

/// An instance of a type with a managed dictionary, whose word in front of it is `word`.
fn managed(world: &mut World, distance: u64, words: &[u64]) -> Addr {
    let front = words.len() as u64 * 8;
    let ty = world.type_of("Thing", flags::MANAGED_DICT | flags::INLINE_VALUES);
    let ob_type = world.layout.fields.object.ob_type;
    let at = world.room(256);
    let object = at.add(64);
    world.piece_at(object, 64, |piece| piece.set(ob_type, ty.0));
    for (index, word) in words.iter().enumerate() {
        let place = object.sub(distance).add(index as u64 * 8);
        assert!(place < object && front <= 64);
        world.piece_at(place, 8, |piece| piece.set(AT_START, *word));
    }
    object
}

#[test]
fn a_managed_dictionary_is_found_in_front_of_the_object() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let name = world.text("x");
        let dict = world.dict(&[("_name", name)]);
        let object = match layout.kinds.attributes {
            Attributes::DictOffset => continue,
            Attributes::TwoWords => managed(&mut world, 32, &[0, dict.0]),
            Attributes::TaggedWord | Attributes::Inline => managed(&mut world, 24, &[dict.0]),
            Attributes::InlineFreeThreaded => managed(&mut world, 8, &[dict.0]),
        };
        let objects = world.objects();
        assert_eq!(
            objects.attribute(object, "_name"),
            Ok(Some(name)),
            "{}",
            layout.measured
        );
        assert_eq!(
            objects.attribute(object, "other"),
            Ok(None),
            "{}",
            layout.measured
        );
    }
}

#[test]
fn an_object_without_a_dictionary_has_no_attributes() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let text = world.text("x");
        assert_eq!(
            world.objects().attribute(text, "_name"),
            Ok(None),
            "{}",
            layout.measured
        );
    }
}
