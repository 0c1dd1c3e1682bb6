//! What the decoders of Python-level classes share: an object's own fields, the names of its
//! class, strings within strings, and what a class's `__repr__` tells about its version.

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

/// Whether the text of the string object at `addr` is whole and not empty.
pub(super) fn text(objects: &Objects, addr: Addr) -> Result<String, Fault> {
    let text = objects.text(addr, LONGEST)?;
    match text.left_out {
        0 => Ok(text.value),
        _ => Err(malformed(addr)),
    }
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

/// A string as its `repr`.
pub(super) fn quoted(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Bytes as they are between the quotes of their `repr`, and the quotes.
pub(super) fn quoted_bytes(bytes: &[u8]) -> String {
    let quote = match bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::from(quote);
    for byte in bytes {
        match char::from(*byte) {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}
