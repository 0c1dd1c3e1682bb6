//! Weak references and proxies (Objects/weakrefobject.c), and the containers made of them
//! (Lib/weakref.py, Lib/_weakrefset.py).

use super::Decoders;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{TypeInfo, flags, malformed};
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
    let class_name = w.objects.c_name(&class);
    if &*class_name == "NoneType" {
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

/// `__name__` of what is no class.
fn own_name(w: &Writer<'_>, object: Addr) -> Result<Option<String>, Fault> {
    let objects = w.objects;
    let ty = objects.type_of(object)?;
    let name = match &*objects.full_name(&ty) {
        "function" => {
            let name = objects.layout.fields.function.name.of(object);
            return objects.name_text(objects.memory.ptr(name)?).map(Some);
        }
        "builtin_function_or_method" | "builtin_method" => {
            return super::function::builtin_name(objects, object).map(Some);
        }
        "module" => objects.attribute(object, "__name__")?,
        _ => objects
            .getattr(object, "__name__")?
            .map(|found| found.value),
    };
    Ok(name.and_then(|name| objects.name_text(name).ok()))
}

/// `<weakproxy at 0x7f…; to 'A' at 0x7f…>`.
fn proxy(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let target = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let class = w.objects.c_name(&*w.objects.type_of(target)?);
    w.push(&match w.objects.has(Change::QuotedProxies) {
        true if &*class == "NoneType" => format!("<weakproxy at {addr}; dead>"),
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
