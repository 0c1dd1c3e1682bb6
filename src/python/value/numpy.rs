//! numpy's arrays and scalars. An array of up to 1,000 elements (and no more than `print
//! elements`) is written as numpy does, but on one line; a larger one with its shape, its strides,
//! what it is a view of, and its first and last elements.
//!
//! `PyArrayObject` behind the object header: {data; int nd; dimensions; strides; base; descr; …},
//! the same in numpy 1 and 2 (probed in 1.26 and 2.1). A scalar's value follows its header.

use super::numpy_type::{Descr, Unit};
use super::writer::Writer;
use super::{Decoders, default, numpy_text, parts, quote};
use crate::addr::Addr;
use crate::bytes;
use crate::python::names;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("numpy.bytes_", scalar),
    ("numpy.dtype", dtype),
    ("numpy.generic", scalar),
    ("numpy.ndarray", array),
    ("numpy.str_", scalar),
];

/// Above this numpy itself leaves elements out.
const SUMMARY: usize = 1000;

/// The most bytes of elements that are read at once: strings may be of any length.
const MOST_BYTES: usize = 16 << 20;

/// Elements shown at each end of a larger array.
const EDGE: usize = 3;

/// An array's header.
#[derive(Clone)]
pub(crate) struct Array {
    data: Addr,
    /// Items along each dimension.
    pub(crate) shape: Vec<usize>,
    strides: Vec<i64>,
    base: Addr,
    pub(super) descr: Descr,
}

/// One element, as far as it can be written beforehand.
pub(super) enum Item {
    Text(String),
    Object(Addr),
    Record(Vec<Item>),
}

/// One element as a value.
pub(crate) enum Element {
    Bool(bool),
    Int(i128),
    Float(f64),
    Complex(f64, f64),
    Text(Vec<u32>),
    Bytes(Vec<u8>),
    Object(Addr),
}

impl Array {
    /// Reads the array at `addr`.
    pub(crate) fn read(objects: &Objects, addr: Addr) -> Result<Array, Fault> {
        const MOST_DIMENSIONS: u32 = 64;
        let memory = &objects.memory;
        let pointer = |offset: u64| memory.ptr(objects.after(addr, offset));
        let dimensions = memory.u32(objects.after(addr, 8))?;
        if dimensions > MOST_DIMENSIONS {
            return Err(malformed(addr));
        }
        let numbers = |at: Addr| match dimensions {
            0 => Ok(Vec::new()),
            count => objects.pointers(at, count as usize),
        };
        let sizes = numbers(pointer(16)?)?.into_iter();
        let sizes = sizes.map(|size| i64::try_from(size.0).ok()?.try_into().ok());
        let shape: Option<Vec<usize>> = sizes.collect();
        let strides = numbers(pointer(24)?)?.into_iter();
        Ok(Array {
            data: pointer(0)?,
            shape: shape.ok_or_else(|| malformed(addr))?,
            strides: strides.map(|stride| stride.0 as i64).collect(),
            base: pointer(32)?,
            descr: Descr::read(objects, pointer(40)?)?,
        })
    }

    /// How many elements there are; `None` for more than fit any memory.
    pub(super) fn len(&self) -> Option<usize> {
        let mut sizes = self.shape.iter();
        if sizes.clone().any(|size| *size == 0) {
            return Some(0);
        }
        sizes.try_fold(1usize, |total, size| total.checked_mul(*size))
    }

    /// Where element `index` is, counted with the last dimension first.
    fn at(&self, mut index: usize) -> Addr {
        let mut at = self.data;
        for (size, stride) in self.shape.iter().zip(&self.strides).rev() {
            let (rest, here) = (index / size.max(&1), index % size.max(&1));
            at = at.add(stride.wrapping_mul(here as i64) as u64);
            index = rest;
        }
        at
    }

    /// Row `index` of the first dimension.
    pub(crate) fn row(&self, index: usize) -> Option<Array> {
        let (size, stride) = (*self.shape.first()?, *self.strides.first()?);
        (index < size).then(|| Array {
            data: self.data.add(stride.wrapping_mul(index as i64) as u64),
            shape: self.shape.iter().skip(1).copied().collect(),
            strides: self.strides.iter().skip(1).copied().collect(),
            base: self.base,
            descr: self.descr.clone(),
        })
    }

    /// The array itself, as the one row it is, if it has one dimension.
    pub(super) fn row_of_one(&self) -> Option<Array> {
        (self.shape.len() == 1).then(|| self.clone())
    }

    /// What an array without dimensions holds, as `tolist()` gives it; `None` for types that are
    /// not decoded.
    pub(crate) fn element(&self, objects: &Objects) -> Result<Option<Element>, Fault> {
        let (descr, size) = (&self.descr, self.descr.size);
        if size > MOST_BYTES {
            return Err(malformed(self.data));
        }
        let part = match descr.kind {
            'U' => 4,
            'c' => size / 2,
            _ => size,
        };
        let raw = raw(objects, descr, self.data, part)?;
        Ok(match (descr.kind, size) {
            ('b', 1) => Some(Element::Bool(raw.first() != Some(&0))),
            ('i', 1..=8) => Some(Element::Int(integer(&raw, true))),
            ('u', 1..=8) => Some(Element::Int(integer(&raw, false))),
            ('f', 2 | 4 | 8) => Some(Element::Float(float(&raw))),
            ('c', 8 | 16) => {
                let (real, imaginary) = raw.split_at(part);
                Some(Element::Complex(float(real), float(imaginary)))
            }
            ('U', _) => Some(Element::Text(text(&raw))),
            ('S', _) => {
                let end = raw.iter().rposition(|byte| *byte != 0);
                let end = end.map_or(0, |last| last + 1);
                Some(Element::Bytes(raw.get(..end).unwrap_or_default().to_vec()))
            }
            ('O', 8) => bytes::u64_at(&raw, 0).map(|word| Element::Object(Addr(word))),
            _ => None,
        })
    }

    /// The elements of these indices, aligned with one another.
    pub(super) fn items(
        &self,
        objects: &Objects,
        indices: impl Iterator<Item = usize>,
    ) -> Result<Vec<Item>, Fault> {
        let places: Vec<Addr> = indices.map(|index| self.at(index)).collect();
        items(objects, &self.descr, &places, self.shape.is_empty())
    }
}

/// The bytes of an element in the order of this machine.
fn raw(objects: &Objects, descr: &Descr, at: Addr, part: usize) -> Result<Vec<u8>, Fault> {
    let mut raw = objects.memory.bytes(at, descr.size)?.into_owned();
    if descr.swapped && part > 0 {
        raw.chunks_mut(part).for_each(<[u8]>::reverse);
    }
    Ok(raw)
}

fn integer(raw: &[u8], signed: bool) -> i128 {
    let mut wide = [0; 8];
    for (to, from) in wide.iter_mut().zip(raw) {
        *to = *from;
    }
    let unused = 64u32.saturating_sub(8 * raw.len().min(8) as u32);
    let value = u64::from_le_bytes(wide);
    match signed {
        true => i128::from((value << unused) as i64 >> unused),
        false => i128::from(value),
    }
}

fn float(raw: &[u8]) -> f64 {
    match raw.len() {
        2 => half(bytes::u16_at(raw, 0).unwrap_or_default()),
        4 => f64::from(f32::from_bits(bytes::u32_at(raw, 0).unwrap_or_default())),
        _ => f64::from_bits(bytes::u64_at(raw, 0).unwrap_or_default()),
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// Text of a fixed number of characters, without the NULs behind it.
fn text(raw: &[u8]) -> Vec<u32> {
    let codes = raw.chunks_exact(4);
    let mut codes: Vec<u32> = codes.filter_map(|chunk| bytes::u32_at(chunk, 0)).collect();
    while codes.last() == Some(&0) {
        codes.pop();
    }
    codes
}

fn byte_text(raw: &[u8]) -> String {
    let end = raw
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    format!("b{}", quote::bytes(raw.get(..end).unwrap_or_default()))
}

/// The elements at these places. `alone` is the one of an array without dimensions, which is not
/// padded.
fn items(
    objects: &Objects,
    descr: &Descr,
    places: &[Addr],
    alone: bool,
) -> Result<Vec<Item>, Fault> {
    let all = |part: usize| -> Result<Vec<Vec<u8>>, Fault> {
        let places = places.iter();
        places
            .map(|place| raw(objects, descr, *place, part))
            .collect()
    };
    let size = descr.size;
    if size.saturating_mul(places.len()) > MOST_BYTES {
        return Err(malformed(places.first().copied().unwrap_or(Addr::NULL)));
    }
    let half_size = size / 2;
    let lines = match descr.kind {
        'b' => {
            let write = |raw: Vec<u8>| match raw.first() {
                Some(0) => "False".to_owned(),
                _ if alone => "True".to_owned(),
                _ => " True".to_owned(),
            };
            all(0)?.into_iter().map(write).collect()
        }
        'i' | 'u' => {
            let signed = descr.kind == 'i';
            let all = all(size)?.into_iter();
            align(all.map(|raw| integer(&raw, signed).to_string()).collect())
        }
        'f' => {
            let values: Vec<f64> = all(size)?.iter().map(|raw| float(raw)).collect();
            numpy_text::floats(&values, size, false)
        }
        'c' => {
            let split = |raw: &Vec<u8>| {
                let (real, imaginary) = raw.split_at(half_size);
                (float(real), float(imaginary))
            };
            let values: Vec<(f64, f64)> = all(half_size)?.iter().map(split).collect();
            numpy_text::complexes(&values, half_size)
        }
        'S' => all(0)?.iter().map(|raw| byte_text(raw)).collect(),
        'U' => all(4)?
            .iter()
            .map(|raw| quote::text(&text(raw), objects.layout.version))
            .collect(),
        'M' | 'm' => align(all(size)?.iter().map(|raw| time(raw, descr)).collect()),
        'O' => {
            let object = |place: &Addr| objects.memory.ptr(*place).map(Item::Object);
            return places.iter().map(object).collect();
        }
        _ => return records(objects, descr, places),
    };
    Ok(lines.into_iter().map(Item::Text).collect())
}

fn time(raw: &[u8], descr: &Descr) -> String {
    let steps = integer(raw, true) as i64;
    let written = |unit: Unit| numpy_text::moment(steps, unit).map(|text| format!("'{text}'"));
    match descr.kind {
        'M' => descr
            .unit
            .and_then(written)
            .unwrap_or_else(|| steps.to_string()),
        _ if steps == i64::MIN => "'NaT'".to_owned(),
        _ => steps.to_string(),
    }
}

/// Padded to the width of the widest.
fn align(texts: Vec<String>) -> Vec<String> {
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.iter().map(|text| format!("{text:>width$}")).collect()
}

/// Structured elements: each field is aligned over all of them.
fn records(objects: &Objects, descr: &Descr, places: &[Addr]) -> Result<Vec<Item>, Fault> {
    if !descr.is_known() {
        let write = |_| Item::Text(format!("<{} bytes>", descr.size));
        return Ok(places.iter().map(write).collect());
    }
    let mut records: Vec<Vec<Item>> = places.iter().map(|_| Vec::new()).collect();
    for part in &descr.parts {
        let places: Vec<Addr> = places.iter().map(|place| place.add(part.offset)).collect();
        let column = items(objects, &part.ty, &places, false)?;
        for (record, item) in records.iter_mut().zip(column) {
            record.push(item);
        }
    }
    Ok(records.into_iter().map(Item::Record).collect())
}

/// Writes one element.
pub(super) fn push_item(w: &mut Writer<'_>, item: Item) {
    match item {
        Item::Text(text) => w.push(&text),
        Item::Object(object) => {
            // numpy sets lists apart from its own brackets.
            let list = w.objects.type_of(object).is_ok_and(|ty| ty.is(flags::LIST));
            w.push(if list { "list(" } else { "" });
            w.object(object);
            w.push(if list { ")" } else { "" });
        }
        Item::Record(items) => {
            let open = if items.len() == 1 { ",)" } else { ")" };
            for (index, item) in items.into_iter().enumerate() {
                w.push(if index == 0 { "(" } else { ", " });
                push_item(w, item);
            }
            w.push(open);
        }
    }
}

fn array(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let array = Array::read(objects, addr)?;
    let name = match &*objects.full_name(ty) {
        "numpy.ndarray" => "array".to_owned(),
        _ => parts::short_name(objects, ty),
    };
    if !w.enter(addr) {
        w.push(&format!("{name}(...)"));
        return Ok(());
    }
    let whole = array
        .len()
        .filter(|len| *len <= SUMMARY.min(w.limits.elements));
    let result = match whole {
        Some(len) if array.descr.is_known() || len == 0 => whole_array(w, &array, len, &name),
        _ => large_array(w, &array, &name),
    };
    w.leave();
    result
}

fn tuple<T: ToString>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::to_string).collect();
    match texts.len() {
        1 => format!("({},)", texts.concat()),
        _ => format!("({})", texts.join(", ")),
    }
}

fn whole_array(w: &mut Writer<'_>, array: &Array, len: usize, name: &str) -> Result<(), Fault> {
    w.push(&format!("{name}("));
    if len == 0 {
        w.push("[]");
        if array.shape != [0] {
            w.push(&format!(", shape={}", tuple(&array.shape)));
        }
    } else {
        let mut items = array.items(w.objects, 0..len)?.into_iter();
        brackets(w, &array.shape, &mut items);
    }
    if len == 0 || !array.descr.is_implied() {
        w.push(&format!(", dtype={}", array.descr.text()));
    }
    w.push(")");
    Ok(())
}

fn brackets(w: &mut Writer<'_>, shape: &[usize], items: &mut impl Iterator<Item = Item>) {
    let Some((size, inner)) = shape.split_first() else {
        if let Some(item) = items.next() {
            push_item(w, item);
        }
        return;
    };
    w.push("[");
    for index in 0..*size {
        w.push(if index > 0 { ", " } else { "" });
        brackets(w, inner, items);
    }
    w.push("]");
}

fn large_array(w: &mut Writer<'_>, array: &Array, name: &str) -> Result<(), Fault> {
    let objects = w.objects;
    w.push(&format!(
        "{name}(shape={}, dtype={}, strides={}",
        tuple(&array.shape),
        array.descr.text(),
        tuple(&array.strides)
    ));
    if !array.base.is_null() {
        let base = objects.type_of(array.base)?;
        let base = objects.full_name(&base);
        w.push(&format!(", base=<{base} object at {}>", array.base));
    }
    let Some(len) = array.len() else {
        w.push(", ");
        w.left_out("more elements than fit any memory");
        w.push(")");
        return Ok(());
    };
    let edge = EDGE.min(w.limits.elements / 2);
    let (head, tail) = match len <= 2 * edge {
        true => (len, len),
        false => (edge, len - edge),
    };
    let items = array.items(objects, (0..head).chain(tail..len))?;
    w.push(", [");
    for (index, item) in items.into_iter().enumerate() {
        w.push(if index > 0 { ", " } else { "" });
        if index == head {
            w.left_out(&format!("{} more", tail - head));
            w.push(", ");
        }
        push_item(w, item);
    }
    w.push("])");
    Ok(())
}

fn dtype(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let descr = Descr::read(w.objects, addr)?;
    let text = match descr.text() {
        _ if matches!(descr.kind, 'M' | 'm' | 'O') => format!("'{}'", descr.code()),
        text if text.starts_with(['\'', '[', '<']) => text,
        text => format!("'{text}'"),
    };
    w.push(&format!("dtype({text})"));
    Ok(())
}

/// Whether numpy names the type of a scalar, `np.float64(1.5)`: from version 2 on.
fn is_numpy_2(objects: &Objects) -> bool {
    let version = || {
        let interpreter = *objects.interpreter.get()?;
        let module = names::module(objects, interpreter, "numpy").ok()??;
        let version = objects.dict_get(module, "__version__").ok()??;
        parts::text(objects, version).ok()
    };
    !version().is_some_and(|version| version.starts_with("1."))
}

fn scalar(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let full = objects.full_name(ty);
    let new = is_numpy_2(objects);
    let short = match &*full {
        "numpy.bool_" => "bool",
        "numpy.longlong" => "longlong",
        name => name.strip_prefix("numpy.").unwrap_or(name),
    };
    let unsigned = short.starts_with('u');
    let bits: usize = short
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap_or(0);
    let value = objects.after(addr, 0);
    let read = |size: usize| objects.memory.bytes(value, size);
    let text = match short {
        "bool" => match (read(1)?.first() == Some(&0), new) {
            (is_false, true) => {
                w.push(if is_false { "np.False_" } else { "np.True_" });
                return Ok(());
            }
            (is_false, false) => if is_false { "False" } else { "True" }.to_owned(),
        },
        "str_" => parts::quoted(objects, &parts::text(objects, addr)?),
        "bytes_" => format!("b{}", quote::bytes(&objects.bytes(addr, SUMMARY)?)),
        "datetime64" | "timedelta64" => return time_scalar(w, value, short, new),
        _ if short.starts_with("float") && matches!(bits, 16 | 32 | 64) => {
            numpy_text::scalar(float(&read(bits / 8)?), bits / 8, true)
        }
        _ if short.starts_with("complex") && matches!(bits, 64 | 128) => {
            let raw = read(bits / 8)?;
            let (real, imaginary) = raw.split_at(bits / 16);
            let text = numpy_text::complex(float(real), float(imaginary), bits / 16);
            match new && !text.contains(['+', '-']) {
                true => text,
                false => format!("({text})"),
            }
        }
        "longlong" | "ulonglong" => integer(&read(8)?, !unsigned).to_string(),
        _ if short.trim_start_matches('u').starts_with("int")
            && matches!(bits, 8 | 16 | 32 | 64) =>
        {
            integer(&read(bits / 8)?, !unsigned).to_string()
        }
        // Extended precision, structured scalars, types of other packages.
        _ => return default::object(w, addr, ty),
    };
    match new {
        true => w.push(&format!("np.{short}({})", without_parentheses(&text))),
        false => w.push(&text),
    }
    Ok(())
}

/// `np.complex128(1+2j)`, not with two pairs.
fn without_parentheses(text: &str) -> &str {
    let inner = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    inner.unwrap_or(text)
}

fn time_scalar(w: &mut Writer<'_>, value: Addr, short: &str, new: bool) -> Result<(), Fault> {
    const GENERIC: usize = 14;
    const HOURS: usize = 5;
    let objects = w.objects;
    let steps = objects.memory.i64(value)?;
    let unit = Unit::read(objects, value.add(8))?;
    let prefix = if new { "np" } else { "numpy" };
    let named = match short {
        // What has a unit of its own in the text needs no other.
        "datetime64" => unit.count != 1 || unit.base == HOURS,
        _ => unit.base != GENERIC,
    };
    let text = match short {
        "datetime64" => numpy_text::moment(steps, unit).map(|text| format!("'{text}'")),
        _ if steps == i64::MIN => Some("'NaT'".to_owned()),
        _ => None,
    };
    let text = text.unwrap_or_else(|| steps.to_string());
    let unit = if named {
        format!(",'{}'", unit.name())
    } else {
        String::new()
    };
    w.push(&format!("{prefix}.{short}({text}{unit})"));
    Ok(())
}
