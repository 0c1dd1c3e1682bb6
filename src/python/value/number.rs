//! Numbers: `int`, `bool`, `float`, `complex` (Objects/longobject.c, floatobject.c, complexobject.c;
//! Python/pystrtod.c `format_float_short`).

use super::{Decoders, Writer};
use crate::addr::Addr;
use crate::python::object::{TypeInfo, malformed};
use crate::target::{Fault, Why};
use num_bigint::{BigInt, BigUint, Sign};
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("int", int),
    ("long", long),
    ("bool", boolean),
    ("float", float),
    ("complex", complex),
];

/// An integer of up to this many decimal digits is written whole, whatever the limits: the
/// number at which Python itself begins to refuse (`sys.int_info.default_max_str_digits`).
const ALWAYS: usize = 4300;

/// The most decimal digits that are written of one integer, whatever the limits: their
/// computation takes time that grows with the square.
const MOST_DECIMALS: usize = 200_000;

fn int(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    integer(w, addr, "")
}

/// 2.7's `long`.
fn long(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    integer(w, addr, "L")
}

fn integer(w: &mut Writer<'_>, addr: Addr, suffix: &str) -> Result<(), Fault> {
    let value = match w.objects.big_int(addr) {
        Err(Fault {
            why: Why::TooLarge, ..
        }) => return huge(w, addr),
        value => value?,
    };
    let (text, left_out) = decimal(&value, w.limits.elements.min(w.room()));
    w.push(&text);
    match left_out {
        0 => w.push(suffix),
        _ => w.rest(left_out, "digit"),
    }
    Ok(())
}

/// The first decimal digits of an integer, with its sign, and how many digits follow: none if it
/// has at most [`ALWAYS`], else all beyond `most`.
fn decimal(value: &BigInt, most: usize) -> (String, u64) {
    let whole = most.clamp(ALWAYS, MOST_DECIMALS);
    // One too few where the number begins with a high digit.
    let estimate = (value.bits().saturating_sub(1) as f64 * std::f64::consts::LOG10_2) as usize;
    let mut left_out = 0;
    let mut text = match estimate < whole {
        true => value.magnitude().to_string(),
        false => {
            let below = estimate.saturating_sub(most.min(whole));
            left_out = below as u64;
            let scale = BigUint::from(10u32).pow(u32::try_from(below).unwrap_or(u32::MAX));
            (value.magnitude() / scale).to_string()
        }
    };
    if text.len() as u64 + left_out > whole as u64 {
        let keep = text.len().min(most.clamp(1, whole));
        left_out += (text.len() - keep) as u64;
        text.truncate(keep);
    }
    match value.sign() {
        Sign::Minus => (format!("-{text}"), left_out),
        _ => (text, left_out),
    }
}

/// An integer beyond what is computed with: its first hexadecimal digits.
fn huge(w: &mut Writer<'_>, addr: Addr) -> Result<(), Fault> {
    const SHOWN: usize = 32;
    let (bits, head) = w.objects.int_head(addr, 4 * SHOWN as u32 + 4)?;
    // The head begins somewhere within a hexadecimal digit.
    let below = bits.saturating_sub(head.bits());
    let digits = format!("{:x}", head << (below % 4));
    let sign = if digits.starts_with('-') { "-" } else { "" };
    let digits = digits.trim_start_matches('-');
    let shown: String = digits.chars().take(SHOWN).collect();
    let left_out = bits.div_ceil(4).saturating_sub(shown.len() as u64);
    w.push(&format!("{sign}0x{shown}"));
    w.rest(left_out, "hexadecimal digit");
    Ok(())
}

fn boolean(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    w.push(match w.objects.int(addr)? {
        0 => "False",
        1 => "True",
        _ => return Err(malformed(addr)),
    });
    Ok(())
}

fn float(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let value = w.objects.float(addr)?;
    w.push(&float_repr(value));
    Ok(())
}

fn complex(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let real = w.objects.double(w.objects.after(addr, 0))?;
    let imaginary = w.objects.double(w.objects.after(addr, 8))?;
    w.push(&complex_repr(real, imaginary));
    Ok(())
}

/// As `repr` writes a `float`: the shortest digits that read back as the same number.
pub(crate) fn float_repr(value: f64) -> String {
    let text = shortest(value);
    match text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-')
    {
        true => text + ".0",
        false => text,
    }
}

/// As `repr` writes a `complex`.
pub(crate) fn complex_repr(real: f64, imaginary: f64) -> String {
    let imaginary_text = shortest(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_text}j");
    }
    let plus = match imaginary_text.starts_with('-') {
        true => "",
        false => "+",
    };
    format!("({}{plus}{imaginary_text}j)", shortest(real))
}

/// The shortest digits, with an exponent where the number is below 1e-4 or not below 1e16.
fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    // Rust writes the same digits, always as `d.ddde-dd`.
    let digits = format!("{:e}", value.abs());
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        let exponent = exponent.unsigned_abs();
        return format!("{sign}{mantissa}e{direction}{exponent:02}");
    }
    // Without an exponent Rust never writes one, and the same digits.
    format!("{sign}{}", value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_does() {
        let known = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (-2.0, "-2.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "1e+16"),
            (9999999999999998.0, "9999999999999998.0"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in known {
            assert_eq!(float_repr(value), expected);
        }
    }

    #[test]
    fn complex_numbers_are_written_as_python_does() {
        let known = [
            (0.0, 1.0, "1j"),
            (1.0, 2.0, "(1+2j)"),
            (-0.0, -0.0, "(-0-0j)"),
            (0.0, -0.0, "-0j"),
            (-0.0, 0.0, "(-0+0j)"),
            (f64::NAN, f64::NEG_INFINITY, "(nan-infj)"),
            (1.0, -f64::NAN, "(1+nanj)"),
            (0.0, f64::NAN, "nanj"),
            (1e16, 1e-5, "(1e+16+1e-05j)"),
        ];
        for (real, imaginary, expected) in known {
            assert_eq!(complex_repr(real, imaginary), expected);
        }
    }

    #[test]
    fn long_integers_are_cut_exactly() {
        let ten = |power: u32| BigInt::from(10).pow(power);
        let of = |value: BigInt, most| decimal(&value, most);
        assert_eq!(of(BigInt::from(0), 200), ("0".into(), 0));
        assert_eq!(of(BigInt::from(-12), 1), ("-12".into(), 0));
        assert_eq!(of(ten(4299), 5).1, 0, "4300 digits are whole");
        assert_eq!(of(ten(4300), 5), ("10000".into(), 4296));
        assert_eq!(of(ten(4300) - 1, 5).1, 0);
        assert_eq!(of(ten(4301) - 1, 5), ("99999".into(), 4296));
        assert_eq!(of(ten(5000) * BigInt::from(-25), 3), ("-250".into(), 4999));
        assert_eq!(of(ten(300_000), usize::MAX).1, 100_001);
        assert_eq!(of(ten(20_000), usize::MAX).1, 0);
        assert_eq!(of(ten(20_000), 0), ("1".into(), 20_000));
    }
}
