//! Byte strings: `bytes` and 2.7's `str` (Objects/bytesobject.c `PyBytes_Repr`), `bytearray`, and
//! `memoryview`.

use super::{Decoders, Writer, quote};
use crate::addr::Addr;
use crate::python::layout::{ByteArrayRepr, StrKind};
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("bytes", bytes),
    ("bytearray", bytearray),
    ("memoryview", memory_view),
];

/// `b'…'`; 2.7 has no prefix.
pub(super) fn bytes(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let prefix = match w.objects.layout.kinds.str {
        StrKind::Pointer => "",
        _ => "b",
    };
    quoted(w, addr, prefix, quote::bytes)
}

/// The bytes, written by `quote`.
fn quoted(
    w: &mut Writer<'_>,
    addr: Addr,
    prefix: &str,
    quote: fn(&[u8]) -> String,
) -> Result<(), Fault> {
    let most = w.limits.elements.min(w.room());
    let (bytes, left_out) = w.objects.bytes_of(addr, most)?;
    w.push(&format!("{prefix}{}", quote(&bytes)));
    w.rest(left_out, "byte");
    Ok(())
}

/// `bytearray(b'…')`, in most versions with the name of a subclass instead.
fn bytearray(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let kind = w.objects.layout.kinds.bytearray_repr;
    let name = match (&ty.name, kind) {
        (Some(name), ByteArrayRepr::Class | ByteArrayRepr::AsBytes) => {
            name.rsplit('.').next().unwrap_or(name)
        }
        _ => "bytearray",
    };
    w.push(&format!("{name}("));
    let quote = match kind {
        ByteArrayRepr::AsBytes => quote::bytes,
        ByteArrayRepr::Fixed | ByteArrayRepr::Class => quote::bytearray,
    };
    quoted(w, addr, "b", quote)?;
    w.push(")");
    Ok(())
}

/// `<memory at 0x7f…>`, with what it shows where attributes are wanted.
fn memory_view(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    /// `_Py_MEMORYVIEW_RELEASED`.
    const RELEASED: u32 = 1;
    /// `obj` of a `Py_buffer`.
    const OBJ: u64 = 8;
    /// `len` of a `Py_buffer`.
    const LEN: u64 = 16;
    let f = w.objects.layout.fields.memory_view;
    let memory = &w.objects.memory;
    let released = match f.flags {
        Some(flags) => memory.u32(flags.of(addr))? & RELEASED != 0,
        None => false,
    };
    if released {
        w.push(&format!("<released memory at {addr}>"));
        return Ok(());
    }
    let view = f.view.of(addr);
    let (object, length) = (memory.ptr(view.add(OBJ))?, memory.i64(view.add(LEN))?);
    w.push(&format!("<memory at {addr}"));
    if w.limits.attributes && w.enter(addr) {
        w.push(&format!(" (nbytes={length}, obj="));
        w.object(object);
        w.push(")");
        w.leave();
    }
    w.push(">");
    Ok(())
}
