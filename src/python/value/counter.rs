//! `Counter` (Lib/collections): written by `most_common()`, the highest count first, equal ones in
//! the order of the dictionary.

use super::Writer;
use super::writer::short_name;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;
use std::cmp::Ordering;
use std::sync::Arc;

/// The most counts that are sorted.
const MOST_SORTED: usize = 1 << 20;

/// A count that can be compared without running anything.
#[derive(Clone, Copy)]
enum Count {
    Int(i128),
    Float(f64),
}

/// Writes a `Counter`.
pub(super) fn counter(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let total = objects.dict_len(addr)? as usize;
    let name = short_name(ty).unwrap_or("Counter");
    if total == 0 {
        w.push(&format!("{name}()"));
        return Ok(());
    }
    let open = format!("{name}({{");
    match sorted(objects, addr, total) {
        Some(items) => w.items(addr, (&open, "})"), total, items, |w, i| w.pair(Ok(i))),
        None => {
            let items = objects.dict_iter(addr)?;
            w.items(addr, (&open, "})"), total, items, Writer::pair);
            w.left_out("not in the order of counts, which cannot be compared");
        }
    }
    w.extras(addr, ty);
    Ok(())
}

/// The items, the highest count first; `None` when there are very many, one cannot be read, or a
/// count is no number.
fn sorted(objects: &Objects, addr: Addr, total: usize) -> Option<Vec<(Addr, Addr)>> {
    if total > MOST_SORTED {
        return None;
    }
    let mut items = Vec::new();
    for item in objects.dict_iter(addr).ok()?.take(MOST_SORTED) {
        let item = item.ok()?;
        items.push((count(objects, item.1)?, item));
    }
    items.sort_by(|(a, _), (b, _)| order(*b, *a));
    Some(items.into_iter().map(|(_, item)| item).collect())
}

fn count(objects: &Objects, value: Addr) -> Option<Count> {
    if let Ok(int) = objects.int(value) {
        return Some(Count::Int(int));
    }
    let ty = objects.type_of(value).ok()?;
    let bits = objects.memory.u64(objects.after(value, 0)).ok()?;
    let float = f64::from_bits(bits);
    (objects.is_a(&ty, "float") && !float.is_nan()).then_some(Count::Float(float))
}

fn order(a: Count, b: Count) -> Ordering {
    let float = |count| match count {
        Count::Int(int) => int as f64,
        Count::Float(float) => float,
    };
    match (a, b) {
        (Count::Int(a), Count::Int(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}
