//! Numbers of the library: `decimal.Decimal` of Modules/_decimal (libmpdec) and of
//! Lib/_pydecimal.py (2.7: Lib/decimal.py), and `fractions.Fraction`.
//!
//! `PyDecObject` holds, behind the header and the hash, an `mpd_t`: flags (1 byte), exponent,
//! digits, used and allocated words, data; probed in 3.6 to 3.15 and 3.13t. A word is a digit of
//! base 10^19, the lowest first.

use super::Decoders;
use super::parts;
use super::writer::Writer;
use crate::addr::Addr;
use crate::bytes;
use crate::python::object::{TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("decimal.Decimal", decimal),
    ("fractions.Fraction", fraction),
];

/// The most words of a coefficient that are read: over a million digits.
const MOST_WORDS: u64 = 1 << 16;

/// What a decimal number is.
enum Kind {
    Finite { exponent: i64 },
    Infinity,
    Nan { signalling: bool },
}

struct Number {
    negative: bool,
    /// Without leading zeros; empty for zero and for a NaN without a payload.
    digits: String,
    kind: Kind,
}

fn decimal(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let number = match w.objects.class_attribute(ty, "_int") {
        Some(_) => pure(w, addr)?,
        None => packed(w, addr)?,
    };
    w.push(&format!("Decimal('{}')", write(&number)));
    Ok(())
}

fn packed(w: &Writer<'_>, addr: Addr) -> Result<Number, Fault> {
    const FLAGS: u64 = 8;
    const EXPONENT: u64 = 16;
    const USED: u64 = 32;
    const DATA: u64 = 48;
    const NEGATIVE: u8 = 1;
    const INFINITE: u8 = 2;
    const NAN: u8 = 4;
    const SIGNALLING: u8 = 8;
    const LARGEST_WORD: u64 = 10_000_000_000_000_000_000;
    let objects = w.objects;
    let flags = objects.memory.u8(objects.after(addr, FLAGS))?;
    let exponent = objects.memory.i64(objects.after(addr, EXPONENT))?;
    let kind = match flags & (INFINITE | NAN | SIGNALLING) {
        0 => Kind::Finite { exponent },
        INFINITE => Kind::Infinity,
        nan => Kind::Nan {
            signalling: nan & SIGNALLING != 0,
        },
    };
    let mut digits = String::new();
    if !matches!(kind, Kind::Infinity) {
        let used = objects.memory.u64(objects.after(addr, USED))?;
        if used > MOST_WORDS {
            return Err(malformed(addr));
        }
        let data = objects.memory.ptr(objects.after(addr, DATA))?;
        let raw = objects.memory.bytes(data, used as usize * 8)?;
        for index in (0..used as usize).rev() {
            let word = bytes::u64_at(&raw, index * 8);
            let word = word.filter(|word| *word < LARGEST_WORD);
            let word = word.ok_or_else(|| malformed(addr))?;
            match digits.is_empty() {
                true if word == 0 => {}
                true => digits = word.to_string(),
                false => digits.push_str(&format!("{word:019}")),
            }
        }
    }
    Ok(Number {
        negative: flags & NEGATIVE != 0,
        digits,
        kind,
    })
}

fn pure(w: &Writer<'_>, addr: Addr) -> Result<Number, Fault> {
    let objects = w.objects;
    let sign = parts::needed(objects, addr, "_sign")?;
    let exponent = parts::needed(objects, addr, "_exp")?;
    let kind = match objects.text(exponent, 1) {
        Ok(text) if text.value == "F" => Kind::Infinity,
        Ok(text) => Kind::Nan {
            signalling: text.value == "N",
        },
        Err(_) => Kind::Finite {
            exponent: i64::try_from(objects.int(exponent)?).map_err(|_| malformed(addr))?,
        },
    };
    let digits = match kind {
        Kind::Infinity => String::new(),
        _ => parts::text(objects, parts::needed(objects, addr, "_int")?)?,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed(addr));
    }
    Ok(Number {
        negative: objects.int(sign)? == 1,
        digits: digits.trim_start_matches('0').to_owned(),
        kind,
    })
}

/// The "scientific string" of the General Decimal Arithmetic Specification.
fn write(number: &Number) -> String {
    let sign = if number.negative { "-" } else { "" };
    let exponent = match number.kind {
        Kind::Finite { exponent } => exponent,
        Kind::Infinity => return format!("{sign}Infinity"),
        Kind::Nan { signalling } => {
            let s = if signalling { "s" } else { "" };
            return format!("{sign}{s}NaN{}", number.digits);
        }
    };
    let digits = match number.digits.is_empty() {
        true => "0",
        false => &number.digits,
    };
    let length = digits.len() as i64;
    let point = length.wrapping_add(exponent);
    if exponent > 0 || point <= -6 {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{dot}{rest}E{:+}", point.wrapping_sub(1));
    }
    match usize::try_from(point) {
        Ok(_) if exponent == 0 => format!("{sign}{digits}"),
        Ok(point) if point > 0 => {
            let (whole, fraction) = digits.split_at(point);
            format!("{sign}{whole}.{fraction}")
        }
        _ => {
            let zeros = "0".repeat(point.unsigned_abs() as usize);
            format!("{sign}0.{zeros}{digits}")
        }
    }
}

fn fraction(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let numerator = parts::needed(objects, addr, "_numerator")?;
    let denominator = parts::needed(objects, addr, "_denominator")?;
    match parts::is_python_2(objects) {
        true => w.push("Fraction("),
        false => w.push(&format!("{}(", parts::short_name(objects, ty))),
    }
    parts::number(w, numerator);
    w.push(", ");
    parts::number(w, denominator);
    w.push(")");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finite(negative: bool, digits: &str, exponent: i64) -> String {
        write(&Number {
            negative,
            digits: digits.to_owned(),
            kind: Kind::Finite { exponent },
        })
    }

    #[test]
    fn numbers_are_written_as_the_specification_says() {
        assert_eq!(finite(false, "125", -1), "12.5");
        assert_eq!(finite(true, "", 0), "-0");
        assert_eq!(finite(false, "", -8), "0E-8");
        assert_eq!(finite(false, "1", -7), "1E-7");
        assert_eq!(finite(false, "123", -8), "0.00000123");
        assert_eq!(finite(false, "123", 5), "1.23E+7");
        assert_eq!(finite(false, "5", i64::MAX), "5E+9223372036854775807");
        assert_eq!(finite(false, "12", i64::MIN), "1.2E-9223372036854775807");
    }
}
