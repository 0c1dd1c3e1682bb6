//! `set` and `frozenset` (Objects/setobject.c `set_repr`).

use super::writer::short_name;
use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::python::layout::Reprs;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("set", set), ("frozenset", set)];

fn set(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let name = short_name(ty).unwrap_or("set");
    let total = objects.set_len(addr)? as usize;
    let listed = objects.layout.kinds.reprs == Reprs::SetOfList;
    if total > 0 && w.is_open(addr) {
        w.push(&format!("{name}(...)"));
        return Ok(());
    }
    if total == 0 {
        w.push(&format!("{name}({})", if listed { "[]" } else { "" }));
        return Ok(());
    }
    let (open, close) = match (listed, name) {
        (true, _) => (format!("{name}(["), "])"),
        (false, "set") => ("{".to_owned(), "}"),
        (false, _) => (format!("{name}({{"), "})"),
    };
    let elements = objects.set_iter(addr)?;
    w.items(addr, (&open, close), total, elements, Writer::item);
    w.extras(addr, ty);
    Ok(())
}
