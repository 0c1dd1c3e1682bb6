//! Objects of classes, functions, exceptions, locks and their kin, whose contents are garbage: whatever a decoder takes
//! for a pointer, a length or a name, it ends.

use super::super::{
    Decoders, class, exception, execution, function, module, template, threading, weak,
};
use super::{everywhere, list, show};
use crate::addr::Addr;
use crate::python::object::flags;
use crate::python::world::{AT_START, World};

/// The families that are tried.
const FAMILIES: &[Decoders] = &[
    class::DECODERS,
    exception::DECODERS,
    execution::DECODERS,
    function::DECODERS,
    module::DECODERS,
    template::DECODERS,
    threading::DECODERS,
    weak::DECODERS,
];

/// Words that each object has behind its header.
const WORDS: u32 = 48;

/// An object of this type with nothing but zeros behind its header.
fn object(world: &mut World, name: &str) -> Addr {
    let kind = match name {
        "type" => flags::TYPE,
        "BaseException" | "exceptions.BaseException" => flags::EXCEPTION,
        _ => 0,
    };
    let header = world.layout.fields.object.size.offset;
    let size = u64::from(header + WORDS * 8);
    world.object((name, flags::READY | kind), size, |_| {})
}

/// Puts the same word everywhere behind the object's header.
fn fill(world: &mut World, object: Addr, word: u64) {
    let body = world.layout.fields.object.size.of(object);
    world.piece_at(body, u64::from(WORDS) * 8, |piece| {
        for index in 0..WORDS {
            let mut at = AT_START;
            at.offset = index * 8;
            piece.set(at, word);
        }
    });
}

#[test]
fn garbage_within_any_object_ends() {
    everywhere(|world, measured| {
        let text = world.text("a name");
        let inner = list(world, &[text]);
        let mut all = Vec::new();
        for (name, _) in FAMILIES.iter().flat_map(|family| family.iter()) {
            for word in [0, 1, 3, 1 << 60, u64::MAX, text.0, inner.0] {
                let object = object(world, name);
                fill(world, object, word);
                all.push((*name, word, object));
            }
            let itself = object(world, name);
            fill(world, itself, itself.0);
            all.push((*name, itself.0, itself));
        }
        let objects = world.objects();
        for (name, word, object) in all {
            let shown = show(&objects, object);
            assert!(!shown.text.is_empty(), "{measured} {name} {word:#x}");
        }
    });
}
