//! Weak references and proxies (Objects/weakrefobject.c), and the containers made of them
//! (Lib/weakref.py, Lib/_weakrefset.py).

use super::Decoders;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("weakref", reference),
    ("weakref.ReferenceType", reference),
    ("weakproxy", proxy),
    ("weakcallableproxy", proxy),
    ("weakref.ProxyType", proxy),
    ("weakref.CallableProxyType", proxy),
    ("weakref.WeakKeyDictionary", weak_dictionary),
    ("weakref.WeakValueDictionary", weak_dictionary),
    ("_weakrefset.WeakSet", weak_set),
];

/// `<weakref at 0x7f…; to 'A' at 0x7f…>`, `<weakref at 0x7f…; to 'function' at 0x7f… (f)>`,
/// `<weakref at 0x7f…; dead>`.
fn reference(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let target = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let class = w.objects.type_of(target)?;
    let class_name = target_name(w.objects, &class);
    if class_name == "NoneType" {
        w.push(&format!("<weakref at {addr}; dead>"));
        return Ok(());
    }
    w.push(&format!(
        "<weakref at {addr}; to '{class_name}' at {target}"
    ));
    let name = match class.is(flags::TYPE) {
        true => Some(w.objects.short_name(&*w.objects.type_at(target)?)),
        false => own_name(w, target)?,
    };
    if let Some(name) = name {
        w.push(&format!(" ({name})"));
    }
    w.push(">");
    Ok(())
}

/// How the class of a target is called.
fn target_name(objects: &Objects, class: &TypeInfo) -> String {
    match objects.has(Change::QuotedProxies) {
        true => {
            let name = objects.full_name(class);
            name.strip_prefix("__main__.").unwrap_or(&name).to_owned()
        }
        false => objects.c_name(class).to_string(),
    }
}

/// `__name__` of what is no class; from 3.11 on only what its class defines, not what the object
/// itself has.
fn own_name(w: &Writer<'_>, object: Addr) -> Result<Option<String>, Fault> {
    let objects = w.objects;
    let ty = objects.type_of(object)?;
    let name = match &*objects.full_name(&ty) {
        "function" => Some(objects.layout.fields.function.name.of(object)),
        "generator" | "coroutine" | "async_generator" => {
            Some(super::execution::generator_name(objects, object)?)
        }
        "builtin_function_or_method" | "builtin_method" => {
            return super::function::builtin_name(objects, object).map(Some);
        }
        "method" | "instancemethod" if !objects.has(Change::NamesOfClassesOnly) => {
            let function = objects.memory.ptr(objects.after(object, 0))?;
            let function_type = objects.type_of(function)?;
            let is_function = *objects.full_name(&function_type) == *"function";
            is_function.then(|| objects.layout.fields.function.name.of(function))
        }
        _ => {
            let name = match objects.has(Change::NamesOfClassesOnly) {
                true => objects
                    .class_attribute(&ty, "__name__")
                    .map(|(name, _)| name),
                false => objects
                    .getattr(object, "__name__")?
                    .map(|found| found.value),
            };
            return Ok(name.and_then(|name| objects.name_text(name).ok()));
        }
    };
    match name {
        Some(name) => objects.name_text(objects.memory.ptr(name)?).map(Some),
        None => Ok(None),
    }
}

/// `<weakproxy at 0x7f…; to 'A' at 0x7f…>`.
fn proxy(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let target = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let class = target_name(w.objects, &*w.objects.type_of(target)?);
    w.push(&match w.objects.has(Change::QuotedProxies) {
        true if class == "NoneType" => format!("<weakproxy at {addr}; dead>"),
        true => format!("<weakproxy at {addr}; to '{class}' at {target}>"),
        false => format!("<weakproxy at {addr} to {class} at {target}>"),
    });
    Ok(())
}

/// `<WeakKeyDictionary at 0x7f…>`.
fn weak_dictionary(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let name = w.objects.short_name(ty);
    w.push(&format!("<{name} at {addr}>"));
    Ok(())
}

/// The set of references inside, from 3.7 on.
fn weak_set(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let data = w.objects.attribute(addr, "data")?;
    let data = data.ok_or_else(|| malformed(addr))?;
    match w.enter(addr) {
        true => {
            w.object(data);
            w.leave();
        }
        false => w.left_out("..."),
    }
    Ok(())
}
