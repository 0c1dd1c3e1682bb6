//! How numpy writes numbers and times (numpy/_core/arrayprint.py, numpy 2): those of one array
//! together, padded to one width, with at most 8 digits behind the point; scalars as short as
//! they can be told apart.

use super::numpy_type::Unit;
use crate::calendar::{date, year};

/// `np.get_printoptions()["precision"]`.
const PRECISION: usize = 8;

/// The fewest digits that tell `value` from its neighbours of `bytes` bytes: the digits, and the
/// power of ten of the first one.
fn shortest(value: f64, bytes: usize) -> (String, i32) {
    let text = match bytes {
        2 => shortest_half(value),
        4 => format!("{:e}", value as f32),
        _ => format!("{value:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_start_matches('-').replace('.', "");
    (digits, exponent.parse().unwrap_or(0))
}

fn shortest_half(value: f64) -> String {
    const MOST_DIGITS: usize = 5;
    // Halfs are 2^-24 apart below 2^-14, and have 11 significant bits above.
    let spacing = match value.abs() {
        small if small < 2f64.powi(-14) => 2f64.powi(-24),
        large => 2f64.powi(large.log2().floor() as i32 - 10),
    };
    let tries = (0..MOST_DIGITS).map(|digits| format!("{value:.digits$e}"));
    let near = |text: &String| {
        let read: f64 = text.parse().unwrap_or(f64::NAN);
        (read - value).abs() < spacing / 2.0
    };
    let mut near = tries.filter(near);
    near.next().unwrap_or_else(|| format!("{value:e}"))
}

/// The digits before and behind the point, at most [`PRECISION`] of the latter.
fn positional(value: f64, bytes: usize) -> (String, String) {
    let (digits, exponent) = shortest(value, bytes);
    let behind = (digits.len() as i64 - 1 - i64::from(exponent)).max(0) as usize;
    let text = match behind > PRECISION {
        true => format!("{:.PRECISION$}", value.abs()),
        false => format!("{:.behind$}", value.abs()),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = match exponent >= digits.len() as i32 {
        // Digits beyond the shortest ones are zeros.
        true => format!("{digits:0<width$}", width = exponent as usize + 1),
        false => whole.to_owned(),
    };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    (
        format!("{sign}{whole}"),
        fraction.trim_end_matches('0').to_owned(),
    )
}

/// The digit before the point, those behind it, and the exponent with its sign.
fn scientific(value: f64, bytes: usize, precision: usize) -> (String, String, String) {
    let (digits, exponent) = shortest(value, bytes);
    let (digits, exponent) = match digits.len() > precision + 1 {
        false => (digits, exponent),
        true => {
            let text = format!("{:.precision$e}", value.abs());
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            (digits.replace('.', ""), exponent.parse().unwrap_or(0))
        }
    };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (first, rest) = digits.split_at(digits.len().min(1));
    let exponent = match exponent < 0 {
        true => format!("-{:02}", exponent.unsigned_abs()),
        false => format!("+{exponent:02}"),
    };
    (
        format!("{sign}{first}"),
        rest.trim_end_matches('0').to_owned(),
        exponent,
    )
}

fn odd(value: f64) -> String {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "nan".to_owned(),
        (_, true) => "inf".to_owned(),
        _ => "-inf".to_owned(),
    }
}

/// A scalar: as Python writes floats, at the precision of its type. `dot` wants `.0` behind whole
/// numbers.
pub(super) fn scalar(value: f64, bytes: usize, dot: bool) -> String {
    if !value.is_finite() {
        return odd(value);
    }
    let (digits, exponent) = shortest(value, bytes);
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        let behind = (digits.len() as i64 - 1 - i64::from(exponent)).max(0) as usize;
        let (whole, _) = positional(value, bytes);
        return match behind {
            0 if dot => format!("{whole}.0"),
            0 => whole,
            _ => format!("{value:.behind$}"),
        };
    }
    let (first, rest, exponent) = scientific(value, bytes, digits.len());
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{first}{dot}{rest}e{exponent}")
}

/// The floats of one array, as numpy aligns them. `plus` writes the sign of positive ones.
pub(super) fn floats(values: &[f64], bytes: usize, plus: bool) -> Vec<String> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let sizes = || finite().map(f64::abs).filter(|value| *value != 0.0);
    let most = sizes().fold(0.0, f64::max);
    let least = sizes().fold(f64::INFINITY, f64::min);
    let exponents = most >= 1e8 || (most > 0.0 && (least < 1e-4 || most / least > 1000.0));
    let signed = |text: String, value: f64| match plus && !value.is_sign_negative() {
        true => format!("+{text}"),
        false => text,
    };
    let split: Vec<(String, String, String)> = finite()
        .map(|value| match exponents {
            true => {
                let (whole, fraction, exponent) = scientific(value, bytes, PRECISION);
                (signed(whole, value), fraction, format!("e{exponent}"))
            }
            false => {
                let (whole, fraction) = positional(value, bytes);
                (signed(whole, value), fraction, String::new())
            }
        })
        .collect();
    let widest = |length: fn(&(String, String, String)) -> usize| split.iter().map(length).max();
    let mut left = widest(|(whole, _, _)| whole.len()).unwrap_or(0);
    let behind = widest(|(_, fraction, _)| fraction.len()).unwrap_or(0);
    let power = widest(|(_, _, exponent)| exponent.len()).unwrap_or(0);
    let right = behind + power;
    let odd = |value: f64| signed(odd(value), value);
    for value in values.iter().filter(|value| !value.is_finite()) {
        left = left.max(odd(*value).len().saturating_sub(right + 1));
    }
    let mut split = split.into_iter();
    let write = |value: &f64| match value.is_finite().then(|| split.next()).flatten() {
        // With exponents all have the same number of digits, else zeros are blanks.
        Some((whole, fraction, exponent)) if exponents => {
            let exponent = wide_exponent(&exponent, power);
            format!("{whole:>left$}.{fraction:0<behind$}{exponent}")
        }
        Some((whole, fraction, _)) => format!("{whole:>left$}.{fraction:<behind$}"),
        None => format!("{:>width$}", odd(*value), width = left + 1 + right),
    };
    values.iter().map(write).collect()
}

/// `e+05` with as many digits as the widest one has.
fn wide_exponent(exponent: &str, width: usize) -> String {
    let (sign, digits) = exponent.split_at(exponent.len().min(2));
    format!(
        "{sign}{digits:0>digits_width$}",
        digits_width = width.saturating_sub(2)
    )
}

/// The complex numbers of one array.
pub(super) fn complexes(values: &[(f64, f64)], bytes: usize) -> Vec<String> {
    let reals: Vec<f64> = values.iter().map(|(real, _)| *real).collect();
    let imaginaries: Vec<f64> = values.iter().map(|(_, imaginary)| *imaginary).collect();
    let reals = floats(&reals, bytes, false);
    let imaginaries = floats(&imaginaries, bytes, true);
    let join = |(real, imaginary): (String, String)| {
        // The `j` stands before the blanks.
        let digits = imaginary.trim_end();
        let blanks = imaginary.get(digits.len()..).unwrap_or_default();
        format!("{real}{digits}j{blanks}")
    };
    reals.into_iter().zip(imaginaries).map(join).collect()
}

/// A complex scalar.
pub(super) fn complex(real: f64, imaginary: f64, bytes: usize) -> String {
    let second = scalar(imaginary, bytes, false);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{second}j");
    }
    let sign = if second.starts_with('-') { "" } else { "+" };
    format!("{}{sign}{second}j", scalar(real, bytes, false))
}

/// A point in time as `datetime64` writes it; `None` for units that are not written here.
pub(super) fn moment(steps: i64, unit: Unit) -> Option<String> {
    const SECONDS: usize = 7;
    const PER_DAY: [i128; 7] = [0, 0, 0, 0, 1, 24, 1440];
    if steps == i64::MIN {
        return Some("NaT".to_owned());
    }
    let ticks = i128::from(steps) * i128::from(unit.count);
    let per_day = match unit.base {
        0 => return Some(year(1970 + ticks)),
        1 => {
            let month = ticks.rem_euclid(12) + 1;
            return Some(format!("{}-{month:02}", year(1970 + ticks.div_euclid(12))));
        }
        2 => return Some(date(ticks * 7)),
        4..SECONDS => *PER_DAY.get(unit.base)?,
        SECONDS..=13 => 86_400 * 1000i128.pow((unit.base - SECONDS) as u32),
        _ => return None,
    };
    let (day, rest) = (date(ticks.div_euclid(per_day)), ticks.rem_euclid(per_day));
    Some(match unit.base {
        4 => day,
        5 => format!("{day}T{rest:02}"),
        6 => format!("{day}T{:02}:{:02}", rest / 60, rest % 60),
        base => {
            let digits = 3 * (base - SECONDS);
            let scale = per_day / 86_400;
            let (second, fraction) = (rest / scale, rest % scale);
            let clock = format!(
                "{:02}:{:02}:{:02}",
                second / 3600,
                second / 60 % 60,
                second % 60
            );
            match digits {
                0 => format!("{day}T{clock}"),
                _ => format!("{day}T{clock}.{fraction:0digits$}"),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_aligned_as_numpy_does() {
        let text = |values: &[f64]| floats(values, 8, false).join(", ");
        assert_eq!(text(&[1.0, 2.5, -3.0]), " 1. ,  2.5, -3. ");
        assert_eq!(text(&[1e10, 1.5]), "1.0e+10, 1.5e+00");
        assert_eq!(text(&[1e-5, f64::NAN]), "1.e-05,    nan");
        assert_eq!(text(&[1.0 / 3.0]), "0.33333333");
        assert_eq!(text(&[1e300, 1.0]), "1.e+300, 1.e+000");
        assert_eq!(text(&[f64::INFINITY, -1.0]), "inf, -1.");
    }

    #[test]
    fn scalars_are_as_short_as_they_can_be() {
        assert_eq!(scalar(0.1f32.into(), 4, true), "0.1");
        assert_eq!(scalar(0.0999755859375, 2, true), "0.1");
        assert_eq!(scalar(1e16, 8, true), "1e+16");
        assert_eq!(scalar(-1.5e-7, 8, true), "-1.5e-07");
        assert_eq!(scalar(100.0, 8, true), "100.0");
        assert_eq!(scalar(-0.0, 8, true), "-0.0");
        assert_eq!(complex(1.0, -2.0, 8), "1-2j");
    }

    #[test]
    fn moments_are_dates() {
        let text = |steps, base| moment(steps, Unit { base, count: 1 }).unwrap();
        assert_eq!(text(18262, 4), "2020-01-01");
        assert_eq!(text(-1, 7), "1969-12-31T23:59:59");
        assert_eq!(
            text(1_577_836_800_000_000_001, 10),
            "2020-01-01T00:00:00.000000001"
        );
        assert_eq!(text(600, 1), "2020-01");
        assert_eq!(text(i64::MIN, 4), "NaT");
        assert!(text(i64::MAX, 0).starts_with("9223"));
    }
}
