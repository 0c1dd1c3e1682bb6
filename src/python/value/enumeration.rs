//! Members of enums and flags (Lib/enum.py).

use super::Decoder;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// Recognises a class whose `__repr__` is that of `enum.Enum` or `enum.Flag`, its own or given to
/// it by the metaclass.
pub(super) fn probe(objects: &Objects, class: &Arc<TypeInfo>) -> Option<Decoder> {
    let repr = objects.own_attribute(class, "__repr__")?;
    let ty = objects.type_of(repr).ok()?;
    if *objects.full_name(&ty) != *"function" {
        return None;
    }
    let f = &objects.layout.fields.function;
    let module = objects.memory.ptr(f.module.of(repr)).ok()?;
    let qualname = objects.memory.ptr(f.qualname?.of(repr)).ok()?;
    let is_its = objects.is_text(module, "enum")
        && (objects.is_text(qualname, "Enum.__repr__")
            || objects.is_text(qualname, "Flag.__repr__"));
    is_its.then_some(member as Decoder)
}

/// `<Color.RED: 1>`, `<Permission.R|W: 6>`, `<Permission: 0>`.
fn member(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let value = attribute(objects, addr, "_value_")?;
    let name = attribute(objects, addr, "_name_")?;
    let class = objects.short_name(ty);
    w.push(&format!("<{class}"));
    if !is_none(objects, name)? {
        w.push(".");
        w.plain(name)?;
    } else if objects.class_attribute(ty, "_value_repr_").is_none() {
        // Up to 3.10 a composite flag without a name is written with its parts.
        let parts = parts(objects, objects.int(value)?, ty)?;
        w.push(&format!(".{}", parts.join("|")));
    }
    w.push(": ");
    match w.enter(addr) {
        true => {
            w.object(value);
            w.leave();
        }
        false => w.left_out("..."),
    }
    w.push(">");
    Ok(())
}

fn attribute(objects: &Objects, member: Addr, name: &str) -> Result<Addr, Fault> {
    let value = objects.attribute(member, name)?;
    value.ok_or_else(|| malformed(member))
}

fn is_none(objects: &Objects, value: Addr) -> Result<bool, Fault> {
    Ok(*objects.full_name(&*objects.type_of(value)?) == *"NoneType")
}

/// One member of a flag: its value, and its name if it has one.
struct Part {
    value: i128,
    name: Option<String>,
}

impl Part {
    fn is_in(&self, value: i128) -> bool {
        self.value != 0 && self.value & value == self.value
    }
}

/// The parts of a composite flag, as `_decompose` finds them.
fn parts(objects: &Objects, value: i128, class: &Arc<TypeInfo>) -> Result<Vec<String>, Fault> {
    const MOST: usize = 4096;
    let by_value = objects.class_attribute(class, "_value2member_map_");
    let (by_value, _) = by_value.ok_or_else(|| malformed(class.addr))?;
    let mut all = Vec::new();
    for (_, member) in objects.dict_items(by_value)?.into_iter().take(MOST) {
        let name = attribute(objects, member, "_name_")?;
        let name = match is_none(objects, name)? {
            true => None,
            false => Some(objects.name_text(name)?),
        };
        let value = objects.int(attribute(objects, member, "_value_")?)?;
        all.push(Part { value, name });
    }
    let single = |part: &&Part| part.value > 0 && part.value & (part.value - 1) == 0;
    let mut chosen: Vec<&Part> = all
        .iter()
        .filter(|part| part.name.is_some() && part.is_in(value))
        .collect();
    let covered = chosen.iter().fold(0, |bits, part| bits | part.value);
    if value >= 0 {
        let left = match objects.has(Change::CanonicalFlags) {
            true => value & !covered,
            false => value,
        };
        let unnamed = all.iter().filter(|part| part.name.is_none());
        chosen.extend(unnamed.filter(single).filter(|part| part.is_in(left)));
    }
    if chosen.is_empty() {
        chosen.extend(all.iter().find(|part| part.value == value));
    }
    chosen.sort_by_key(|part| std::cmp::Reverse(part.value));
    if chosen.len() > 1 && chosen.first().is_some_and(|part| part.value == value) {
        chosen.remove(0);
    }
    let text = |part: &Part| part.name.clone().unwrap_or_else(|| part.value.to_string());
    Ok(chosen.into_iter().map(text).collect())
}
