//! Whether Python's own operators on an object do what the struct says: that `x.name` is what lies in
//! the instance (Objects/object.c `PyObject_GenericGetAttr`, Objects/typeobject.c
//! `type_getattro`), and that `x[key]` and iteration are those of the builtin type.

use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags};
use std::sync::Arc;

/// How an attribute is looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lookup {
    /// In the usual order: data descriptors of the class, the instance, other things of the class.
    Plain,
    /// By code of a class written in Python.
    Own,
    /// By other code in C.
    Foreign,
}

/// How `x.name` is looked up in instances of this type.
pub(super) fn lookup(objects: &Objects, ty: &Arc<TypeInfo>) -> Lookup {
    let f = &objects.layout.fields.type_object;
    // Between `tp_str` and `tp_flags` in every version: `tp_getattro`, `tp_setattro`, `tp_as_buffer`.
    let getattro = |ty: &TypeInfo| objects.memory.ptr(f.flags.of(ty.addr).sub(24)).ok();
    let mro = objects.mro(ty);
    let Some(object) = mro.last().and_then(|object| getattro(object)) else {
        return Lookup::Foreign;
    };
    let Some((_, owner)) = objects.class_attribute(ty, "__getattribute__") else {
        return match getattro(ty) == Some(object) {
            true => Lookup::Plain,
            false => Lookup::Foreign,
        };
    };
    let usual = ["type", "module", "method", "instancemethod"];
    match getattro(&owner) {
        Some(own) if own == object => Lookup::Plain,
        _ if !owner.is_heap() && usual.contains(&&*objects.full_name(&owner)) => Lookup::Plain,
        _ if objects
            .own_attribute(&owner, "__getattribute__")
            .is_some_and(|code| {
                let ty = objects.type_of(code);
                ty.is_ok_and(|ty| *objects.full_name(&ty) == *"function")
            }) =>
        {
            Lookup::Own
        }
        _ => Lookup::Foreign,
    }
}

/// Whether instances of this type, in a class, come before what an instance has: they have a
/// `tp_descr_set`, which lies in front of `tp_dictoffset` in every version.
pub(super) fn is_data_descriptor(objects: &Objects, value: Addr) -> bool {
    descriptor_word(objects, value, 8)
}

/// Whether a class does something to this value when asked for it (`tp_descr_get`).
pub(super) fn is_bound(objects: &Objects, value: Addr) -> bool {
    descriptor_word(objects, value, 16)
}

/// Whether the function in the type of `value` that lies so far in front of `tp_dictoffset` is set;
/// where that is not known, it may be.
fn descriptor_word(objects: &Objects, value: Addr, before: u64) -> bool {
    let dictoffset = objects.layout.fields.type_object.dictoffset;
    let word = objects.type_of(value).and_then(|ty| {
        let at = dictoffset.of(ty.addr).sub(before);
        objects.memory.ptr(at)
    });
    word.map_or(true, |word| !word.is_null())
}

/// Whether an attribute that is the instance's own is what `x.name` gives.
pub(super) fn instance_wins(objects: &Objects, ty: &Arc<TypeInfo>, name: &str) -> bool {
    match objects.class_attribute(ty, name) {
        Some((value, _)) => !is_data_descriptor(objects, value),
        None => true,
    }
}

/// Whether `x.name` gives what lies in the struct: the class finds a descriptor in C first.
pub(super) fn struct_wins(objects: &Objects, ty: &Arc<TypeInfo>, name: &str) -> bool {
    let Some((value, _)) = objects.class_attribute(ty, name) else {
        return false;
    };
    let ty = objects.type_of(value);
    ty.is_ok_and(|ty| {
        let kinds = ["member_descriptor", "getset_descriptor"];
        kinds.contains(&&*objects.full_name(&ty))
    })
}

/// Whether a class gives a value of its namespace as it is when asked by name.
pub(super) fn class_wins(
    objects: &Objects,
    class: &Arc<TypeInfo>,
    name: &str,
    value: Addr,
) -> bool {
    let meta = objects.type_of(class.addr);
    let hidden = meta.is_ok_and(|meta| !instance_wins(objects, &meta, name));
    let first = objects.class_attribute(class, name).map(|(first, _)| first);
    !hidden && first == Some(value) && !changes(objects, value)
}

/// Whether a class changes a value that it is asked for. These kinds bind to instances alone.
pub(super) fn changes(objects: &Objects, value: Addr) -> bool {
    let unbound = [
        "property",
        "member_descriptor",
        "getset_descriptor",
        "method_descriptor",
        "wrapper_descriptor",
    ];
    let has_no_unbound_methods = objects.layout.fields.function.kwdefaults.is_some();
    let itself = objects.type_of(value).is_ok_and(|ty| {
        let name = objects.full_name(&ty);
        unbound.contains(&&*name) || (has_no_unbound_methods && *name == *"function")
    });
    is_bound(objects, value) && !itself
}

/// Whether this is a class.
pub(super) fn is_class(ty: &TypeInfo) -> bool {
    ty.flags & flags::TYPE != 0
}
