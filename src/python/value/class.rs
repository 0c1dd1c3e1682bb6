//! Classes themselves: `type_repr` (Objects/typeobject.c), the metaclass of enums (Lib/enum.py),
//! 2.7's old-style classes and their instances (Objects/classobject.c), and what is made of
//! classes: `list[int]` (Objects/genericaliasobject.c), `int | str` (Objects/unionobject.c).

use super::Decoders;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("type", class),
    ("enum.EnumMeta", enum_class),
    ("enum.EnumType", enum_or_flag),
    ("classobj", old_class),
    ("instance", old_instance),
    ("types.GenericAlias", generic_alias),
    ("types.UnionType", union),
    ("typing.Union", union),
];

/// `<class 'app.Account'>`; in 2.7 `<type 'int'>` for static types.
fn class(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let class = w.objects.type_at(addr)?;
    let kind = match class.is_heap() || w.objects.has(Change::Python3) {
        true => "class",
        false => "type",
    };
    let name = w.objects.full_name(&class);
    w.push(&format!("<{kind} '{name}'>"));
    Ok(())
}

/// `<enum 'Color'>`, as up to 3.10.
fn enum_class(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    named(w, addr, "enum")
}

/// `<enum 'Color'>` or `<flag 'Permission'>`, as from 3.11 on.
fn enum_or_flag(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let class = w.objects.type_at(addr)?;
    let kind = match w.objects.is_a(&class, "enum.Flag") {
        true => "flag",
        false => "enum",
    };
    named(w, addr, kind)
}

fn named(w: &mut Writer<'_>, class: Addr, kind: &str) -> Result<(), Fault> {
    let name = w.objects.layout.fields.type_object.heap_name;
    let name = w.objects.memory.ptr(name.of(class))?;
    w.push(&format!("<{kind} "));
    w.object(name);
    w.push(">");
    Ok(())
}

/// `<class app.Old at 0x7f…>`: a `PyClassObject`.
fn old_class(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let name = old_name(w, addr)?;
    w.push(&format!("<class {name} at {addr}>"));
    Ok(())
}

/// `<app.Old instance at 0x7f…>`.
fn old_instance(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let instance = w.objects.layout.fields.instance.as_ref();
    let class = instance.ok_or_else(|| malformed(addr))?.class.of(addr);
    let name = old_name(w, w.objects.memory.ptr(class)?)?;
    w.push(&format!("<{name} instance at {addr}"));
    if w.limits.attributes && w.enter(addr) {
        let attributes = w.objects.namespace(addr);
        w.attributes(attributes);
        w.leave();
    }
    w.push(">");
    Ok(())
}

/// The name of an old-style class with its module.
fn old_name(w: &Writer<'_>, class: Addr) -> Result<String, Fault> {
    // PyClassObject: bases, dict, name
    let ty = w.objects.type_of(class)?;
    if *w.objects.full_name(&ty) != *"classobj" {
        return Err(malformed(class));
    }
    let dict = w.objects.memory.ptr(w.objects.after(class, 8))?;
    let name = w.objects.memory.ptr(w.objects.after(class, 16))?;
    let name = w.objects.name_text(name)?;
    let module = w.objects.dict_get(dict, "__module__")?;
    let module = module.and_then(|module| w.objects.name_text(module).ok());
    Ok(format!("{}.{name}", module.as_deref().unwrap_or("?")))
}

/// `list[int]`, `dict[str, list[int]]`, `*tuple[int, ...]`.
fn generic_alias(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // gaobject: origin, args, parameters, weakreflist, starred (3.11+)
    let raw = w.objects.memory.bytes(w.objects.after(addr, 0), 40)?;
    let word = |at| crate::bytes::u64_at(&raw, at).map(Addr);
    let (Some(origin), Some(args)) = (word(0), word(8)) else {
        return Err(malformed(addr));
    };
    if crate::bytes::u8_at(&raw, 32) == Some(1) && w.objects.has(Change::StarredAliases) {
        w.push("*");
    }
    part(w, origin)?;
    arguments(w, addr, args, ("[", "]"), ", ", part)
}

/// `int | None`.
fn union(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // unionobject: args first
    let args = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    arguments(w, addr, args, ("", ""), " | ", |w, arg| {
        let is_none_type = w.objects.type_of(arg)?.is(flags::TYPE)
            && *w.objects.full_name(&*w.objects.type_at(arg)?) == *"NoneType";
        match is_none_type {
            true => w.push("None"),
            false => part(w, arg)?,
        }
        Ok(())
    })
}

/// The arguments of an alias or union, within its own brackets and with its own separator.
fn arguments(
    w: &mut Writer<'_>,
    addr: Addr,
    args: Addr,
    (open, close): (&str, &str),
    separator: &str,
    part: fn(&mut Writer<'_>, Addr) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let total = usize::try_from(w.objects.var_size(args)?).map_err(|_| malformed(args))?;
    let most = w.limits.elements.min(1 << 16);
    let items = w.objects.tuple_items(args, most)?;
    w.push(open);
    if !w.enter(addr) {
        w.left_out(&format!("{total} arguments"));
        w.push(close);
        return Ok(());
    }
    if total == 0 {
        w.push("()");
    }
    for (index, item) in items.iter().enumerate() {
        if w.is_full() {
            break;
        }
        w.push(if index > 0 { separator } else { "" });
        part(w, *item)?;
    }
    if items.len() < total {
        w.push(separator);
        w.left_out(&format!("{} more", total - items.len()));
    }
    w.leave();
    w.push(close);
    Ok(())
}

/// A part of an alias: a class by its name, `...` for an ellipsis, anything else as it is.
fn part(w: &mut Writer<'_>, part: Addr) -> Result<(), Fault> {
    let ty = w.objects.type_of(part)?;
    if ty.is(flags::TYPE) {
        let class = w.objects.type_at(part)?;
        let name = w.objects.full_name(&class);
        w.push(&name);
    } else if *w.objects.full_name(&ty) == *"ellipsis" {
        w.push("...");
    } else {
        w.object(part);
    }
    Ok(())
}
