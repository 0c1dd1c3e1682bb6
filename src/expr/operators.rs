//! Binary and unary operators on values of builtin types.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::load::bounded;
use super::number;
use super::value::Value;

/// Operators with the methods that a class may define for them.
const METHODS: &[(&str, [&str; 2])] = &[
    ("+", ["__add__", "__radd__"]),
    ("-", ["__sub__", "__rsub__"]),
    ("*", ["__mul__", "__rmul__"]),
    ("/", ["__truediv__", "__rtruediv__"]),
    ("//", ["__floordiv__", "__rfloordiv__"]),
    ("%", ["__mod__", "__rmod__"]),
    ("**", ["__pow__", "__rpow__"]),
    ("<<", ["__lshift__", "__rlshift__"]),
    (">>", ["__rshift__", "__rrshift__"]),
    ("&", ["__and__", "__rand__"]),
    ("|", ["__or__", "__ror__"]),
    ("^", ["__xor__", "__rxor__"]),
];

impl Evaluator<'_> {
    /// `left operator right`.
    pub(crate) fn binary(
        &self,
        operator: &'static str,
        left: &Value,
        right: &Value,
    ) -> Result<Value, Error> {
        if let Some((_, methods)) = METHODS.iter().find(|(name, _)| *name == operator) {
            self.refuse_methods(left, methods)?;
            self.refuse_methods(right, methods)?;
            if self.two && operator == "/" {
                self.refuse_methods(left, &["__div__"])?;
                self.refuse_methods(right, &["__rdiv__"])?;
            }
        }
        let (a, b) = (self.load(left)?, self.load(right)?);
        if let Some(result) = number::binary(operator, &a, &b, self.two)? {
            return Ok(result);
        }
        match (operator, &a, &b) {
            ("+", Value::Str(a), Value::Str(b)) => joined(a, b).map(Value::Str),
            ("+", Value::Bytes(a), Value::Bytes(b)) => joined(a, b).map(Value::Bytes),
            ("+", Value::Tuple(a), Value::Tuple(b)) => joined(a, b).map(Value::Tuple),
            ("+", Value::List(a), Value::List(b)) => joined(a, b).map(Value::List),
            ("*", sequence, count) | ("*", count, sequence)
                if count.as_int().is_some() && is_sequence(sequence) =>
            {
                repeated(sequence, count)
            }
            _ if is_plain(&a) && is_plain(&b) => Err(self.unsupported(operator, left, right)),
            _ => Err(Error::new(
                Class::NotRun,
                format!(
                    "{operator} of '{}' and '{}' is not computed here",
                    self.type_name(left),
                    self.type_name(right)
                ),
            )),
        }
    }

    fn unsupported(&self, operator: &str, left: &Value, right: &Value) -> Error {
        let operator = if operator == "**" {
            "** or pow()"
        } else {
            operator
        };
        let (left, right) = (self.type_name(left), self.type_name(right));
        let message = format!("unsupported operand type(s) for {operator}: '{left}' and '{right}'");
        Error::new(Class::TypeError, message)
    }

    /// `-a`, `+a`, `~a`, `not a`.
    pub(crate) fn unary(&self, operator: &'static str, value: &Value) -> Result<Value, Error> {
        let method = match operator {
            "not" => return self.truth(value).map(|truth| Value::Bool(!truth)),
            "-" => "__neg__",
            "+" => "__pos__",
            _ => "__invert__",
        };
        self.refuse_methods(value, &[method])?;
        let loaded = self.load(value)?;
        if let Some(result) = number::unary(operator, &loaded, self.two) {
            return Ok(result);
        }
        let name = self.type_name(value);
        Err(match loaded {
            Value::Object(_) => Error::new(
                Class::NotRun,
                format!("{operator} of '{name}' is not computed here"),
            ),
            _ => Error::new(
                Class::TypeError,
                format!("bad operand type for unary {operator}: '{name}'"),
            ),
        })
    }
}

/// Whether all operators of the value's type are known here.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Str(_) | Value::Bytes(_) | Value::Tuple(_) | Value::List(_) | Value::None => true,
        Value::Float(_) | Value::Complex(..) => true,
        other => other.as_int().is_some(),
    }
}

fn is_sequence(value: &Value) -> bool {
    matches!(
        value,
        Value::Str(_) | Value::Bytes(_) | Value::Tuple(_) | Value::List(_)
    )
}

fn joined<T: Clone>(a: &[T], b: &[T]) -> Result<Vec<T>, Error> {
    bounded(a.len().saturating_add(b.len()))?;
    Ok([a, b].concat())
}

/// `sequence * count`.
fn repeated(sequence: &Value, count: &Value) -> Result<Value, Error> {
    fn times<T: Clone>(items: &[T], count: usize) -> Result<Vec<T>, Error> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        bounded(items.len().saturating_mul(count))?;
        let length = items.len() * count;
        Ok(items.iter().cloned().cycle().take(length).collect())
    }
    let count = count.as_int().unwrap_or_default();
    let count = match count.sign() {
        num_bigint::Sign::Minus => 0,
        _ => usize::try_from(&count).unwrap_or(usize::MAX),
    };
    Ok(match sequence {
        Value::Str(text) => Value::Str(times(text, count)?),
        Value::Bytes(bytes) => Value::Bytes(times(bytes, count)?),
        Value::Tuple(items) => Value::Tuple(times(items, count)?),
        Value::List(items) => Value::List(times(items, count)?),
        other => other.clone(),
    })
}
