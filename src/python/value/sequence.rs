//! `list`, `tuple`, `deque` and their kin (Objects/listobject.c, tupleobject.c,
//! Modules/_collectionsmodule.c, Lib/collections), and the iterators of `itertools` that have a
//! `repr` of their own (Modules/itertoolsmodule.c).

use super::writer::short_name;
use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::python::layout::Reprs;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("list", list),
    ("tuple", tuple),
    ("collections.deque", deque),
    ("collections.UserList", data),
    ("collections.UserString", data),
    ("UserList.UserList", data),
    ("UserString.UserString", data),
    ("itertools.count", count),
    ("itertools.repeat", repeat),
];

fn list(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.len(addr)? as usize, objects.item_iter(addr)?);
    w.inherited(addr, ty, |w| {
        w.items(addr, ("[", "]"), total, items, Writer::item);
    });
    Ok(())
}

fn tuple(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.len(addr)? as usize, objects.item_iter(addr)?);
    let close = match total {
        1 if !w.is_open(addr) => ",)",
        _ => ")",
    };
    w.inherited(addr, ty, |w| {
        w.items(addr, ("(", close), total, items, Writer::item);
    });
    Ok(())
}

fn deque(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (total, items) = (objects.deque_len(addr)? as usize, objects.deque_iter(addr)?);
    let maxlen = objects.deque_maxlen(addr)?;
    if total > 0 && w.is_open(addr) {
        w.push("[...]");
        return Ok(());
    }
    let open = format!("{}([", called(w, ty, "deque"));
    let close = match maxlen {
        Some(most) => format!("], maxlen={most})"),
        None => "])".to_owned(),
    };
    w.items(addr, (&open, &close), total, items, Writer::item);
    w.extras(addr, ty);
    Ok(())
}

/// The class's name; up to 3.6 `repr` wrote `own` for subclasses too.
pub(super) fn called<'t>(w: &Writer<'_>, ty: &'t TypeInfo, own: &'t str) -> &'t str {
    let fixed = w.objects.layout.kinds.reprs <= Reprs::FixedNames;
    match fixed && !w.limits.attributes {
        true => own,
        false => short_name(ty).unwrap_or(own),
    }
}

/// A class written in Python around a builtin, as which it is written.
pub(super) fn data(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let data = w.objects.attribute(addr, "data")?;
    let data = data.ok_or_else(|| crate::python::object::malformed(addr))?;
    w.classed(ty, |w| w.within(addr, data));
    Ok(())
}

/// `countobject`: the next number, or `PY_SSIZE_T_MAX` and objects for it and for the step.
fn count(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let word = |index: u64| objects.memory.u64(objects.after(addr, index * 8));
    let (next, object, step) = (word(0)? as i64, Addr(word(1)?), Addr(word(2)?));
    w.push(&format!("{}(", called(w, ty, "count")));
    if next != i64::MAX || object.is_null() {
        w.push(&format!("{next})"));
        return Ok(());
    }
    w.within(addr, object);
    if objects.int(step) != Ok(1) {
        w.push(", ");
        w.within(addr, step);
    }
    w.push(")");
    Ok(())
}

/// `repeatobject`: the element, and how often it still comes; negative for always.
fn repeat(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let element = objects.memory.ptr(objects.after(addr, 0))?;
    let times = objects.memory.i64(objects.after(addr, 8))?;
    w.push(&format!("{}(", called(w, ty, "repeat")));
    w.within(addr, element);
    w.push(&match times {
        0.. => format!(", {times})"),
        _ => ")".to_owned(),
    });
    Ok(())
}
