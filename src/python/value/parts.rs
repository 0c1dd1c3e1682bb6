//! What the decoders of Python-level classes share: an object's own fields, the names of its
//! class, strings within strings, and what a class's `__repr__` tells about its version.

use super::quote;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::layout::StrKind;
use crate::python::object::{Objects, TypeInfo, Whence, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The longest string that is read for a value made of strings.
pub(super) const LONGEST: u64 = 1 << 16;

/// The field `name` of an object itself: a slot, or in its dictionary.
pub(super) fn field(objects: &Objects, addr: Addr, name: &str) -> Result<Option<Addr>, Fault> {
    let found = objects.getattr(addr, name)?;
    let own = found.filter(|found| !matches!(found.whence, Whence::Class(_)));
    Ok(own.map(|found| found.value))
}

/// The field `name`, which the object must have.
pub(super) fn needed(objects: &Objects, addr: Addr, name: &str) -> Result<Addr, Fault> {
    field(objects, addr, name)?.ok_or_else(|| malformed(addr))
}

/// Whether the object is `None`.
pub(super) fn is_none(objects: &Objects, addr: Addr) -> bool {
    let ty = objects.type_of(addr);
    ty.is_ok_and(|ty| !ty.is_heap() && ty.name.as_deref() == Some("NoneType"))
}

/// A class's `__name__`.
pub(super) fn short_name(objects: &Objects, ty: &TypeInfo) -> String {
    let name = match &ty.name {
        Some(name) => name.clone(),
        None => objects.full_name(ty).to_string(),
    };
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

/// A class's `tp_name`: with the module for types written in C, without for Python classes.
pub(super) fn tp_name(objects: &Objects, ty: &TypeInfo) -> String {
    match &ty.name {
        Some(name) => name.clone(),
        None => objects.full_name(ty).to_string(),
    }
}

/// Whether this is Python 2, whose library writes some things otherwise.
pub(super) fn is_python_2(objects: &Objects) -> bool {
    objects.layout.kinds.str == StrKind::Pointer
}

/// A class's `__repr__`, unless it is `object`'s: older versions of a class have none.
pub(super) fn own_repr(objects: &Objects, ty: &Arc<TypeInfo>) -> Option<Addr> {
    let (repr, owner) = objects.class_attribute(ty, "__repr__")?;
    (*objects.full_name(&owner) != *"object").then_some(repr)
}

/// The namespace of the module that a Python function was defined in.
pub(super) fn globals(objects: &Objects, function: Addr) -> Option<Addr> {
    let ty = objects.type_of(function).ok()?;
    if ty.is_heap() || ty.name.as_deref() != Some("function") {
        return None;
    }
    let globals = objects.layout.fields.function.globals.of(function);
    objects.memory.ptr(globals).ok()
}

/// Whether the code of the Python function `name` of a class uses a global or attribute of this
/// name: what tells apart versions of a method that cannot be run.
pub(super) fn uses(objects: &Objects, ty: &Arc<TypeInfo>, name: &str, used: &str) -> bool {
    const MOST: usize = 200;
    let names = || {
        let (function, _) = objects.class_attribute(ty, name)?;
        globals(objects, function)?;
        let fields = &objects.layout.fields;
        let code = objects.memory.ptr(fields.function.code.of(function)).ok()?;
        let names = objects.memory.ptr(fields.code.names.of(code)).ok()?;
        objects.tuple_items(names, MOST).ok()
    };
    let mut names = names().into_iter().flatten();
    names.any(|name| objects.is_text(name, used))
}

/// Lone surrogates, which no `char` is, as private characters; [`quoted`] turns them back. File
/// names that are not UTF-8 have them.
const SURROGATES: u32 = 0x10_0000;

/// The whole string object at `addr`; an error for one that is too long for a value of this kind.
pub(super) fn text(objects: &Objects, addr: Addr) -> Result<String, Fault> {
    let (chars, left_out) = objects.chars(addr, LONGEST as usize)?;
    if left_out > 0 {
        return Err(malformed(addr));
    }
    let char_of = |code: u32| match code {
        0xd800..=0xdfff => char::from_u32(code | SURROGATES),
        code => char::from_u32(code),
    };
    let text: Option<String> = chars.into_iter().map(char_of).collect();
    text.ok_or_else(|| malformed(addr))
}

/// Writes an integer as `%d` does.
pub(super) fn number(w: &mut Writer<'_>, addr: Addr) {
    match w.objects.int(addr) {
        Ok(value) => w.push(&value.to_string()),
        Err(_) => {
            w.object(addr);
            // 2.7's `repr` of a long.
            w.drop_end('L');
        }
    }
}

/// Writes `str(object)` of strings, and `repr` of anything else.
pub(super) fn plain(w: &mut Writer<'_>, addr: Addr) {
    match w.objects.text(addr, LONGEST) {
        Ok(text) if text.left_out == 0 => w.push(&text.value),
        _ => w.object(addr),
    }
}

/// `repr` of a string made of what [`text`] read.
pub(super) fn quoted(objects: &Objects, text: &str) -> String {
    let code = |c: char| match u32::from(c) {
        code @ 0x10_d800..=0x10_dfff => code ^ SURROGATES,
        code => code,
    };
    let codes: Vec<u32> = text.chars().map(code).collect();
    quote::text(&codes, objects.layout.version)
}

/// The integer at `addr` as one without a sign.
pub(super) fn natural(objects: &Objects, addr: Addr) -> Result<u128, Fault> {
    let value = objects.big_int(addr)?;
    u128::try_from(value).map_err(|_| malformed(addr))
}
