//! What runs: code objects (Objects/codeobject.c), frames (Objects/frameobject.c), generators,
//! coroutines and asynchronous generators (Objects/genobject.c).

use super::Decoders;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::code::Codes;
use crate::python::frame::Walk;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("code", code),
    ("frame", frame),
    ("generator", generator),
    ("coroutine", generator),
    ("async_generator", generator),
];

/// `<code object f at 0x7f…, file "app.py", line 3>`.
fn code(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let f = &w.objects.layout.fields.code;
    let name = w.objects.memory.ptr(f.name.of(addr))?;
    let file = w.objects.memory.ptr(f.filename.of(addr))?;
    let line = match w.objects.memory.i32(f.firstlineno.of(addr))? {
        0 => -1,
        line => line,
    };
    w.push("<code object ");
    w.plain(name)?;
    w.push(&format!(" at {addr}, file \""));
    w.plain(file)?;
    w.push(&format!("\", line {line}>"));
    Ok(())
}

/// `<frame at 0x7f…, file 'app.py', line 7, code f>`, from 3.7 on.
fn frame(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let memory = &w.objects.memory;
    let layout = &w.objects.layout;
    let (frame, traced) = match &layout.fields.frame_object {
        Some(handle) => (
            memory.ptr(handle.frame.of(addr))?,
            memory.i32(handle.lineno.of(addr))?,
        ),
        None => (addr, 0),
    };
    let codes = Codes::default();
    let walk = Walk::new(w.objects, &codes, Addr::NULL);
    let raw = walk.read(frame)?;
    let code = codes.get(w.objects, raw.code)?;
    let line = match traced {
        0 => {
            walk.frame(&raw, &code, walk.lasti(&raw, &code))
                .position
                .line
        }
        traced => Some(traced),
    };
    let f = &layout.fields.code;
    let file = memory.ptr(f.filename.of(raw.code))?;
    let name = memory.ptr(f.name.of(raw.code))?;
    w.push(&format!("<frame at {addr}, file "));
    w.object(file);
    w.push(&format!(", line {}, code ", line.unwrap_or(-1)));
    w.plain(name)?;
    w.push(">");
    Ok(())
}

/// `<generator object f at 0x7f…>`.
fn generator(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let qualname = w.objects.layout.fields.generator.qualname;
    let name = match qualname {
        Some(qualname) => qualname.of(addr),
        None => generator_name(w.objects, addr)?,
    };
    let name = w.objects.memory.ptr(name)?;
    w.push(&format!("<{} object ", w.objects.full_name(ty)));
    w.plain(name)?;
    w.push(&format!(" at {addr}>"));
    Ok(())
}

/// Where a pointer to the name of a generator is: in itself, in 2.7 in its code.
pub(super) fn generator_name(objects: &Objects, generator: Addr) -> Result<Addr, Fault> {
    let f = &objects.layout.fields;
    Ok(match f.generator.name {
        Some(name) => name.of(generator),
        None => {
            // PyGenObject of 2.7: frame, running, code
            let code = objects.memory.ptr(objects.after(generator, 16))?;
            f.code.name.of(code)
        }
    })
}
