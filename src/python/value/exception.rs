//! Exceptions as `repr` writes them (Objects/exceptions.c): the class and `args`; groups and, from
//! 3.15 on, import errors add their own.

use super::Decoders;
use super::dialect::Change;
use super::naming::last_part;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("BaseException", exception),
    ("exceptions.BaseException", exception),
    ("BaseExceptionGroup", group),
    ("ImportError", import_error),
];

/// `ValueError('x')`, `OSError(2, 'No such file')`; up to 3.6 `ValueError('x',)`.
fn exception(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let args = w.objects.layout.fields.exception.args.of(addr);
    let args = w.objects.memory.ptr(args)?;
    let name = w.objects.c_name(ty);
    w.push(last_part(&name));
    if !w.enter(addr) {
        w.left_out("...");
        return Ok(());
    }
    match w.objects.tuple_items(args, 1)?.first() {
        Some(only)
            if w.objects.var_size(args)? == 1 && w.objects.has(Change::NoCommaInExceptions) =>
        {
            w.push("(");
            w.object(*only);
            w.push(")");
        }
        _ => w.object(args),
    }
    w.leave();
    Ok(())
}

/// `ExceptionGroup('message', [ValueError(1)])`.
fn group(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // PyBaseExceptionGroupObject: message, exceptions, and in later releases their repr where
    // they were given as neither list nor tuple.
    let size = w.objects.layout.fields.exception.size;
    let own = size.of(addr);
    let mro = w.objects.mro(ty);
    let fixed = mro.iter().find(|class| !class.is_heap());
    let fixed = fixed.map_or(0, |class| class.basicsize);
    let saved_repr = match fixed.wrapping_sub(size.index() as i64) {
        24.. => w.objects.memory.ptr(own.add(16))?,
        _ => Addr::NULL,
    };
    let message = w.objects.memory.ptr(own)?;
    if message.is_null() {
        return exception(w, addr, ty);
    }
    let exceptions = w.objects.memory.ptr(own.add(8))?;
    let name = w.objects.c_name(ty);
    w.push(last_part(&name));
    if !w.enter(addr) {
        w.left_out("...");
        return Ok(());
    }
    w.push("(");
    w.object(message);
    w.push(", ");
    let args = w.objects.layout.fields.exception.args.of(addr);
    let given = w.objects.tuple_item(w.objects.memory.ptr(args)?, 1)?;
    if !saved_repr.is_null() {
        w.plain(saved_repr)?;
    } else if w.objects.type_of(given)?.is(flags::LIST) {
        let most = w.limits.elements.min(1 << 20);
        let total = w.objects.var_size(exceptions)?;
        let total = usize::try_from(total).map_err(|_| malformed(exceptions))?;
        let items = w.objects.tuple_items(exceptions, most)?;
        w.items(exceptions, ("[", "]"), total, items, |w, item| {
            w.object(item)
        });
    } else {
        w.object(exceptions);
    }
    w.push(")");
    w.leave();
    Ok(())
}

/// `ImportError('message', name='module', path='file')`, from 3.15 on.
fn import_error(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // PyImportErrorObject: message, name, path
    let own = w.objects.layout.fields.exception.size.of(addr);
    let mut parts = Vec::new();
    if w.objects.has(Change::ImportErrorParts) {
        for (name, at) in [("name", 8), ("path", 16)] {
            let value = w.objects.memory.ptr(own.add(at))?;
            let is_none = |ty: Arc<TypeInfo>| *w.objects.full_name(&ty) == *"NoneType";
            if !value.is_null() && !w.objects.type_of(value).is_ok_and(is_none) {
                parts.push((name, value));
            }
        }
    }
    if parts.is_empty() {
        return exception(w, addr, ty);
    }
    let args = w.objects.layout.fields.exception.args.of(addr);
    let args = w.objects.memory.ptr(args)?;
    let total = usize::try_from(w.objects.var_size(args)?).map_err(|_| malformed(args))?;
    let items = w
        .objects
        .tuple_items(args, w.limits.elements.min(1 << 16))?;
    let name = w.objects.c_name(ty);
    w.push(last_part(&name));
    if !w.enter(addr) {
        w.left_out("...");
        return Ok(());
    }
    w.items(args, ("(", ""), total, items, |w, item| w.object(item));
    for (index, (name, value)) in parts.into_iter().enumerate() {
        w.push(if index + total > 0 { ", " } else { "" });
        w.push(&format!("{name}="));
        w.object(value);
    }
    w.push(")");
    w.leave();
    Ok(())
}
