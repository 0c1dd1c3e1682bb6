//! Objects as `object.__repr__` writes them, `<app.Account object at 0x7f…>`, with their
//! attributes inside the brackets where these are wanted.

use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// Writes an object of any class.
pub(crate) fn object(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let name = w.objects.full_name(ty);
    w.push(&format!("<{name} object at {addr}"));
    if w.limits.attributes && w.enter(addr) {
        let attributes = w.objects.instance_attributes(addr);
        w.attributes(attributes);
        w.leave();
    }
    w.push(">");
    Ok(())
}
