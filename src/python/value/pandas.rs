//! pandas' `DataFrame`, `Series` and `Index`, whose own `repr` is a table: here the shape, each
//! column with its type and first values, and the index.
//!
//! The columns lie in the blocks of a manager (pandas/core/internals, pandas/_libs/internals.pyx).
//! Cython's classes have no descriptors that tell offsets, so a field of theirs is the first one
//! that holds an object of the type it must be of (probed in 2.2).

use super::numpy::{self, Array, Item};
use super::writer::Writer;
use super::{Decoders, default, parts};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("pandas.core.frame.DataFrame", frame),
    ("pandas.core.indexes.base.Index", index),
    ("pandas.core.series.Series", series),
    ("pandas.DataFrame", frame),
    ("pandas.Index", index),
    ("pandas.Series", series),
];

/// Values shown of a column.
const HEAD: usize = 5;

/// The most columns that are looked at.
const MOST_COLUMNS: usize = 100_000;

/// A column's values: those of a row of a block, or an array of their own.
struct Column {
    array: Option<Array>,
    /// Where a value is missing, for arrays that keep that apart.
    mask: Option<Array>,
    /// What the values are, where the array does not tell.
    dtype: Option<String>,
}

/// The first field of a Cython object that holds an object of this class.
fn inside(objects: &Objects, addr: Addr, class: &str) -> Option<Addr> {
    const MOST_WORDS: u64 = 16;
    let size = objects.type_of(addr).ok()?.basicsize as u64;
    let start = objects.after(addr, 0).0.wrapping_sub(addr.0);
    let words = (size.saturating_sub(start) / 8).min(MOST_WORDS);
    let mut fields = (0..words).filter_map(|word| {
        let value = objects.memory.ptr(objects.after(addr, word * 8)).ok()?;
        (!value.is_null()).then_some(value)
    });
    fields.find(|value| {
        let ty = objects.type_of(*value);
        ty.is_ok_and(|ty| objects.is_a(&ty, class))
    })
}

/// A field of a manager or block, in whichever way this version keeps it.
fn part(objects: &Objects, addr: Addr, name: &str, class: &str) -> Result<Addr, Fault> {
    let named = parts::field(objects, addr, name)?;
    let found = named.or_else(|| inside(objects, addr, class));
    found.ok_or_else(|| malformed(addr))
}

/// The array of an extension array, or the object itself if it is one.
fn column(objects: &Objects, values: Addr) -> Result<Column, Fault> {
    let ty = objects.type_of(values)?;
    let name = parts::short_name(objects, &ty);
    let mut column = Column {
        array: None,
        mask: None,
        dtype: None,
    };
    let data = if objects.is_a(&ty, "numpy.ndarray") {
        Some(values)
    } else if let (Some(data), Some(mask)) = (
        parts::field(objects, values, "_data")?,
        parts::field(objects, values, "_mask")?,
    ) {
        column.mask = Some(Array::read(objects, mask)?);
        Some(data)
    } else if matches!(
        &*name,
        "DatetimeArray" | "TimedeltaArray" | "NumpyExtensionArray"
    ) {
        let zoned = inside(
            objects,
            values,
            "pandas._libs.tslibs.dtypes.PeriodDtypeBase",
        )
        .or_else(|| inside(objects, values, "pandas.core.dtypes.dtypes.DatetimeTZDtype"));
        column.dtype = zoned.map(|_| "datetime64 with a zone, here in UTC".to_owned());
        inside(objects, values, "numpy.ndarray")
    } else {
        None
    };
    match data {
        Some(data) => column.array = Some(Array::read(objects, data)?),
        None => column.dtype = Some(name),
    }
    Ok(column)
}

impl Column {
    fn dtype(&self) -> String {
        match (&self.dtype, &self.array) {
            (Some(dtype), _) => dtype.clone(),
            (None, Some(array)) => array.descr.name(),
            (None, None) => "unknown".to_owned(),
        }
    }

    fn len(&self) -> Option<usize> {
        self.array.as_ref().and_then(Array::len)
    }

    /// Row `index` of a block.
    fn row(&self, index: usize) -> Column {
        // An extension array holds one column, and numpy's two dimensions any number.
        let row = |array: &Array| match array.shape.len() {
            2 => array.row(index),
            _ => array.row_of_one(),
        };
        Column {
            array: self.array.as_ref().and_then(row),
            mask: self.mask.as_ref().and_then(row),
            dtype: self.dtype.clone(),
        }
    }

    /// `[1, 2, 3, <7 more>]`.
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        let (Some(array), Some(len)) = (&self.array, self.len()) else {
            w.left_out("values of this type are not decoded");
            return Ok(());
        };
        if !array.descr.is_known() {
            w.left_out("values of this type are not decoded");
            return Ok(());
        }
        let count = len.min(HEAD).min(w.limits.elements);
        let items = array.items(w.objects, 0..count)?;
        let masks = match &self.mask {
            Some(mask) => mask.items(w.objects, 0..count.min(mask.len().unwrap_or(0)))?,
            None => Vec::new(),
        };
        w.push("[");
        for (index, item) in items.into_iter().enumerate() {
            w.push(if index > 0 { ", " } else { "" });
            match (masks.get(index), item) {
                (Some(Item::Text(mask)), _) if mask.trim() == "True" => w.push("<NA>"),
                // What numpy pads to a common width.
                (_, Item::Text(text)) => w.push(text.trim()),
                (_, item) => numpy::push_item(w, item),
            }
        }
        if count < len {
            w.push(if count > 0 { ", " } else { "" });
            w.left_out(&format!("{} more", len - count));
        }
        w.push("]");
        Ok(())
    }
}

/// The positions of a block's columns: a slice, or an array of numbers.
fn placement(objects: &Objects, block: Addr) -> Result<Vec<usize>, Fault> {
    let class = "pandas._libs.internals.BlockPlacement";
    let placement = part(objects, block, "_mgr_locs", class)?;
    let number = |item: Addr| -> Result<usize, Fault> {
        let value = objects.int(item)?;
        usize::try_from(value).map_err(|_| malformed(item))
    };
    if let Some(slice) = inside(objects, placement, "slice") {
        let [start, stop, step] = [0, 8, 16].map(|at| objects.memory.ptr(objects.after(slice, at)));
        let step = step?;
        let step = match parts::is_none(objects, step) {
            true => 1,
            false => number(step)?.max(1),
        };
        let all = (number(start?)?..number(stop?)?).step_by(step);
        return Ok(all.take(MOST_COLUMNS).collect());
    }
    let array = inside(objects, placement, "numpy.ndarray");
    let array = Array::read(objects, array.ok_or_else(|| malformed(placement))?)?;
    let len = array.len().unwrap_or(0).min(MOST_COLUMNS);
    let items = array.items(objects, 0..len)?.into_iter();
    let items = items.map(|item| match item {
        Item::Text(text) => text.trim().parse().map_err(|_| malformed(placement)),
        _ => Err(malformed(placement)),
    });
    items.collect()
}

/// The axes and blocks of an object's manager.
fn manager(objects: &Objects, addr: Addr) -> Result<(Vec<Addr>, Vec<Addr>), Fault> {
    const MOST_AXES: usize = 2;
    let manager = parts::needed(objects, addr, "_mgr")?;
    let axes = part(objects, manager, "axes", "list")?;
    let blocks = part(objects, manager, "blocks", "tuple")?;
    Ok((
        objects.list_items(axes, MOST_AXES)?,
        objects.tuple_items(blocks, MOST_COLUMNS)?,
    ))
}

fn block_values(objects: &Objects, block: Addr) -> Result<Column, Fault> {
    let named = parts::field(objects, block, "values")?;
    let found = named
        .or_else(|| inside(objects, block, "numpy.ndarray"))
        .or_else(|| inside(objects, block, "pandas.core.arrays.base.ExtensionArray"));
    column(objects, found.ok_or_else(|| malformed(block))?)
}

/// Writes an index: of numbers in a row as a range, of others the first ones.
fn write_index(w: &mut Writer<'_>, index: Addr) -> Result<(), Fault> {
    let objects = w.objects;
    if let Some(range) = parts::field(objects, index, "_range")? {
        w.object(range);
        return Ok(());
    }
    match parts::field(objects, index, "_data")? {
        Some(data) => column(objects, data)?.write(w),
        None => {
            let ty = objects.type_of(index)?;
            default::object(w, index, &ty)
        }
    }
}

fn frame(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (axes, blocks) = manager(objects, addr)?;
    let [names, rows] = axes[..] else {
        return Err(malformed(addr));
    };
    let mut columns = Vec::new();
    for block in blocks {
        let values = block_values(objects, block)?;
        for (row, position) in placement(objects, block)?.into_iter().enumerate() {
            if columns.len() >= MOST_COLUMNS {
                return Err(malformed(addr));
            }
            columns.push((position, values.row(row)));
        }
    }
    columns.sort_by_key(|(position, _)| *position);
    let count = columns.iter().find_map(|(_, column)| column.len());
    let length = count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let name = parts::short_name(objects, ty);
    w.push(&format!(
        "{name}(shape=({length}, {}), columns=",
        columns.len()
    ));
    let labels = labels(objects, names, columns.len());
    let total = columns.len();
    let mut problem = Ok(());
    w.items(addr, ("{", "}"), total, columns, |w, (position, column)| {
        match labels.get(position) {
            Some(Item::Object(label)) => w.object(*label),
            Some(Item::Text(label)) => w.push(label.trim()),
            _ => w.push(&position.to_string()),
        }
        w.push(&format!(": {} ", column.dtype()));
        if let Err(fault) = column.write(w) {
            problem = Err(fault);
        }
    });
    problem?;
    w.push(", index=");
    write_index(w, rows)?;
    w.push(")");
    Ok(())
}

/// The labels of the columns, where they are of a kind that can be read.
fn labels(objects: &Objects, index: Addr, count: usize) -> Vec<Item> {
    let data = parts::field(objects, index, "_data").ok().flatten();
    let column = data.and_then(|data| column(objects, data).ok());
    let array = column.and_then(|column| column.array);
    let array = array.filter(|array| array.descr.is_known() && array.len() == Some(count));
    let items = array.and_then(|array| array.items(objects, 0..count).ok());
    items.unwrap_or_default()
}

fn series(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let (axes, blocks) = manager(objects, addr)?;
    let ([rows], [block]) = (&axes[..], &blocks[..]) else {
        return Err(malformed(addr));
    };
    let values = block_values(objects, *block)?;
    one_dimension(w, addr, ty, &values)?;
    w.push(", index=");
    write_index(w, *rows)?;
    w.push(")");
    Ok(())
}

fn index(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let name = parts::short_name(objects, ty);
    if let Some(range) = parts::field(objects, addr, "_range")? {
        w.push(&format!("{name}("));
        w.object(range);
    } else if let Some(data) = parts::field(objects, addr, "_data")? {
        one_dimension(w, addr, ty, &column(objects, data)?)?;
    } else {
        return default::object(w, addr, ty);
    }
    w.push(")");
    Ok(())
}

/// `Series(length=3, dtype=int64, name='a', [1, 2, 3]`.
fn one_dimension(
    w: &mut Writer<'_>,
    addr: Addr,
    ty: &Arc<TypeInfo>,
    values: &Column,
) -> Result<(), Fault> {
    let objects = w.objects;
    let name = parts::short_name(objects, ty);
    let length = values.len();
    let length = length.map_or_else(|| "?".to_owned(), |length| length.to_string());
    w.push(&format!("{name}(length={length}, dtype={}", values.dtype()));
    if let Some(label) = parts::field(objects, addr, "_name")?
        && !parts::is_none(objects, label)
    {
        w.push(", name=");
        w.object(label);
    }
    w.push(", ");
    values.write(w)
}
