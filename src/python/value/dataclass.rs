//! Dataclasses (Lib/dataclasses.py): their generated `__repr__` names the fields, in order, in its
//! code, so the code tells both that it is such a one and what it writes.

use super::Decoder;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The most fields of one class.
const MOST_FIELDS: usize = 4096;

/// Recognises a class whose own `__repr__` the module generated.
pub(super) fn probe(objects: &Objects, class: &Arc<TypeInfo>) -> Option<Decoder> {
    objects.own_attribute(class, "__dataclass_fields__")?;
    fields(objects, class).map(|_| dataclass as Decoder)
}

/// The names of the fields that the generated `__repr__` of a class writes. It is made of the text
/// `return self.__class__.__qualname__ + f"(x={self.x!r}, …)"` by `exec`, and wrapped against
/// recursion, so its code uses these attributes and no others.
fn fields(objects: &Objects, class: &TypeInfo) -> Option<Vec<Addr>> {
    const LONGEST: u64 = 64;
    let repr = objects.own_attribute(class, "__repr__")?;
    let ty = objects.type_of(repr).ok()?;
    if *objects.full_name(&ty) != *"function" {
        return None;
    }
    let f = &objects.layout.fields;
    let attributes = objects.memory.ptr(f.function.dict.of(repr)).ok()?;
    let inner = objects.dict_get(attributes, "__wrapped__").ok()??;
    let ty = objects.type_of(inner).ok()?;
    if *objects.full_name(&ty) != *"function" {
        return None;
    }
    let code = objects.memory.ptr(f.function.code.of(inner)).ok()?;
    let file = objects.memory.ptr(f.code.filename.of(code)).ok()?;
    if objects.text(file, LONGEST).ok()?.value != "<string>" {
        return None;
    }
    let names = objects.memory.ptr(f.code.names.of(code)).ok()?;
    let names = objects.tuple_items(names, MOST_FIELDS).ok()?;
    let [class_name, qualname, fields @ ..] = &*names else {
        return None;
    };
    let generated =
        objects.is_text(*class_name, "__class__") && objects.is_text(*qualname, "__qualname__");
    generated.then(|| fields.to_vec())
}

/// `Point(x=1, y=2)`.
fn dataclass(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let fields = {
        let mro = w.objects.mro(ty);
        let fields = mro.iter().find_map(|class| fields(w.objects, class));
        fields.ok_or_else(|| malformed(addr))?
    };
    if !w.enter(addr) {
        match w.is_open(addr) {
            true => w.push("..."),
            false => w.left_out("..."),
        }
        return Ok(());
    }
    let name = w.objects.type_qualname(ty);
    w.push(&format!("{name}("));
    for (index, field) in fields.iter().enumerate() {
        w.push(if index > 0 { ", " } else { "" });
        if w.is_full() || index >= w.limits.elements {
            w.left_out(&format!("{} more", fields.len() - index));
            break;
        }
        let name = w.objects.name_text(*field)?;
        w.push(&format!("{name}="));
        match w.objects.getattr(addr, &name)? {
            Some(found) => w.object(found.value),
            None => w.push("<no such attribute>"),
        }
    }
    w.push(")");
    w.leave();
    Ok(())
}
