//! Functions, methods, builtins and what classes keep them in: Objects/funcobject.c,
//! Objects/methodobject.c, Objects/classobject.c, Objects/descrobject.c, Objects/typeobject.c
//! (`super`), Modules/_functoolsmodule.c.

use super::Decoders;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::escape::lossy;
use crate::python::names;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("function", function),
    ("method", method),
    ("instancemethod", method),
    ("builtin_function_or_method", builtin),
    ("builtin_method", builtin),
    ("wrapper_descriptor", slot_wrapper),
    ("method_descriptor", method_descriptor),
    ("classmethod_descriptor", method_descriptor),
    ("getset_descriptor", attribute),
    ("member_descriptor", member),
    ("method-wrapper", method_wrapper),
    ("classmethod", wrapped_callable),
    ("staticmethod", wrapped_callable),
    ("super", super_object),
    ("functools.partial", partial),
    ("functools.partialmethod", partial_method),
];

/// `<function A.f at 0x7f…>`.
fn function(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push("<function ");
    w.name_of(addr)?;
    w.push(&format!(" at {addr}>"));
    Ok(())
}

/// `<bound method A.f of <app.A object at 0x7f…>>`; in 2.7 with the class looked through.
fn method(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // PyMethodObject: function, self, in 2.7 class
    let function = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let bound = w.objects.memory.ptr(w.objects.after(addr, 8))?;
    w.push(match bound.is_null() {
        true => "<unbound method ",
        false => "<bound method ",
    });
    if !w.objects.has(Change::Python3) {
        let class = w.objects.memory.ptr(w.objects.after(addr, 16))?;
        old_class_name(w, class)?;
        w.push(".");
    }
    w.name_of(function)?;
    if !bound.is_null() {
        w.push(" of ");
        inside(w, addr, bound);
    }
    w.push(">");
    Ok(())
}

/// The name of the class of a method of 2.7, which may be an old-style class.
fn old_class_name(w: &mut Writer<'_>, class: Addr) -> Result<(), Fault> {
    if class.is_null() {
        w.push("?");
        return Ok(());
    }
    let ty = w.objects.type_of(class)?;
    match *w.objects.full_name(&ty) == *"classobj" {
        true => {
            let name = w.objects.memory.ptr(w.objects.after(class, 16))?;
            w.plain(name)
        }
        false => w.name_of(class),
    }
}

/// An object within another one that no bracket of its own surrounds.
fn inside(w: &mut Writer<'_>, outer: Addr, object: Addr) {
    match w.enter(outer) {
        true => {
            w.object(object);
            w.leave();
        }
        false => w.left_out("..."),
    }
}

/// `<built-in function len>`, `<built-in method append of list object at 0x7f…>`.
fn builtin(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let name = builtin_name(w.objects, addr)?;
    let bound = w.objects.memory.ptr(w.objects.after(addr, 8))?;
    if bound.is_null() {
        w.push(&format!("<built-in function {name}>"));
        return Ok(());
    }
    let ty = w.objects.type_of(bound)?;
    match w.objects.is_a(&ty, "module") {
        true => w.push(&format!("<built-in function {name}>")),
        false => {
            let class = w.objects.c_name(&ty);
            w.push(&format!(
                "<built-in method {name} of {class} object at {bound}>"
            ));
        }
    }
    Ok(())
}

/// The name of a builtin: `ml_name` of its `PyMethodDef`, a constant of the binary; where a core
/// lacks that, the name by which its module or the class of its `self` has it.
pub(super) fn builtin_name(objects: &Objects, addr: Addr) -> Result<String, Fault> {
    // PyCFunctionObject: method definition, self, module
    const LONGEST_NAME: usize = 1024;
    let definition = objects.memory.ptr(objects.after(addr, 0))?;
    let name = objects.memory.ptr(definition);
    let fault = match name.and_then(|name| objects.memory.cstr(name, LONGEST_NAME)) {
        Ok(name) => return Ok(lossy(&name)),
        Err(fault) => fault,
    };
    let bound = objects.memory.ptr(objects.after(addr, 8))?;
    // A function of 2.7 has no `self`, but the name of its module.
    let namespace = if bound.is_null() {
        let module = objects.memory.ptr(objects.after(addr, 16))?;
        let interpreter = objects.interpreter.get().ok_or(fault)?;
        let module = objects.name_text(module)?;
        Some(names::module(objects, *interpreter, &module)?.ok_or(fault)?)
    } else if objects.is_a(&objects.type_of(bound)?, "module") {
        let namespace = objects.layout.fields.module.dict.of(bound);
        Some(objects.memory.ptr(namespace)?)
    } else {
        None
    };
    if let Some(namespace) = namespace {
        let items = objects.dict_items(namespace)?.into_iter();
        let mut items = items.filter(|(_, value)| *value == addr);
        let name = items.find_map(|(key, _)| objects.name_text(key).ok());
        return name.ok_or(fault);
    }
    let ty = objects.type_of(bound)?;
    let class = match ty.is(flags::TYPE) {
        true => objects.type_at(bound)?,
        false => ty,
    };
    let described = objects.layout.fields.descriptor.member;
    for class in objects.mro(&class).iter() {
        let dict = objects.type_dict(class);
        let items = dict.and_then(|dict| objects.dict_items(dict).ok());
        for (key, value) in items.unwrap_or_default() {
            let defined = objects.memory.ptr(described.of(value));
            let is_method =
                |ty: Arc<TypeInfo>| objects.full_name(&ty).ends_with("method_descriptor");
            // `__new__` is kept as it is, other methods as descriptors.
            if value == addr
                || defined == Ok(definition) && objects.type_of(value).is_ok_and(is_method)
            {
                return objects.name_text(key);
            }
        }
    }
    Err(fault)
}

/// `<slot wrapper '__add__' of 'int' objects>`.
fn slot_wrapper(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    descriptor(w, addr, "slot wrapper")
}

/// `<method 'append' of 'list' objects>`.
fn method_descriptor(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    descriptor(w, addr, "method")
}

/// `<attribute 'real' of 'int' objects>`.
fn attribute(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    descriptor(w, addr, "attribute")
}

/// `<member 'x' of 'A' objects>`.
fn member(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    descriptor(w, addr, "member")
}

fn descriptor(w: &mut Writer<'_>, addr: Addr, kind: &str) -> Result<(), Fault> {
    let f = &w.objects.layout.fields.descriptor;
    let owner = w.objects.memory.ptr(f.owner.of(addr))?;
    let name = w.objects.memory.ptr(f.name.of(addr))?;
    let owner = w.objects.c_name(&*w.objects.type_at(owner)?);
    w.push(&format!("<{kind} '"));
    w.plain(name)?;
    match &*owner == "object" && w.objects.has(Change::DescriptorsOfAll) {
        true => w.push("'>"),
        false => w.push(&format!("' of '{owner}' objects>")),
    }
    Ok(())
}

/// `<method-wrapper '__add__' of int object at 0x7f…>`.
fn method_wrapper(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // wrapperobject: descriptor, self
    let descriptor = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let bound = w.objects.memory.ptr(w.objects.after(addr, 8))?;
    let name = w.objects.layout.fields.descriptor.name.of(descriptor);
    let name = w.objects.memory.ptr(name)?;
    let class = w.objects.c_name(&*w.objects.type_of(bound)?);
    w.push("<method-wrapper '");
    w.plain(name)?;
    w.push(&format!("' of {class} object at {bound}>"));
    Ok(())
}

/// `<staticmethod(<function A.f at 0x7f…>)>`, from 3.10 on.
fn wrapped_callable(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let callable = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let kind = match w.objects.is_a(ty, "staticmethod") {
        true => "staticmethod",
        false => "classmethod",
    };
    w.push(&format!("<{kind}("));
    inside(w, addr, callable);
    w.push(")>");
    Ok(())
}

/// `<super: <class 'A'>, <A object>>`.
fn super_object(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // superobject: type, object, type of the object
    let name = |at: u64| -> Result<Option<Arc<str>>, Fault> {
        let class = w.objects.memory.ptr(w.objects.after(addr, at))?;
        Ok(match class.is_null() {
            true => None,
            false => Some(w.objects.c_name(&*w.objects.type_at(class)?)),
        })
    };
    let class = name(0)?;
    let bound = name(16)?;
    w.push(&format!(
        "<super: <class '{}'>, ",
        class.as_deref().unwrap_or("NULL")
    ));
    match bound {
        Some(bound) => w.push(&format!("<{bound} object>>")),
        None => w.push("NULL>"),
    }
    Ok(())
}

/// `functools.partial(<function f at 0x7f…>, 1, key=2)`.
fn partial(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // partialobject: function, args, keywords
    let part = |at| w.objects.memory.ptr(w.objects.after(addr, at));
    let (function, args, keywords) = (part(0)?, part(8)?, part(16)?);
    let own = &*w.objects.full_name(ty) == "functools.partial";
    let name = match own || w.objects.has(Change::QualifiedPartials) {
        true => w.objects.full_name(ty),
        false => w.objects.c_name(ty),
    };
    call(w, addr, &name, function, args, keywords)
}

/// `functools.partialmethod(<function f at 0x7f…>, 1, key=2)` (Lib/functools.py).
fn partial_method(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let part = |name: &str| {
        let value = w.objects.attribute(addr, name)?;
        value.ok_or_else(|| malformed(addr))
    };
    let (function, args, keywords) = (part("func")?, part("args")?, part("keywords")?);
    let name = w.objects.full_name(ty);
    call(w, addr, &name, function, args, keywords)
}

/// A callable and its arguments as a call of `name`.
fn call(
    w: &mut Writer<'_>,
    addr: Addr,
    name: &str,
    function: Addr,
    args: Addr,
    keywords: Addr,
) -> Result<(), Fault> {
    if !w.enter(addr) {
        match w.is_open(addr) {
            true => w.push("..."),
            false => w.left_out("..."),
        }
        return Ok(());
    }
    let most = w.limits.elements;
    let total = usize::try_from(w.objects.var_size(args)?).map_err(|_| malformed(args))?;
    let values = w.objects.tuple_items(args, most.min(1 << 16))?;
    let keywords = w.objects.dict_items(keywords)?;
    w.push(&format!("{name}("));
    w.object(function);
    for value in &values {
        if w.is_full() {
            break;
        }
        w.push(", ");
        w.object(*value);
    }
    if values.len() < total {
        w.push(", ");
        w.left_out(&format!("{} more", total - values.len()));
    }
    for (index, (key, value)) in keywords.iter().enumerate() {
        w.push(", ");
        if w.is_full() || index >= most {
            w.left_out(&format!("{} more", keywords.len() - index));
            break;
        }
        w.plain(*key)?;
        w.push("=");
        w.object(*value);
    }
    w.push(")");
    w.leave();
    Ok(())
}
