//! Variables under every layout: cells, unbound and tagged slots, namespaces, and damage.

use super::*;
use crate::python::layout::{Layout, References};
use crate::python::world::{AT_START, World};

/// What a test puts into a code object and a frame.
struct Function {
    /// Name, kind and word of each slot, arguments first.
    slots: Vec<(&'static str, VariableKind, u64)>,
    arguments: u32,
    optimized: bool,
}

fn tuple(world: &mut World, names: &[&str]) -> Addr {
    let items: Vec<u64> = names.iter().map(|name| world.text(name).0).collect();
    let f = world.layout.fields;
    let size = u64::from(f.tuple.items.offset) + items.len() as u64 * 8;
    world.object(("tuple", 1 << 26), size, |piece| {
        piece.set(f.object.ob_size, items.len() as u64);
        let bytes: Vec<u8> = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        piece.bytes(f.tuple.items, &bytes);
    })
}

fn cell(world: &mut World, content: u64) -> u64 {
    let header = world.layout.fields.object.size;
    let size = u64::from(header.offset) + 8;
    let basicsize = world.layout.fields.type_object.basicsize;
    let ty = world.type_of("cell", 0);
    world.piece_at(basicsize.of(ty), 8, |piece| piece.set(AT_START, size));
    let cell = world.object(("cell", 0), size, |piece| piece.set(header, content));
    cell.0
}

/// Lays the function's frame out; the frame and its code.
fn lay(world: &mut World, function: &Function, namespace: Addr) -> (Addr, Addr) {
    let f = world.layout.fields;
    let code = world.code("f", 1);
    let of = |kinds: &[VariableKind]| -> Vec<&str> {
        let slots = function.slots.iter();
        slots
            .filter(|(_, kind, _)| kinds.contains(kind))
            .map(|(name, ..)| *name)
            .collect()
    };
    let bits: Vec<u8> = function
        .slots
        .iter()
        .map(|(_, kind, _)| match kind {
            VariableKind::Cell => 0x40,
            VariableKind::Free => 0x80,
            VariableKind::Hidden => 0x30,
            _ => 0x20,
        })
        .collect();
    let all: Vec<&str> = function.slots.iter().map(|(name, ..)| *name).collect();
    let locals = of(&[VariableKind::Argument, VariableKind::Local]);
    let flags = u32::from(function.optimized);
    let mut pieces = vec![
        (f.code.argcount.of(code), u64::from(function.arguments), 4),
        (f.code.flags.of(code), flags.into(), 4),
        (f.code.nlocals.of(code), locals.len() as u64, 4),
    ];
    let mut words: Vec<u64> = function.slots.iter().map(|(.., word)| *word).collect();
    if let (Some(names), Some(kinds)) = (f.code.localsplusnames, f.code.localspluskinds) {
        pieces.push((names.of(code), tuple(world, &all).0, 8));
        pieces.push((kinds.of(code), world.bytes_object(&bits).0, 8));
    } else {
        let lists = [
            (f.code.varnames, locals),
            (f.code.cellvars, of(&[VariableKind::Cell])),
            (f.code.freevars, of(&[VariableKind::Free])),
        ];
        for (field, names) in lists {
            let field = field.expect("up to 3.10");
            pieces.push((field.of(code), tuple(world, &names).0, 8));
        }
    }
    words.push(0);
    for (at, value, size) in pieces {
        world.piece_at(at, size, |piece| match size {
            4 => piece.set32(AT_START, value as u32),
            _ => piece.set(AT_START, value),
        });
    }
    let size = u64::from(f.frame.localsplus.offset) + words.len() as u64 * 8;
    let frame = world.piece(size.max(f.frame.size.offset.into()), |piece| {
        piece.set(f.frame.locals, namespace.0);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        piece.bytes(f.frame.localsplus, &bytes);
    });
    (frame, code)
}

fn read(world: &World, (frame, code): (Addr, Addr)) -> Variables {
    Variables::read(&world.objects(), frame, code, &Names::default())
}

/// Name, kind and value of each.
fn shown(variables: &Variables) -> Vec<(&str, VariableKind, Option<u64>)> {
    let all = variables.all.iter();
    all.map(|v| (&*v.name, v.kind, v.value.map(|value| value.0)))
        .collect()
}

#[test]
fn every_layout_tells_bound_from_unbound_and_looks_into_cells() {
    use VariableKind::{Argument, Cell, Free, Local};
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let one = world.int(1).0;
        let tagged = layout.kinds.references != References::Plain;
        let unbound = u64::from(tagged);
        let (full, empty) = (cell(&mut world, one), cell(&mut world, 0));
        let function = Function {
            slots: vec![
                ("given", Argument, one | unbound),
                ("local", Local, one),
                ("gone", Local, unbound),
                ("full", Cell, full),
                ("empty", Cell, empty),
                ("outer", Free, full | unbound),
            ],
            arguments: 1,
            optimized: true,
        };
        let stale = world.text("stale");
        let copy = world.dict(&[("gone", stale)]);
        let place = lay(&mut world, &function, copy);
        let found = read(&world, place);
        assert_eq!(
            shown(&found),
            [
                ("given", Argument, Some(one)),
                ("local", Local, Some(one)),
                ("gone", Local, None),
                ("full", Cell, Some(one)),
                ("empty", Cell, None),
                ("outer", Free, Some(one)),
            ],
            "{}",
            layout.measured
        );
        assert_eq!(found.problem, None, "{}", layout.measured);
    }
}

#[test]
fn a_class_body_finds_its_own_names_before_those_around_it() {
    use VariableKind::{Free, Namespace};
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let (one, own) = (world.int(1).0, world.text("own"));
        let around = cell(&mut world, one);
        let function = Function {
            slots: vec![("both", Free, around), ("around", Free, around)],
            arguments: 0,
            optimized: false,
        };
        let names = world.dict(&[("both", own), ("inside", own)]);
        let place = lay(&mut world, &function, names);
        assert_eq!(
            shown(&read(&world, place)),
            [
                ("both", Namespace, Some(own.0)),
                ("around", Free, Some(one)),
                ("inside", Namespace, Some(own.0)),
            ],
            "{}",
            layout.measured
        );
    }
}

#[test]
fn damage_is_said_and_the_rest_is_kept() {
    use VariableKind::{Cell, Local};
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let one = world.int(1).0;
        let function = Function {
            slots: vec![("lost", Cell, 0xdead_0000), ("kept", Local, one)],
            arguments: 0,
            optimized: false,
        };
        let nowhere = Addr(0xdead_0000);
        let function = match layout.fields.code.localsplusnames {
            Some(_) => function,
            // Up to 3.10 locals come first.
            None => Function {
                slots: function.slots.into_iter().rev().collect(),
                ..function
            },
        };
        let place = lay(&mut world, &function, nowhere);
        let found = read(&world, place);
        assert_eq!(shown(&found), [("kept", Local, Some(one))]);
        let problem = found.problem.expect("a problem");
        assert!(problem.contains("lost"), "{problem}");
    }
}

#[test]
fn names_beyond_belief_are_refused() {
    for layout in Layout::all_tables() {
        let mut world = World::new(layout);
        let function = Function {
            slots: vec![("a", VariableKind::Local, 0)],
            arguments: 0,
            optimized: true,
        };
        let (frame, code) = lay(&mut world, &function, Addr::NULL);
        let f = layout.fields;
        let field = f.code.localsplusnames.or(f.code.varnames).expect("names");
        let names = world.objects().memory.ptr(field.of(code)).expect("a tuple");
        world.piece_at(f.object.ob_size.of(names), 8, |piece| {
            piece.set(AT_START, 1 << 60);
        });
        let found = read(&world, (frame, code));
        assert!(found.all.is_empty() && found.problem.is_some());
    }
}
