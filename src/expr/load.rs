//! Objects of builtin types as values: numbers, strings, and the items of containers (which stay
//! objects). Subclasses count as what they are made of; whether their own methods would have to
//! run is asked elsewhere.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::value::{Range, Value};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags};
use crate::target::{Fault, Why};
use num_bigint::BigInt;
use std::sync::Arc;

/// The most items, characters or bytes that a value is made of.
pub(crate) const MOST_ITEMS: usize = 1 << 20;

/// What a type is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Made {
    None,
    Bool,
    Int,
    Float,
    Complex,
    Str,
    Bytes,
    ByteArray,
    Tuple,
    List,
    Deque,
    Dict,
    Set,
    Range,
    /// `mappingproxy`: a view of a mapping.
    Proxy,
    /// Anything else.
    Other,
}

/// Types that no flag tells, by full name.
const NAMED: &[(&str, Made)] = &[
    ("NoneType", Made::None),
    ("bool", Made::Bool),
    ("float", Made::Float),
    ("complex", Made::Complex),
    ("bytearray", Made::ByteArray),
    ("collections.deque", Made::Deque),
    ("set", Made::Set),
    ("frozenset", Made::Set),
    ("frozendict", Made::Dict),
    ("range", Made::Range),
    ("xrange", Made::Range),
    ("mappingproxy", Made::Proxy),
];

/// Types by the bit of `tp_flags` that their subclasses have too.
const FLAGGED: &[(u64, Made)] = &[
    (flags::LONG, Made::Int),
    (flags::LIST, Made::List),
    (flags::TUPLE, Made::Tuple),
    (flags::BYTES, Made::Bytes),
    (flags::STR, Made::Str),
    (flags::DICT, Made::Dict),
];

/// The error for bytes that make no sense.
fn malformed(addr: Addr) -> Error {
    let why = Why::Malformed;
    Fault { addr, why }.into()
}

/// Fails when there are too many of something.
pub(crate) fn bounded(count: usize) -> Result<usize, Error> {
    match count <= MOST_ITEMS {
        true => Ok(count),
        false => Err(Error::new(
            Class::TooLarge,
            format!("{count} items are more than are worked on here"),
        )),
    }
}

/// What a type is made of.
pub(crate) fn made_of(objects: &Objects, ty: &Arc<TypeInfo>) -> Made {
    let small = objects.layout.fields.int.small.is_some() && ty.is(flags::SMALL_INT);
    let mro = objects.mro(ty);
    let named = mro.iter().find_map(|class| {
        let name = objects.full_name(class);
        let found = NAMED.iter().find(|(known, _)| *known == &*name);
        found.map(|(_, made)| *made)
    });
    match named {
        Some(made) => made,
        None if small => Made::Int,
        None => {
            let flagged = FLAGGED.iter().find(|(flag, _)| ty.is(*flag));
            flagged.map_or(Made::Other, |(_, made)| *made)
        }
    }
}

impl Evaluator<'_> {
    /// What an object of the target is made of.
    pub(crate) fn made(&self, addr: Addr) -> Result<Made, Error> {
        let ty = self.objects.type_of(addr)?;
        Ok(made_of(self.objects, &ty))
    }

    /// An object as a value, where it is of a builtin type; else itself.
    pub(crate) fn load(&self, value: &Value) -> Result<Value, Error> {
        let Value::Object(addr) = value else {
            return Ok(value.clone());
        };
        let addr = *addr;
        self.step(1)?;
        let objects = self.objects;
        Ok(match self.made(addr)? {
            Made::None => Value::None,
            Made::Bool => Value::Bool(objects.int(addr)? != 0),
            Made::Int => Value::Int {
                value: objects.big_int(addr)?,
                long: self.two && objects.type_of(addr)?.is(flags::LONG),
            },
            Made::Float => Value::Float(objects.float(addr)?),
            Made::Complex => {
                let part = |offset| objects.double(objects.after(addr, offset));
                Value::Complex(part(0)?, part(8)?)
            }
            Made::Str => self.load_text(addr)?,
            Made::Bytes => Value::Bytes(objects.bytes(addr, MOST_ITEMS)?),
            Made::ByteArray => {
                let start = objects.layout.fields.bytearray.start.of(addr);
                let size = bounded(self.size(addr)?)?;
                let bytes = match size {
                    0 => Vec::new(),
                    _ => {
                        let start = objects.memory.ptr(start)?;
                        objects.memory.bytes(start, size)?.into_owned()
                    }
                };
                Value::ByteArray(bytes)
            }
            Made::Tuple => Value::Tuple(self.load_items(addr)?),
            Made::List => Value::List(self.load_items(addr)?),
            Made::Deque => Value::Deque(self.load_items(addr)?),
            Made::Dict => {
                let items = objects.dict_items(addr)?.into_iter();
                let pair = |(key, value)| (Value::Object(key), Value::Object(value));
                Value::Dict(items.map(pair).collect())
            }
            Made::Set => Value::Set(self.load_items(addr)?),
            Made::Range => self.load_range(addr)?,
            Made::Proxy => {
                let inner = Value::Object(objects.memory.ptr(objects.after(addr, 0))?);
                // A proxy of a proxy cannot be made.
                match self.made(inner.address().unwrap_or(addr))? {
                    Made::Dict => self.load(&inner)?,
                    _ => value.clone(),
                }
            }
            Made::Other => value.clone(),
        })
    }

    /// `ob_size` of an object that cannot have a negative one.
    pub(crate) fn size(&self, addr: Addr) -> Result<usize, Error> {
        let size = self.objects.var_size(addr)?;
        usize::try_from(size).map_err(|_| malformed(addr))
    }

    fn load_text(&self, addr: Addr) -> Result<Value, Error> {
        let (codes, more) = self.objects.chars(addr, MOST_ITEMS)?;
        bounded(
            codes
                .len()
                .saturating_add(usize::try_from(more).unwrap_or(usize::MAX)),
        )?;
        Ok(Value::Str(codes))
    }

    fn load_items(&self, addr: Addr) -> Result<Vec<Value>, Error> {
        let length = self.objects.len(addr)?;
        let length = bounded(usize::try_from(length).unwrap_or(usize::MAX))?;
        self.step(length)?;
        let items = match self.made(addr)? {
            Made::Set => self.objects.set_items(addr, length)?,
            _ => self.objects.items(addr, length)?,
        };
        Ok(items.into_iter().map(Value::Object).collect())
    }

    fn load_range(&self, addr: Addr) -> Result<Value, Error> {
        let f = &self.objects.layout.fields.range;
        let number = |field: crate::python::layout::Field| -> Result<BigInt, Error> {
            let word = self.objects.memory.u64(field.of(addr))?;
            match f.stop {
                Some(_) => Ok(self.objects.big_int(Addr(word))?),
                None => Ok(BigInt::from(word as i64)),
            }
        };
        Ok(Value::Range(Range {
            start: number(f.start)?,
            step: number(f.step)?,
            length: number(f.length)?,
        }))
    }
}
