//! Arithmetic on numbers (Objects/longobject.c, floatobject.c, complexobject.c), with a bound on
//! how large an integer may become.

use super::error::{Class, Error};
use super::value::Value;
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// The most bits of an integer.
const MOST_BITS: u64 = 1 << 17;

/// Two numbers of the same type.
enum Pair {
    Ints(BigInt, BigInt),
    Floats(f64, f64),
    Complexes((f64, f64), (f64, f64)),
}

fn too_large() -> Error {
    Error::new(Class::TooLarge, "the integer has too many bits")
}

fn zero_division(message: &str) -> Error {
    Error::new(Class::ZeroDivisionError, message)
}

/// The nearest float of an integer.
pub(crate) fn to_float(value: &BigInt) -> Result<f64, Error> {
    const MOST_EXPONENT: u64 = 1024;
    let overflow = || Error::new(Class::OverflowError, "int too large to convert to float");
    if value.bits() > MOST_EXPONENT {
        return Err(overflow());
    }
    // The library's parser rounds to the nearest; the bound keeps the text short.
    let float = value.to_string().parse::<f64>().ok();
    float.filter(|float| float.is_finite()).ok_or_else(overflow)
}

/// The integer part of a float; `None` for infinities and NaN.
pub(crate) fn to_int(value: f64) -> Option<BigInt> {
    let whole = value.is_finite().then(|| format!("{:.0}", value.trunc()));
    BigInt::parse_bytes(whole?.as_bytes(), 10)
}

fn is_number(value: &Value) -> bool {
    value.as_int().is_some() || matches!(value, Value::Float(_) | Value::Complex(..))
}

/// Brings two numbers to one type; `None` unless both are numbers.
fn pair(left: &Value, right: &Value) -> Result<Option<Pair>, Error> {
    let float = |value: &Value| match value {
        Value::Float(float) => Ok(*float),
        other => to_float(&other.as_int().unwrap_or_default()),
    };
    let complex = |value: &Value| match value {
        Value::Complex(real, imag) => Ok((*real, *imag)),
        other => float(other).map(|real| (real, 0.0)),
    };
    if !is_number(left) || !is_number(right) {
        return Ok(None);
    }
    let any = |kind: fn(&Value) -> bool| kind(left) || kind(right);
    Ok(Some(if any(|value| matches!(value, Value::Complex(..))) {
        Pair::Complexes(complex(left)?, complex(right)?)
    } else if any(|value| matches!(value, Value::Float(_))) {
        Pair::Floats(float(left)?, float(right)?)
    } else {
        let int = |value: &Value| value.as_int().unwrap_or_default();
        Pair::Ints(int(left), int(right))
    }))
}

/// `left operator right` of two numbers; `None` unless both are.
pub(crate) fn binary(
    operator: &str,
    left: &Value,
    right: &Value,
    two: bool,
) -> Result<Option<Value>, Error> {
    let Some(pair) = pair(left, right)? else {
        return Ok(None);
    };
    if let (Value::Bool(a), Value::Bool(b)) = (left, right) {
        match operator {
            "&" => return Ok(Some(Value::Bool(a & b))),
            "|" => return Ok(Some(Value::Bool(a | b))),
            "^" => return Ok(Some(Value::Bool(a ^ b))),
            _ => {}
        }
    }
    let is_long = |value: &Value| matches!(value, Value::Int { long: true, .. });
    match pair {
        Pair::Ints(a, b) => {
            let value = ints(operator, a, b, two)?;
            Ok(Some(match value {
                Value::Int { value, .. } if two => {
                    let long = is_long(left) || is_long(right) || i64::try_from(&value).is_err();
                    Value::Int { value, long }
                }
                other => other,
            }))
        }
        Pair::Floats(a, b) => floats(operator, a, b).map(|value| value.map(Value::Float)),
        Pair::Complexes(a, b) => {
            complexes(operator, a, b).map(|value| value.map(|(re, im)| Value::Complex(re, im)))
        }
    }
}

fn ints(operator: &str, a: BigInt, b: BigInt, two: bool) -> Result<Value, Error> {
    let by_zero = b == BigInt::ZERO;
    Ok(Value::int(match operator {
        "+" => a + b,
        "-" => a - b,
        "*" if a.bits() + b.bits() > MOST_BITS => return Err(too_large()),
        "*" => a * b,
        "/" if two && by_zero => {
            return Err(zero_division("integer division or modulo by zero"));
        }
        "/" if two => divide(&a, &b).0,
        "/" => return true_division(&a, &b).map(Value::Float),
        "//" | "%" if by_zero => {
            return Err(zero_division("integer division or modulo by zero"));
        }
        "//" => divide(&a, &b).0,
        "%" => divide(&a, &b).1,
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<" | ">>" if b.sign() == Sign::Minus => {
            return Err(Error::new(Class::ValueError, "negative shift count"));
        }
        "<<" => match u64::try_from(&b) {
            _ if a == BigInt::ZERO => a,
            Ok(shift) if a.bits().saturating_add(shift) <= MOST_BITS => a << shift,
            _ => return Err(too_large()),
        },
        // Beyond all bits only the sign is left.
        ">>" => a >> u64::try_from(&b).unwrap_or(MOST_BITS).min(MOST_BITS),
        "**" => return power(a, b),
        _ => return Err(unknown(operator)),
    }))
}

fn unknown(operator: &str) -> Error {
    Error::new(Class::SyntaxError, format!("unknown operator {operator}"))
}

/// Quotient and remainder, rounded down as Python does.
fn divide(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (quotient, remainder) = (a / b, a % b);
    let apart = remainder != BigInt::ZERO && (remainder.sign() != b.sign());
    match apart {
        true => (quotient - 1, remainder + b),
        false => (quotient, remainder),
    }
}

/// The nearest float of a quotient.
fn true_division(a: &BigInt, b: &BigInt) -> Result<f64, Error> {
    const WANTED: i64 = 66;
    const FAR: i64 = 1100;
    if *b == BigInt::ZERO {
        return Err(zero_division("division by zero"));
    }
    // As many bits of the quotient as a float needs, and one that tells whether more follow.
    let shift = WANTED - (a.bits() as i64 - b.bits() as i64);
    let (a, b) = match shift {
        0.. => (a << shift.unsigned_abs(), b.clone()),
        _ => (a.clone(), b << shift.unsigned_abs()),
    };
    let (quotient, remainder) = (&a / &b, &a % &b);
    let sticky = match (remainder == BigInt::ZERO, quotient.sign()) {
        (true, _) => quotient,
        (false, Sign::Minus) => quotient * 2 - 1,
        (false, _) => quotient * 2 + 1,
    };
    let shift = if remainder == BigInt::ZERO {
        shift
    } else {
        shift + 1
    };
    if shift < -FAR {
        let message = "integer division result too large for a float";
        return Err(Error::new(Class::OverflowError, message));
    }
    let exponent = shift.clamp(-FAR, 2 * FAR) as i32;
    let (half, rest) = (exponent / 2, exponent - exponent / 2);
    let result = to_float(&sticky)? * 2f64.powi(-half) * 2f64.powi(-rest);
    match result.is_finite() {
        true => Ok(result),
        false => Err(Error::new(
            Class::OverflowError,
            "integer division result too large for a float",
        )),
    }
}

fn power(base: BigInt, exponent: BigInt) -> Result<Value, Error> {
    if exponent.sign() == Sign::Minus {
        let (base, exponent) = (to_float(&base)?, to_float(&exponent)?);
        let result = floats("**", base, exponent)?;
        return Ok(Value::Float(result.unwrap_or(f64::NAN)));
    }
    // Powers of 0, 1 and −1 stay small.
    if base.bits() <= 1 {
        let even = &exponent % 2 == BigInt::ZERO;
        let one = BigInt::from(1);
        return Ok(Value::int(match base.sign() {
            _ if exponent == BigInt::ZERO => one,
            Sign::Minus if even => one,
            _ => base,
        }));
    }
    let exponent = u32::try_from(&exponent).map_err(|_| too_large())?;
    match base.bits().saturating_mul(exponent.into()) <= MOST_BITS {
        true => Ok(Value::int(base.pow(exponent))),
        false => Err(too_large()),
    }
}

fn floats(operator: &str, a: f64, b: f64) -> Result<Option<f64>, Error> {
    Ok(Some(match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" if b == 0.0 => return Err(zero_division("float division by zero")),
        "//" | "%" if b == 0.0 => return Err(zero_division("float floor division by zero")),
        "/" => a / b,
        "//" => float_divide(a, b).0,
        "%" => float_divide(a, b).1,
        "**" if a == 0.0 && b < 0.0 => {
            return Err(zero_division("zero to a negative power"));
        }
        "**" if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 => {
            return Err(Error::new(
                Class::NotRun,
                "powers that are complex numbers are not computed",
            ));
        }
        "**" => {
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                return Err(Error::new(
                    Class::OverflowError,
                    "(34, 'Numerical result out of range')",
                ));
            }
            result
        }
        _ => return Ok(None),
    }))
}

/// Objects/floatobject.c `float_divmod`.
fn float_divide(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = 0f64.copysign(b);
    } else if (b < 0.0) != (remainder < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    let floor = match quotient == 0.0 {
        true => 0f64.copysign(a / b),
        false if quotient - quotient.floor() > 0.5 => quotient.floor() + 1.0,
        false => quotient.floor(),
    };
    (floor, remainder)
}

type Complex = (f64, f64);

fn complexes(operator: &str, a: Complex, b: Complex) -> Result<Option<Complex>, Error> {
    Ok(Some(match operator {
        "+" => (a.0 + b.0, a.1 + b.1),
        "-" => (a.0 - b.0, a.1 - b.1),
        "*" => (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0),
        "/" if b == (0.0, 0.0) => return Err(zero_division("complex division by zero")),
        "/" if b.0.abs() >= b.1.abs() => {
            let ratio = b.1 / b.0;
            let scale = b.0 + b.1 * ratio;
            ((a.0 + a.1 * ratio) / scale, (a.1 - a.0 * ratio) / scale)
        }
        "/" => {
            let ratio = b.0 / b.1;
            let scale = b.0 * ratio + b.1;
            ((a.0 * ratio + a.1) / scale, (a.1 * ratio - a.0) / scale)
        }
        "**" => {
            return Err(Error::new(
                Class::NotRun,
                "powers of complex numbers are not computed",
            ));
        }
        _ => return Ok(None),
    }))
}

/// `-a`, `+a`, `~a` of a number; `None` unless it is one.
pub(crate) fn unary(operator: &str, value: &Value, two: bool) -> Option<Value> {
    if let Some(int) = value.as_int() {
        let result = match operator {
            "-" => -int,
            "~" => -int - 1,
            _ => int,
        };
        let was_long = matches!(value, Value::Int { long: true, .. });
        let long = two && (was_long || i64::try_from(&result).is_err());
        return Some(Value::Int {
            value: result,
            long,
        });
    }
    match (operator, value) {
        ("-", Value::Float(value)) => Some(Value::Float(-value)),
        ("+", Value::Float(value)) => Some(Value::Float(*value)),
        ("-", Value::Complex(real, imag)) => Some(Value::Complex(-real, -imag)),
        ("+", Value::Complex(real, imag)) => Some(Value::Complex(*real, *imag)),
        _ => None,
    }
}

/// The order of two numbers, exact between integers and floats. The outer `None`: they are not
/// numbers with an order; the inner: one is a NaN.
pub(crate) fn order(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    let against = |int: &BigInt, float: f64| match to_int(float) {
        Some(whole) => Some(int.cmp(&whole).then_with(|| {
            // The float's fraction decides.
            0f64.total_cmp(&(float.fract() + 0.0))
        })),
        None => 0f64.partial_cmp(&float),
    };
    match (left, right) {
        (Value::Float(a), Value::Float(b)) => Some(a.partial_cmp(b)),
        (Value::Float(a), b) => {
            let order = against(&b.as_int()?, *a);
            Some(order.map(Ordering::reverse))
        }
        (a, Value::Float(b)) => Some(against(&a.as_int()?, *b)),
        (a, b) => Some(Some(a.as_int()?.cmp(&b.as_int()?))),
    }
}

/// Whether two numbers are equal; `None` unless both are numbers.
pub(crate) fn equal(left: &Value, right: &Value) -> Option<bool> {
    let real = |value: &Value| match value {
        Value::Complex(real, imag) => (Value::Float(*real), *imag),
        other => (other.clone(), 0.0),
    };
    if !is_number(left) || !is_number(right) {
        return None;
    }
    let ((left, left_imag), (right, right_imag)) = (real(left), real(right));
    Some(left_imag == right_imag && order(&left, &right)? == Some(Ordering::Equal))
}
