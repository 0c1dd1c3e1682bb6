//! What Python writes for values that pydbg has computed; objects of the target are written by
//! [`crate::python::value`].

use super::error::Error;
use super::eval::Evaluator;
use super::value::Value;
use crate::python::value::{Limits, Shown};
use num_bigint::BigInt;
use unicode_general_category::{GeneralCategory, get_general_category};

/// Text within limits.
struct Text<'e> {
    evaluator: &'e Evaluator<'e>,
    limits: Limits,
    out: String,
    cut: bool,
    unreadable: usize,
}

impl Evaluator<'_> {
    /// A value as `repr` writes it, within limits.
    pub fn show(&self, value: &Value, limits: Limits) -> Shown {
        let mut text = Text {
            evaluator: self,
            limits,
            out: String::new(),
            cut: false,
            unreadable: 0,
        };
        text.value(value);
        Shown {
            text: text.out,
            cut: text.cut,
            unreadable: text.unreadable,
        }
    }

    /// A value as `repr` writes it, whole; an error where a part of it cannot be known.
    pub(crate) fn whole_repr(&self, value: &Value) -> Result<String, Error> {
        let limits = Limits {
            total: super::load::MOST_ITEMS,
            ..Limits::NONE
        };
        Ok(self.show(value, limits).text)
    }
}

impl Text<'_> {
    fn value(&mut self, value: &Value) {
        let two = self.evaluator.two;
        match value {
            Value::Object(addr) => {
                let shown = self.evaluator.objects.show(*addr, self.limits);
                self.out.push_str(&shown.text);
                self.cut |= shown.cut;
                self.unreadable += shown.unreadable;
            }
            Value::None => self.out.push_str("None"),
            Value::Bool(value) => self.out.push_str(if *value { "True" } else { "False" }),
            Value::Int { value, long } => {
                self.out.push_str(&value.to_string());
                self.out.push_str(if *long { "L" } else { "" });
            }
            Value::Float(value) => self.out.push_str(&float(*value)),
            Value::Complex(real, imag) => self.out.push_str(&complex(*real, *imag)),
            Value::Str(codes) => self.string(codes, two),
            Value::Bytes(bytes) => self.bytes(bytes, if two { "" } else { "b" }),
            Value::ByteArray(bytes) => {
                self.out.push_str("bytearray(");
                self.bytes(bytes, "b");
                self.out.push(')');
            }
            Value::Tuple(items) if items.len() == 1 => self.items(("(", ",)"), items),
            Value::Tuple(items) => self.items(("(", ")"), items),
            Value::List(items) => self.items(("[", "]"), items),
            Value::Deque(items) => self.items(("deque([", "])"), items),
            Value::Set(items) if two => self.items(("set([", "])"), items),
            Value::Set(items) if items.is_empty() => self.out.push_str("set()"),
            Value::Set(items) => self.items(("{", "}"), items),
            Value::Dict(items) => self.each(("{", "}"), items, |text, (key, value)| {
                text.value(key);
                text.out.push_str(": ");
                text.value(value);
            }),
            Value::Range(range) => {
                let stop = &range.start + &range.step * &range.length;
                let name = if two { "xrange" } else { "range" };
                let step = match range.step == BigInt::from(1) {
                    true => String::new(),
                    false => format!(", {}", range.step),
                };
                self.out
                    .push_str(&format!("{name}({}, {stop}{step})", range.start));
            }
        }
    }

    fn items(&mut self, brackets: (&str, &str), items: &[Value]) {
        self.each(brackets, items, |text, item| text.value(item));
    }

    fn each<T>(&mut self, (open, close): (&str, &str), items: &[T], one: fn(&mut Self, &T)) {
        self.out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if index >= self.limits.elements || self.out.len() >= self.limits.total {
                self.cut = true;
                self.out.push_str(&format!("<{} more>", items.len() - index));
                break;
            }
            one(self, item);
        }
        self.out.push_str(close);
    }

    /// As much of a string as is wanted; says how much is left.
    fn shortened<'t, T>(&mut self, all: &'t [T]) -> (&'t [T], String) {
        let most = self.limits.elements.min(self.limits.total);
        match all.split_at_checked(most) {
            Some((head, tail)) if !tail.is_empty() => {
                self.cut = true;
                (head, format!("<{} more characters>", tail.len()))
            }
            _ => (all, String::new()),
        }
    }

    fn string(&mut self, codes: &[u32], two: bool) {
        let (codes, more) = self.shortened(codes);
        let quote = quote(codes.contains(&39), codes.contains(&34));
        if two {
            self.out.push('u');
        }
        self.out.push(quote);
        for code in codes {
            match char::from_u32(*code) {
                Some(c) if c == quote || c == '\\' => self.out.extend(['\\', c]),
                Some('\n') => self.out.push_str("\\n"),
                Some('\r') => self.out.push_str("\\r"),
                Some('\t') => self.out.push_str("\\t"),
                Some(c) if (' '..='~').contains(&c) => self.out.push(c),
                Some(c) if !two && *code >= 0x80 && is_printable(c) => self.out.push(c),
                _ if *code < 0x100 => self.out.push_str(&format!("\\x{code:02x}")),
                _ if *code < 0x1_0000 => self.out.push_str(&format!("\\u{code:04x}")),
                _ => self.out.push_str(&format!("\\U{code:08x}")),
            }
        }
        self.out.push(quote);
        self.out.push_str(&more);
    }

    fn bytes(&mut self, bytes: &[u8], prefix: &str) {
        let (bytes, more) = self.shortened(bytes);
        let quote = quote(bytes.contains(&b'\''), bytes.contains(&b'"'));
        self.out.push_str(prefix);
        self.out.push(quote);
        for byte in bytes {
            match char::from(*byte) {
                c if c == quote || c == '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c @ ' '..='~' => self.out.push(c),
                _ => self.out.push_str(&format!("\\x{byte:02x}")),
            }
        }
        self.out.push(quote);
        self.out.push_str(&more);
    }
}

/// Python prefers single quotes.
fn quote(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

/// Whether `repr` shows a character as it is (`str.isprintable`).
fn is_printable(c: char) -> bool {
    use GeneralCategory::*;
    !matches!(
        get_general_category(c),
        Control
            | Format
            | Surrogate
            | PrivateUse
            | Unassigned
            | LineSeparator
            | ParagraphSeparator
            | SpaceSeparator
    )
}

/// A float in its shortest form (Python/pystrtod.c, format `r`).
pub(crate) fn float(value: f64) -> String {
    let text = shortest(value);
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-');
    match is_plain(&text) {
        true => format!("{text}.0"),
        false => text,
    }
}

/// The shortest digits that give the number back, without `.0` for whole numbers.
fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match (-4..16).contains(&exponent) {
        true => format!("{value}"),
        false => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
    }
}

/// A complex number (Objects/complexobject.c `complex_repr`).
fn complex(real: f64, imag: f64) -> String {
    if real == 0.0 && real.is_sign_positive() {
        return format!("{}j", shortest(imag));
    }
    let imag_text = shortest(imag);
    let sign = if imag_text.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imag_text}j)", shortest(real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_as_python_writes_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "inf"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(float(value), text);
        }
        assert_eq!(complex(0.0, 2.0), "2j");
        assert_eq!(complex(1.5, -2.0), "(1.5-2j)");
    }
}
