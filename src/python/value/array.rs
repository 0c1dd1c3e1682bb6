//! `array.array` (Modules/arraymodule.c): items of one machine type.

use super::number::{complex_repr, float_repr};
use super::sequence::called;
use super::{Decoders, Writer, quote};
use crate::addr::Addr;
use crate::bytes;
use crate::escape::lossy;
use crate::python::layout::Reprs;
use crate::python::object::{TypeInfo, malformed};
use crate::target::{Fault, Why};
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("array.array", array)];

/// Items read at once.
const PIECE: u64 = 1024;

/// The most characters of text that are read.
const MOST_CHARACTERS: usize = 1 << 20;

/// Reads one item.
type Read = fn(&[u8]) -> Option<String>;

/// The type codes that are numbers, the size of such an item in bytes, and how it is read.
const NUMBERS: &[(&str, u64, Read)] = &[
    ("b", 1, |raw| {
        Some((bytes::u8_at(raw, 0)? as i8).to_string())
    }),
    ("B", 1, |raw| Some(bytes::u8_at(raw, 0)?.to_string())),
    ("h", 2, |raw| {
        Some((bytes::u16_at(raw, 0)? as i16).to_string())
    }),
    ("H", 2, |raw| Some(bytes::u16_at(raw, 0)?.to_string())),
    ("i", 4, |raw| {
        Some((bytes::u32_at(raw, 0)? as i32).to_string())
    }),
    ("I", 4, unsigned),
    ("l", 8, |raw| {
        Some((bytes::u64_at(raw, 0)? as i64).to_string())
    }),
    ("L", 8, unsigned),
    ("q", 8, |raw| {
        Some((bytes::u64_at(raw, 0)? as i64).to_string())
    }),
    ("Q", 8, unsigned),
    ("e", 2, |raw| Some(float_repr(half(bytes::u16_at(raw, 0)?)))),
    ("f", 4, |raw| Some(float_repr(single(raw, 0)?))),
    ("d", 8, |raw| Some(float_repr(double(raw, 0)?))),
    ("Zf", 8, |raw| {
        Some(complex_repr(single(raw, 0)?, single(raw, 4)?))
    }),
    ("Zd", 16, |raw| {
        Some(complex_repr(double(raw, 0)?, double(raw, 8)?))
    }),
];

fn unsigned(raw: &[u8]) -> Option<String> {
    let word = bytes::u64_at(raw, 0);
    word.or_else(|| bytes::u32_at(raw, 0).map(u64::from))
        .map(|word| word.to_string())
}

fn single(raw: &[u8], at: usize) -> Option<f64> {
    Some(f32::from_bits(bytes::u32_at(raw, at)?).into())
}

fn double(raw: &[u8], at: usize) -> Option<f64> {
    Some(f64::from_bits(bytes::u64_at(raw, at)?))
}

/// A float of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// The items of an array.
#[derive(Clone, Copy)]
struct Items {
    data: Addr,
    count: u64,
    /// Bytes of an item.
    size: u64,
}

/// `arrayobject` is {ob_item, allocated, ob_descr, …} behind the variable header; `arraydescr`
/// begins with the type code and, 4 bytes further, the size of an item.
fn array(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let word = |index: u64| objects.memory.ptr(objects.after(addr, index * 8));
    let (data, allocated, descr) = (word(1)?, word(2)?, word(3)?);
    let code = objects.memory.bytes(descr, 4)?;
    let code = lossy(code.split(|byte| *byte == 0).next().unwrap_or(&code));
    let items = Items {
        data,
        count: objects.unsigned_size(addr)?,
        size: objects.memory.u32(descr.add(4))?.into(),
    };
    if items.count > allocated.0 || !(1..=16).contains(&items.size) {
        return Err(malformed(addr));
    }
    w.push(&format!("{}('{code}'", called(w, ty, "array")));
    if items.count == 0 {
        w.push(")");
        return Ok(());
    }
    w.push(", ");
    let known = |(name, size, _): &&(&str, u64, Read)| *name == code && *size == items.size;
    match (&*code, NUMBERS.iter().find(known)) {
        (_, Some((_, _, read))) => numbers(w, addr, items, *read),
        ("u" | "w" | "c", None) => text(w, &code, items),
        _ => w.gap(Fault {
            addr: descr,
            why: Why::Malformed,
        }),
    }
    w.push(")");
    Ok(())
}

fn numbers(w: &mut Writer<'_>, addr: Addr, items: Items, read: Read) {
    let objects = w.objects;
    let Items { data, count, size } = items;
    let pieces = (0..count.div_ceil(PIECE)).scan(false, move |ended, piece| {
        if *ended {
            return None;
        }
        let first = piece * PIECE;
        let length = PIECE.min(count - first) * size;
        let raw = objects
            .memory
            .bytes(data.add(first.wrapping_mul(size)), length as usize);
        *ended = raw.is_err();
        Some(match raw {
            Ok(raw) => {
                let items = raw.chunks_exact(size as usize);
                items.map(|item| Ok(item.to_vec())).collect()
            }
            Err(fault) => vec![Err(fault)],
        })
    });
    let one = |w: &mut Writer<'_>, item: Result<Vec<u8>, Fault>| match item {
        Ok(raw) => w.push(&read(&raw).unwrap_or_default()),
        Err(fault) => w.gap(fault),
    };
    w.items(addr, ("[", "]"), count as usize, pieces.flatten(), one);
}

/// An array of characters is written as a string.
fn text(w: &mut Writer<'_>, code: &str, items: Items) {
    let objects = w.objects;
    let most = w.limits.elements.min(w.room()).min(MOST_CHARACTERS) as u64;
    let count = items.count.min(most);
    let raw = match objects
        .memory
        .bytes(items.data, (count * items.size) as usize)
    {
        Ok(raw) => raw,
        Err(fault) => return w.gap(fault),
    };
    let chars: Vec<u32> = match items.size {
        1 => raw.iter().copied().map(u32::from).collect(),
        2 => raw
            .chunks_exact(2)
            .filter_map(|c| bytes::u16_at(c, 0).map(u32::from))
            .collect(),
        _ => raw
            .chunks_exact(4)
            .filter_map(|c| bytes::u32_at(c, 0))
            .collect(),
    };
    let python2 = objects.layout.kinds.reprs == Reprs::SetOfList;
    w.push(&match (code, python2) {
        ("c", _) => quote::ascii(&chars),
        (_, true) => format!("u{}", quote::ascii(&chars)),
        (_, false) => quote::text(&chars, objects.layout.version),
    });
    w.rest(items.count - count, "character");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_16_bits() {
        let known = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2f64.powi(-24)),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
