//! Named tuples (Lib/collections), struct sequences (Objects/structseq.c), `SimpleNamespace`
//! (Objects/namespaceobject.c).

use super::writer::short_name;
use super::{Decoder, Decoders, Writer};
use crate::addr::Addr;
use crate::python::layout::Reprs;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("types.SimpleNamespace", namespace)];

/// The longest name of a field that is written whole.
const LONGEST_NAME: u64 = 200;

/// The most fields of a named tuple.
const MOST_FIELDS: usize = 1 << 16;

/// Finds the decoder of a class made by `namedtuple`, `NamedTuple`, or as a struct sequence.
pub(super) fn probe(objects: &Objects, class: &Arc<TypeInfo>) -> Option<Decoder> {
    let dict = objects.type_dict(class)?;
    let own = |name: &str| objects.dict_get(dict, name).ok()?;
    if class.is(flags::TUPLE) && own("_fields").is_some() {
        return is_generated(objects, own("__repr__")?).then_some(named_tuple as Decoder);
    }
    let repr = objects.type_of(own("__repr__")?).ok()?;
    let wrapper = !repr.is_heap() && repr.may_be("wrapper_descriptor");
    (wrapper && objects.is_struct_sequence(class)).then_some(struct_sequence as Decoder)
}

/// Whether this function is the `__repr__` that `namedtuple` gives a class: of its module, up to
/// 3.6 of a namespace made for the class.
fn is_generated(objects: &Objects, repr: Addr) -> bool {
    let function = objects.type_of(repr);
    if !function.is_ok_and(|ty| !ty.is_heap() && ty.may_be("function")) {
        return false;
    }
    let globals = objects.layout.fields.function.globals.of(repr);
    let Ok(globals) = objects.memory.ptr(globals) else {
        return false;
    };
    let name = objects.dict_get(globals, "__name__").ok().flatten();
    let name = name.and_then(|name| objects.text(name, LONGEST_NAME).ok());
    name.is_some_and(|name| name.value == "collections" || name.value.starts_with("namedtuple_"))
}

fn named_tuple(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let wrong = || malformed(addr);
    let (fields, class) = objects.class_attribute(ty, "_fields").ok_or_else(wrong)?;
    let fields = objects.tuple_items(fields, MOST_FIELDS)?;
    // In 2.7 the name is a part of the generated code, and subclasses are called by it.
    let fixed = objects.layout.kinds.reprs == Reprs::SetOfList && !w.limits.attributes;
    let class = if fixed { &class } else { ty };
    let (total, items) = (objects.len(addr)? as usize, objects.item_iter(addr)?);
    let open = format!("{}(", short_name(class).unwrap_or("?"));
    w.fields(
        addr,
        (&open, ")"),
        total,
        fields.into_iter().zip(items),
        field,
    );
    w.extras(addr, ty);
    Ok(())
}

/// `name=value`.
fn field(w: &mut Writer<'_>, (name, value): (Addr, Result<Addr, Fault>)) {
    match w.objects.text(name, LONGEST_NAME) {
        Ok(name) => w.push(&name.value),
        Err(fault) => w.unreadable(name, fault),
    }
    w.push("=");
    w.item(value);
}

/// The visible fields of a struct sequence by the names of its members, whose order is that of
/// their offsets; unnamed fields make the values run ahead of the names, as in `repr`.
fn struct_sequence(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let dict = objects.type_dict(ty).ok_or_else(|| malformed(addr))?;
    let mut names: Vec<(u64, Addr)> = objects
        .dict_items(dict)?
        .into_iter()
        .filter_map(|(name, member)| Some((objects.slot_offset(member)?, name)))
        .collect();
    names.sort_unstable();
    let (total, items) = (
        objects.unsigned_size(addr)? as usize,
        objects.item_iter(addr)?,
    );
    let open = match &ty.name {
        Some(name) => format!("{name}("),
        None => format!("{}(", objects.full_name(ty)),
    };
    let names = names.into_iter().map(|(_, name)| name);
    w.fields(addr, (&open, ")"), total, names.zip(items), field);
    Ok(())
}

fn namespace(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let mut items = objects.namespace(addr)?;
    if objects.layout.kinds.reprs < Reprs::InOrder {
        let name = |item: &(Addr, Addr)| objects.text(item.0, LONGEST_NAME).ok();
        items.sort_by_cached_key(|item| name(item).map(|text| text.value));
    }
    let open = match ty.is_heap() {
        true => format!("{}(", ty.name.as_deref().unwrap_or("?")),
        false => "namespace(".to_owned(),
    };
    let items: Vec<_> = items
        .into_iter()
        .map(|(name, value)| (name, Ok(value)))
        .collect();
    w.items(addr, (&open, ")"), items.len(), items, field);
    Ok(())
}
