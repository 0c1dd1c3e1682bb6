//! Bytes that the search for text leaves alone: those of strings that stay, of code with its
//! instructions, of names that only C has, and what every object is made of beside its items.

use super::bounds::What;
use super::names::{Role, roles};
use super::texts::Texts;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::types::Kind;
use crate::python::object::flags;
use rustc_hash::FxHashSet;
use std::ops::Range;
use std::sync::Arc;

/// The longest name in C.
const LONGEST_IN_C: usize = 4096;

/// The longest text that is kept, in bytes.
const LONGEST: u64 = 16 << 20;

/// So much of an object is kept: flags are among its first fields. A frame has its stack of blocks behind.
const LONGEST_FIXED: u64 = 96;

/// Where the bytes are of what is kept: of strings, of code with its instructions, of names in C, and
/// what every object is made of beside its items.
pub(super) fn ranges(
    heap: &Heap,
    texts: &Texts<'_, '_>,
    kept: &FxHashSet<Addr>,
    in_c: &FxHashSet<Addr>,
) -> Vec<Range<u64>> {
    let objects = &heap.python.objects;
    let range = |start: u64, len: u64| start..start.saturating_add(len.min(LONGEST));
    let mut ranges = Vec::new();
    for addr in kept {
        let wanted = match objects.type_of(*addr) {
            Ok(ty) if ty.is(flags::STR) => texts.text(*addr),
            Ok(ty) if ty.is(flags::BYTES) => texts.bytes(*addr, What::String),
            _ => None,
        };
        ranges.extend(
            wanted.map(|wanted| range(wanted.run.start, wanted.run.end - wanted.run.start)),
        );
    }
    // What is no text in an object may lie beside what was left there before: flags, and padding.
    let roles = roles(heap);
    let fixed = |kind: &Arc<Kind>| {
        let bytes = u64::try_from(kind.keeping.ty.basicsize);
        bytes.map_or(0, |bytes| bytes.min(LONGEST_FIXED))
    };
    let fixed: Vec<u64> = heap.kinds().iter().map(fixed).collect();
    for id in 0..heap.count() {
        let number = heap.kind_number(id) as usize;
        let len = match roles.get(number) {
            Some(Role::Code) => heap.size(id),
            _ => fixed.get(number).copied().unwrap_or(0),
        };
        ranges.push(range(heap.address(id).0, len));
    }
    for text in in_c {
        let len = objects
            .memory
            .cstr(*text, LONGEST_IN_C)
            .map_or(0, |text| text.len());
        ranges.push(range(text.0, len as u64));
    }
    ranges
}

/// Where texts of C are that are names: of types, and of functions in C. Most are constants.
pub(super) fn names_in_c(heap: &Heap) -> FxHashSet<Addr> {
    let objects = &heap.python.objects;
    let memory = &objects.memory;
    let name = objects.layout.fields.type_object.name;
    let mut names = FxHashSet::default();
    let roles = roles(heap);
    for id in 0..heap.count() {
        let addr = heap.address(id);
        let role = roles.get(heap.kind_number(id) as usize);
        if role == Some(&Role::Type) {
            names.extend(memory.ptr(name.of(addr)));
        } else if role == Some(&Role::Descriptor) {
            // PyCFunctionObject begins with its definition, descriptors have two or three objects first.
            let definitions = [0, 16, 24].map(|at| memory.ptr(objects.after(addr, at)));
            let text = |definition: Addr| memory.ptr(definition);
            names.extend(definitions.into_iter().flatten().flat_map(text));
        }
    }
    names
}
