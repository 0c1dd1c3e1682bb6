//! What Python writes for values that pydbg has computed; objects of the target are written by
//! [`crate::python::value`].

use super::error::Error;
use super::eval::Evaluator;
use super::value::Value;
use crate::python::value::number::{complex_repr, float_repr};
use crate::python::value::{Limits, Shown, quote};
use num_bigint::BigInt;

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
            Value::Float(value) => self.out.push_str(&float_repr(*value)),
            Value::Complex(real, imag) => self.out.push_str(&complex_repr(*real, *imag)),
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
                self.out
                    .push_str(&format!("<{} more>", items.len() - index));
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
        let version = self.evaluator.objects.layout.version;
        let text = match two {
            true => format!("u{}", quote::ascii(codes)),
            false => quote::text(codes, version),
        };
        self.out.push_str(&text);
        self.out.push_str(&more);
    }

    fn bytes(&mut self, bytes: &[u8], prefix: &str) {
        let (bytes, more) = self.shortened(bytes);
        self.out.push_str(prefix);
        self.out.push_str(&quote::bytes(bytes));
        self.out.push_str(&more);
    }
}
