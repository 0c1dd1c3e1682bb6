//! `dict`, 3.15's `frozendict`, `OrderedDict`, `defaultdict`, `mappingproxy` and views
//! (Objects/dictobject.c, odictobject.c, descrobject.c, Modules/_collectionsmodule.c), `Counter`,
//! `ChainMap` and `UserDict` (Lib/collections).

use super::counter::counter;
use super::sequence::{called, data};
use super::writer::short_name;
use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::python::layout::Reprs;
use crate::python::object::{TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("dict", dict),
    ("frozendict", frozen),
    ("collections.OrderedDict", ordered),
    ("collections.defaultdict", default_dict),
    ("collections.Counter", counter),
    ("collections.ChainMap", chain_map),
    ("collections.UserDict", data),
    ("mappingproxy", proxy),
    ("dictproxy", proxy),
    ("dict_keys", |w, addr, _| {
        view(w, addr, "dict_keys", Part::Keys)
    }),
    ("dict_values", |w, addr, _| {
        view(w, addr, "dict_values", Part::Values)
    }),
    ("dict_items", |w, addr, _| {
        view(w, addr, "dict_items", Part::Items)
    }),
    ("odict_keys", |w, addr, _| {
        view(w, addr, "odict_keys", Part::Keys)
    }),
    ("odict_values", |w, addr, _| {
        view(w, addr, "odict_values", Part::Values)
    }),
    ("odict_items", |w, addr, _| {
        view(w, addr, "odict_items", Part::Items)
    }),
    ("collections.abc.MappingView", mapping_view),
    ("_abcoll.MappingView", mapping_view),
];

fn dict(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.dict_len(addr)? as usize, objects.dict_iter(addr)?);
    w.inherited(addr, ty, |w| {
        w.items(addr, ("{", "}"), total, items, Writer::pair);
    });
    Ok(())
}

fn frozen(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.dict_len(addr)? as usize, objects.dict_iter(addr)?);
    let name = short_name(ty).unwrap_or("frozendict");
    if total == 0 {
        w.push(&format!("{name}()"));
        return Ok(());
    }
    let open = format!("{name}({{");
    w.items(addr, (&open, "})"), total, items, Writer::pair);
    Ok(())
}

fn ordered(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let name = short_name(ty).unwrap_or("OrderedDict");
    let total = objects.dict_len(addr)? as usize;
    if w.is_open(addr) {
        w.push("...");
        return Ok(());
    }
    if total == 0 {
        w.push(&format!("{name}()"));
        return Ok(());
    }
    let items = objects.ordered_items(addr, w.limits.elements)?;
    if objects.layout.kinds.reprs >= Reprs::OrderedAsDict {
        let open = format!("{name}({{");
        w.items(addr, (&open, "})"), total, items, |w, item| {
            w.pair(Ok(item))
        });
        return Ok(());
    }
    let open = format!("{name}([");
    w.items(addr, (&open, "])"), total, items, |w, item| {
        two(w, addr, item)
    });
    Ok(())
}

/// A pair as a tuple, which there is no object of.
fn two(w: &mut Writer<'_>, addr: Addr, (key, value): (Addr, Addr)) {
    w.fields(addr, ("(", ")"), 2, [key, value], Writer::object);
}

fn default_dict(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.dict_len(addr)? as usize, objects.dict_iter(addr)?);
    // `default_factory` follows the dictionary.
    let factory = objects
        .memory
        .ptr(objects.layout.fields.dict.size.of(addr))?;
    let open = format!("{}(", called(w, ty, "defaultdict"));
    w.push(&open);
    // A factory can be a method of the dictionary. No object lies at an odd address, so this
    // stands for the dictionary's factory being written.
    let mark = addr.add(1);
    if factory.is_null() {
        w.push("None");
    } else if w.enter(mark) {
        w.object(factory);
        w.leave();
    } else {
        w.push("...");
    }
    w.items(addr, (", {", "})"), total, items, Writer::pair);
    w.extras(addr, ty);
    Ok(())
}

fn chain_map(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let maps = objects.attribute(addr, "maps")?;
    let maps = maps.ok_or_else(|| malformed(addr))?;
    if w.is_open(addr) {
        w.push("...");
        return Ok(());
    }
    let (total, items) = (objects.len(maps)? as usize, objects.item_iter(maps)?);
    let open = format!("{}(", short_name(ty).unwrap_or("ChainMap"));
    w.items(addr, (&open, ")"), total, items, Writer::item);
    Ok(())
}

fn proxy(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let mapping = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    w.push(match w.objects.layout.kinds.reprs {
        Reprs::SetOfList => "dict_proxy(",
        _ => "mappingproxy(",
    });
    w.within(addr, mapping);
    w.push(")");
    Ok(())
}

/// What a view shows of each item.
#[derive(Clone, Copy)]
enum Part {
    Keys,
    Values,
    Items,
}

fn view(w: &mut Writer<'_>, addr: Addr, name: &str, part: Part) -> Result<(), Fault> {
    let objects = w.objects;
    let dict = objects.memory.ptr(objects.after(addr, 0))?;
    let total = objects.dict_len(dict)? as usize;
    if w.is_open(addr) {
        w.push("...");
        return Ok(());
    }
    let open = format!("{name}([");
    let one = |w: &mut Writer<'_>, item: Result<(Addr, Addr), Fault>| match (item, part) {
        (Ok((key, _)), Part::Keys) => w.object(key),
        (Ok((_, value)), Part::Values) => w.object(value),
        (Ok(item), Part::Items) => two(w, addr, item),
        (Err(fault), _) => w.gap(fault),
    };
    match name.starts_with('o') {
        true => {
            let items = objects.ordered_items(dict, w.limits.elements)?;
            w.items(addr, (&open, "])"), total, items.into_iter().map(Ok), one);
        }
        false => w.items(addr, (&open, "])"), total, objects.dict_iter(dict)?, one),
    }
    Ok(())
}

/// `KeysView` and its kin, which are written in Python.
fn mapping_view(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let mapping = w.objects.getattr(addr, "_mapping")?;
    let mapping = mapping.ok_or_else(|| malformed(addr))?;
    w.push(short_name(ty).unwrap_or("MappingView"));
    w.push("(");
    w.within(addr, mapping.value);
    w.push(")");
    Ok(())
}
