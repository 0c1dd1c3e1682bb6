//! Objects of builtin types as values: numbers, strings, and the items of containers (which stay
//! objects). Subclasses count as what they are made of; whether their own methods would have to
//! run is asked elsewhere.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::value::{Range, Value};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags};
use crate::target::{Fault, Why};
use num_bigint::{BigInt, BigUint, Sign};
use std::sync::Arc;

/// The most items, characters or bytes that a value is made of.
pub(crate) const MOST_ITEMS: usize = 1 << 20;

/// The most 30-bit digits of an integer that is computed with.
const MOST_DIGITS: u64 = 1 << 16;

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
            Made::Bool => Value::Bool(self.load_int(addr)? != BigInt::ZERO),
            Made::Int => Value::Int {
                value: self.load_int(addr)?,
                long: self.two && objects.type_of(addr)?.is(flags::LONG),
            },
            Made::Float => Value::Float(self.load_double(addr, 0)?),
            Made::Complex => {
                Value::Complex(self.load_double(addr, 0)?, self.load_double(addr, 8)?)
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
            Made::Deque => Value::Deque(self.load_deque(addr)?),
            Made::Dict => {
                let items = objects.dict_items(addr)?.into_iter();
                let pair = |(key, value)| (Value::Object(key), Value::Object(value));
                Value::Dict(items.map(pair).collect())
            }
            Made::Set => Value::Set(self.load_set(addr)?),
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

    pub(crate) fn load_int(&self, addr: Addr) -> Result<BigInt, Error> {
        const DIGIT_BITS: u32 = 30;
        if let Ok(small) = self.objects.int(addr) {
            return Ok(BigInt::from(small));
        }
        let objects = self.objects;
        let f = &objects.layout.fields.int;
        let (digits, negative) = match f.tag {
            Some(tag) => {
                let tag = objects.memory.u64(tag.of(addr))?;
                (tag >> 3, tag & 3 == 2)
            }
            None => {
                let size = objects.var_size(addr)?;
                (size.unsigned_abs(), size < 0)
            }
        };
        if digits > MOST_DIGITS || !objects.type_of(addr)?.is(flags::LONG) {
            return Err(malformed(addr));
        }
        let raw = objects
            .memory
            .bytes(f.digits.of(addr), digits as usize * 4)?;
        let mut value = BigUint::ZERO;
        for index in (0..digits as usize).rev() {
            let digit = crate::bytes::u32_at(&raw, index * 4).unwrap_or(0);
            value = (value << DIGIT_BITS) + (digit & 0x3fff_ffff);
        }
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        Ok(BigInt::from_biguint(sign, value))
    }

    fn load_double(&self, addr: Addr, offset: u64) -> Result<f64, Error> {
        let place = self.objects.after(addr, offset);
        Ok(f64::from_bits(self.objects.memory.u64(place)?))
    }

    fn load_text(&self, addr: Addr) -> Result<Value, Error> {
        let text = self.objects.text(addr, MOST_ITEMS as u64)?;
        bounded(MOST_ITEMS.saturating_add(usize::try_from(text.left_out).unwrap_or(usize::MAX)))?;
        Ok(Value::text(&text.value))
    }

    fn load_items(&self, addr: Addr) -> Result<Vec<Value>, Error> {
        let size = bounded(self.size(addr)?)?;
        self.step(size)?;
        let items = match self.objects.type_of(addr)?.is(flags::LIST) {
            true => self.objects.list_items(addr, size)?,
            false => self.objects.tuple_items(addr, size)?,
        };
        Ok(items.into_iter().map(Value::Object).collect())
    }

    fn load_deque(&self, addr: Addr) -> Result<Vec<Value>, Error> {
        let (objects, memory) = (self.objects, &self.objects.memory);
        let f = &objects.layout.fields;
        let length = match f.deque.length {
            Some(length) => memory.u64(length.of(addr))? as usize,
            None => self.size(addr)?,
        };
        let mut left = bounded(length)?;
        self.step(left)?;
        let block = &f.deque_block;
        let whole = u64::from(block.right.offset.saturating_sub(block.data.offset) / 8).max(1);
        let mut at = memory.ptr(f.deque.left_block.of(addr))?;
        let mut index = memory.u64(f.deque.left_index.of(addr))?;
        let mut items = Vec::new();
        while left > 0 {
            if index >= whole {
                at = memory.ptr(block.right.of(at))?;
                index = 0;
            }
            let count = (whole - index).min(left as u64);
            let piece = objects.pointers(block.data.of(at).add(index * 8), count as usize)?;
            items.extend(piece.into_iter().map(Value::Object));
            index += count;
            left -= count as usize;
        }
        Ok(items)
    }

    /// The elements of a set, by its table: {key, hash} since 3.0, {hash, key} in 2.7.
    fn load_set(&self, addr: Addr) -> Result<Vec<Value>, Error> {
        const REMOVED: u64 = u64::MAX;
        let objects = self.objects;
        let word = |index: u64| objects.memory.u64(objects.after(addr, index * 8));
        let (used, mask, table) = (word(1)?, word(2)?, word(3)?);
        let slots = usize::try_from(mask).unwrap_or(usize::MAX);
        let slots = bounded(slots.saturating_add(1))?;
        self.step(slots)?;
        let words = objects.pointers(Addr(table), slots * 2)?;
        let mut items = Vec::new();
        for pair in words.chunks_exact(2) {
            let [first, second] = *pair else { continue };
            let (key, hash) = match self.two {
                true => (second, first),
                false => (first, second),
            };
            let dummy = self.two && !key.is_null() && objects.is_text(key, "<dummy key>");
            if !key.is_null() && (self.two || hash.0 != REMOVED) && !dummy {
                items.push(Value::Object(key));
            }
        }
        match items.len() as u64 == used {
            true => Ok(items),
            false => Err(malformed(addr)),
        }
    }

    fn load_range(&self, addr: Addr) -> Result<Value, Error> {
        let f = &self.objects.layout.fields.range;
        let number = |field: crate::python::layout::Field| -> Result<BigInt, Error> {
            let word = self.objects.memory.u64(field.of(addr))?;
            match f.stop {
                Some(_) => self.load_int(Addr(word)),
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
