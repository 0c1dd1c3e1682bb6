//! Strings (Objects/unicodeobject.c `unicode_repr`), and 2.7's `unicode`.

use super::{Decoders, Writer, binary, quote};
use crate::addr::Addr;
use crate::python::layout::StrKind;
use crate::python::object::{TypeInfo, flags};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("str", text), ("unicode", text)];

/// A string; 2.7's `str` is one of bytes.
fn text(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let python2 = w.objects.layout.kinds.str == StrKind::Pointer;
    if python2 && ty.is(flags::BYTES) {
        return binary::bytes(w, addr, ty);
    }
    let (chars, left_out) = w.objects.chars(addr, w.limits.elements.min(w.room()))?;
    let text = match python2 {
        true => format!("u{}", quote::ascii(&chars)),
        false => quote::text(&chars, w.objects.layout.version),
    };
    w.push(&text);
    w.rest(left_out, "character");
    Ok(())
}
