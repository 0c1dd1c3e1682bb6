//! Values while an expression is evaluated: objects of the target by their address, and what
//! pydbg computes itself.

use crate::addr::Addr;
use num_bigint::BigInt;

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// An object of the target.
    Object(Addr),
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer; `long` where Python 2 would write it with an L.
    Int {
        /// The number.
        value: BigInt,
        /// Whether it is of the type `long`.
        long: bool,
    },
    /// A float.
    Float(f64),
    /// A complex number.
    Complex(f64, f64),
    /// Code points of a string, lone surrogates included; in Python 2 `unicode`.
    Str(Vec<u32>),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A bytearray.
    ByteArray(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A deque.
    Deque(Vec<Value>),
    /// Items of a dictionary.
    Dict(Vec<(Value, Value)>),
    /// Elements of a set.
    Set(Vec<Value>),
    /// A range.
    Range(Range),
}

/// `range(start, start + length * step, step)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Range {
    /// The first number.
    pub start: BigInt,
    /// From one number to the next.
    pub step: BigInt,
    /// How many numbers.
    pub length: BigInt,
}

impl Value {
    /// An integer.
    pub fn int(value: impl Into<BigInt>) -> Value {
        Value::Int {
            value: value.into(),
            long: false,
        }
    }

    /// An integer of Python 2's type `long`.
    pub fn long(value: impl Into<BigInt>) -> Value {
        Value::Int {
            value: value.into(),
            long: true,
        }
    }

    /// A string.
    pub fn text(text: &str) -> Value {
        Value::Str(text.chars().map(u32::from).collect())
    }

    /// The address, of an object of the target.
    pub fn address(&self) -> Option<Addr> {
        match self {
            Value::Object(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The name of its type, for all but objects.
    pub(crate) fn builtin_type(&self, two: bool) -> &'static str {
        match self {
            Value::Object(_) => "object",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int { long: true, .. } => "long",
            Value::Int { .. } => "int",
            Value::Float(_) => "float",
            Value::Complex(..) => "complex",
            Value::Str(_) if two => "unicode",
            Value::Bytes(_) if two => "str",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::ByteArray(_) => "bytearray",
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Deque(_) => "collections.deque",
            Value::Dict(_) => "dict",
            Value::Set(_) => "set",
            Value::Range(_) if two => "xrange",
            Value::Range(_) => "range",
        }
    }

    /// The number, of a number that is no object of the target.
    pub(crate) fn as_int(&self) -> Option<BigInt> {
        match self {
            Value::Int { value, .. } => Some(value.clone()),
            Value::Bool(value) => Some(BigInt::from(u8::from(*value))),
            _ => None,
        }
    }
}
