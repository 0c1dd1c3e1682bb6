//! `array.array` (Modules/arraymodule.c): items of one machine type.

use super::sequence::called;
use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::bytes;
use crate::python::object::{TypeInfo, malformed};
use crate::target::{Fault, Why};
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("array.array", array)];

/// Bytes read at once.
const PIECE: usize = 4096;

/// Reads one item.
type Read = fn(&[u8]) -> Option<String>;

/// The sizes in bytes and readers of the type codes that are numbers; the size of `l` and `L` is
/// that of a word.
const NUMBERS: &[(u8, u64, Read)] = &[
    (b'b', 1, |raw| {
        Some((bytes::u8_at(raw, 0)? as i8).to_string())
    }),
    (b'B', 1, |raw| Some(bytes::u8_at(raw, 0)?.to_string())),
    (b'h', 2, |raw| {
        Some((bytes::u16_at(raw, 0)? as i16).to_string())
    }),
    (b'H', 2, |raw| Some(bytes::u16_at(raw, 0)?.to_string())),
    (b'i', 4, |raw| {
        Some((bytes::u32_at(raw, 0)? as i32).to_string())
    }),
    (b'I', 4, |raw| Some(bytes::u32_at(raw, 0)?.to_string())),
    (b'l', 8, |raw| {
        Some((bytes::u64_at(raw, 0)? as i64).to_string())
    }),
    (b'L', 8, |raw| Some(bytes::u64_at(raw, 0)?.to_string())),
    (b'q', 8, |raw| {
        Some((bytes::u64_at(raw, 0)? as i64).to_string())
    }),
    (b'Q', 8, |raw| Some(bytes::u64_at(raw, 0)?.to_string())),
    (b'f', 4, |raw| {
        Some(float_text(f32::from_bits(bytes::u32_at(raw, 0)?).into()))
    }),
    (b'd', 8, |raw| {
        Some(float_text(f64::from_bits(bytes::u64_at(raw, 0)?)))
    }),
];

/// `arrayobject`: {ob_item, allocated, ob_descr, …} behind the variable header; `arraydescr` begins
/// with the type code and, 4 bytes further, the size of an item.
fn array(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let total = objects.unsigned_size(addr)?;
    let word = |index: u64| objects.memory.ptr(objects.after(addr, index * 8));
    let (data, allocated, descr) = (word(1)?, word(2)?, word(3)?);
    let (code, size) = (objects.memory.u8(descr)?, objects.memory.u32(descr.add(4))?);
    let size = u64::from(size);
    if total > allocated.0 || !(1..=16).contains(&size) {
        return Err(malformed(addr));
    }
    w.push(&format!("{}('{}'", called(w, ty, "array"), code as char));
    if total == 0 {
        w.push(")");
        return Ok(());
    }
    w.push(", ");
    let number = NUMBERS
        .iter()
        .find(|(known, width, _)| (*known, *width) == (code, size));
    match number {
        Some((_, _, read)) => numbers(w, addr, (data, total, size), *read),
        None => w.gap(Fault {
            addr: data,
            why: Why::Malformed,
        }),
    }
    w.push(")");
    Ok(())
}

fn numbers(w: &mut Writer<'_>, addr: Addr, (data, total, size): (Addr, u64, u64), read: Read) {
    let objects = w.objects;
    let per_piece = PIECE as u64 / size;
    let pieces = (0..total.div_ceil(per_piece)).scan(false, move |ended, piece| {
        if *ended {
            return None;
        }
        let count = per_piece.min(total - piece * per_piece);
        let at = data.add((piece * per_piece).wrapping_mul(size));
        let raw = objects.memory.bytes(at, (count * size) as usize);
        *ended = raw.is_err();
        Some(match raw {
            Ok(raw) => raw
                .chunks_exact(size as usize)
                .map(|item| Ok(item.to_vec()))
                .collect(),
            Err(fault) => vec![Err(fault)],
        })
    });
    w.items(
        addr,
        ("[", "]"),
        total as usize,
        pieces.flatten(),
        |w, item| match item {
            Ok(raw) => w.push(&read(&raw).unwrap_or_default()),
            Err(fault) => w.gap(fault),
        },
    );
}

/// A float as `repr` writes it: the shortest digits that give the same number.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
