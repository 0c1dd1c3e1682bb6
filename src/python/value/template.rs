//! Template strings of 3.14 (Objects/templateobject.c, Objects/interpolationobject.c), context
//! variables (Python/context.c) and capsules (Objects/capsule.c).

use super::Decoders;
use super::naming::last_part;
use super::writer::Writer;
use crate::addr::Addr;
use crate::escape::lossy;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("string.templatelib.Template", template),
    ("string.templatelib.Interpolation", interpolation),
    ("ContextVar", context_variable),
    ("_contextvars.ContextVar", context_variable),
    ("PyCapsule", capsule),
];

/// `Template(strings=('a', ''), interpolations=(Interpolation(1, 'x', None, ''),))`.
fn template(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // templateobject: strings, interpolations
    parts(w, addr, ty, &["strings=", "interpolations="])
}

/// `Interpolation(1, 'x', None, '')`.
fn interpolation(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // interpolationobject: value, expression, conversion, format_spec
    parts(w, addr, ty, &["", "", "", ""])
}

/// The objects behind the header, each with what goes before it.
fn parts(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>, names: &[&str]) -> Result<(), Fault> {
    let parts = w.objects.pointers(w.objects.after(addr, 0), names.len())?;
    let name = w.objects.c_name(ty);
    w.push(&format!("{}(", last_part(&name)));
    match w.enter(addr) {
        true => {
            for (index, (name, part)) in names.iter().zip(parts).enumerate() {
                w.push(if index > 0 { ", " } else { "" });
                w.push(name);
                w.object(part);
            }
            w.leave();
        }
        false => w.left_out("..."),
    }
    w.push(")");
    Ok(())
}

/// `<ContextVar name='x' default=1 at 0x7f…>`.
fn context_variable(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // PyContextVar: name, default
    let name = w.objects.memory.ptr(w.objects.after(addr, 0))?;
    let default = w.objects.memory.ptr(w.objects.after(addr, 8))?;
    w.push("<ContextVar name=");
    w.object(name);
    if !default.is_null() {
        w.push(" default=");
        match w.enter(addr) {
            true => {
                w.object(default);
                w.leave();
            }
            false => w.left_out("..."),
        }
    }
    w.push(&format!(" at {addr}>"));
    Ok(())
}

/// `<capsule object "datetime.datetime_CAPI" at 0x7f…>`.
fn capsule(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // PyCapsule: pointer, name
    const LONGEST_NAME: usize = 1024;
    let name = w.objects.memory.ptr(w.objects.after(addr, 8))?;
    match name.is_null() {
        true => w.push("<capsule object NULL"),
        false => match w.objects.memory.cstr(name, LONGEST_NAME) {
            Ok(name) => w.push(&format!("<capsule object \"{}\"", lossy(&name))),
            // The name is a constant of an extension module.
            Err(fault) => {
                w.push("<capsule object ");
                w.unreadable(name, fault);
            }
        },
    }
    w.push(&format!(" at {addr}>"));
    Ok(())
}
