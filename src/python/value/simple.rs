//! Small builtin objects: `None`, `Ellipsis`, `NotImplemented`, `range` and 2.7's `xrange`, `slice`,
//! cells, and 3.15's sentinels and imports that have not happened yet (Objects/rangeobject.c,
//! sliceobject.c, cellobject.c, sentinelobject.c, lazyimportobject.c).

use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("NoneType", none),
    ("ellipsis", ellipsis),
    ("NotImplementedType", not_implemented),
    ("range", range),
    ("xrange", xrange),
    ("slice", slice),
    ("cell", cell),
    ("sentinel", sentinel),
    ("lazy_import", lazy_import),
];

/// The longest name that is written whole, in characters.
const LONGEST_NAME: u64 = 1000;

fn none(w: &mut Writer<'_>, _: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push("None");
    Ok(())
}

fn ellipsis(w: &mut Writer<'_>, _: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push("Ellipsis");
    Ok(())
}

fn not_implemented(w: &mut Writer<'_>, _: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push("NotImplemented");
    Ok(())
}

/// `range(0, 5)`, with the step unless it is 1.
fn range(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let f = w.objects.layout.fields.range;
    let memory = &w.objects.memory;
    let start = memory.ptr(f.start.of(addr))?;
    let stop = memory.ptr(f.stop.ok_or_else(|| malformed(addr))?.of(addr))?;
    let step = memory.ptr(f.step.of(addr))?;
    let parts = match w.objects.int(step) {
        Ok(1) => vec![start, stop],
        _ => vec![start, stop, step],
    };
    w.items(addr, ("range(", ")"), parts.len(), parts, Writer::object);
    Ok(())
}

/// 2.7's `xrange` holds C numbers, and its length instead of its end.
fn xrange(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let f = w.objects.layout.fields.range;
    let number = |field: crate::python::layout::Field| w.objects.memory.i64(field.of(addr));
    let (start, step, length) = (number(f.start)?, number(f.step)?, number(f.length)?);
    let stop = start.wrapping_add(length.wrapping_mul(step));
    let text = match (start, step) {
        (0, 1) => format!("xrange({stop})"),
        (_, 1) => format!("xrange({start}, {stop})"),
        _ => format!("xrange({start}, {stop}, {step})"),
    };
    w.push(&text);
    Ok(())
}

fn slice(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let parts = w.objects.pointers(w.objects.after(addr, 0), 3)?;
    w.items(addr, ("slice(", ")"), 3, parts, Writer::object);
    Ok(())
}

/// `<cell at 0x7f…: int object at 0x7f…>`, with what is in it where attributes are wanted.
fn cell(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let contents = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    if contents.is_null() {
        w.push(&format!("<cell at {addr}: empty>"));
        return Ok(());
    }
    let ty = w.objects.type_of(contents)?;
    let name = match &ty.name {
        Some(name) => name.clone(),
        None => w.objects.full_name(&ty).to_string(),
    };
    w.push(&format!("<cell at {addr}: {name} object at {contents}"));
    if w.limits.attributes && w.enter(addr) {
        w.push(" (cell_contents=");
        w.object(contents);
        w.push(")");
        w.leave();
    }
    w.push(">");
    Ok(())
}

/// A sentinel is written as its maker said, else by its name; both without quotes.
fn sentinel(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    /// `name` and `repr` behind the header; `module` is between.
    const NAME: u64 = 0;
    const REPR: u64 = 16;
    let objects = w.objects;
    let name = objects.memory.ptr(objects.after(addr, NAME))?;
    let repr = objects.memory.ptr(objects.after(addr, REPR))?;
    let text = match repr.is_null() {
        true => name,
        false => repr,
    };
    let text = objects.text(text, LONGEST_NAME)?;
    w.push(&text.value);
    w.rest(text.left_out, "character");
    Ok(())
}

/// `<lazy_import 'json.dumps'>`: what a name stands for that has not been used yet.
fn lazy_import(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let name = imported(w.objects, addr, 0)?;
    w.push(&format!("<lazy_import '{name}'>"));
    Ok(())
}

/// The name of what is imported. `from` is a name, or the import that this one takes an attribute
/// of; `attribute` is a name, or the tuple of all names that `from … import` takes.
fn imported(objects: &Objects, addr: Addr, depth: usize) -> Result<String, Fault> {
    /// `lz_from` and `lz_attr` behind the header.
    const FROM: u64 = 8;
    const ATTRIBUTE: u64 = 16;
    const DEEPEST: usize = 100;
    let text = |at: Addr| objects.text(at, LONGEST_NAME).map(|text| text.value);
    let from = objects.memory.ptr(objects.after(addr, FROM))?;
    let attribute = objects.memory.ptr(objects.after(addr, ATTRIBUTE))?;
    let from_type = objects.type_of(from)?;
    let mut name = if from_type.is(flags::STR) {
        text(from)?
    } else if depth < DEEPEST && *objects.full_name(&from_type) == *"lazy_import" {
        let outer = objects.memory.ptr(objects.after(from, ATTRIBUTE))?;
        let mut name = imported(objects, from, depth + 1)?;
        if outer.is_null() {
            // `import a.b as c` takes b from what `import a.b` gives, which is a.
            name.truncate(name.find('.').unwrap_or(name.len()));
        }
        name.truncate(name.trim_end_matches("...").len());
        name
    } else {
        return Err(malformed(from));
    };
    if attribute.is_null() {
        return Ok(name);
    }
    if objects.type_of(attribute)?.is(flags::STR) {
        name.push('.');
        name.push_str(&text(attribute)?);
    } else {
        name.push_str("...");
    }
    Ok(name)
}
