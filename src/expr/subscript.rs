//! `a[b]` (`mp_subscript` of the builtin types): items, slices and dictionary keys.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::value::{Range, Value};
use num_bigint::BigInt;

/// What stands within the brackets.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Index {
    /// One value.
    One(Value),
    /// `start:stop:step`, `None` where nothing is written.
    Slice([Option<BigInt>; 3]),
}

/// The most places of one slice.
const MOST_PLACES: usize = 1 << 20;

/// Places of a sequence, in order.
struct Places {
    start: i64,
    step: i64,
    count: i64,
}

impl Places {
    fn all(&self) -> impl Iterator<Item = usize> {
        let (start, step) = (self.start, self.step);
        (0..self.count).filter_map(move |index| {
            usize::try_from(start.checked_add(step.checked_mul(index)?)?).ok()
        })
    }
}

fn type_error(message: String) -> Error {
    Error::new(Class::TypeError, message)
}

impl Evaluator<'_> {
    /// `container[index]`.
    pub(crate) fn subscript(&self, container: &Value, index: &Index) -> Result<Value, Error> {
        self.refuse_methods(container, &["__getitem__"])?;
        let loaded = self.load(container)?;
        match (&loaded, index) {
            (Value::Dict(items), Index::One(key)) => {
                self.refuse_methods(key, &["__hash__", "__eq__"])?;
                if let Value::List(_) | Value::Dict(_) | Value::ByteArray(_) = self.load(key)? {
                    let name = self.type_name(key);
                    return Err(type_error(format!("unhashable type: '{name}'")));
                }
                let found = self.find_key(items, key, 0)?.cloned();
                found.map_or_else(|| self.missing_key(container, items, key), Ok)
            }
            (Value::Str(codes), _) => Ok(Value::Str(
                match self.places("string", codes.len(), index)? {
                    Ok(at) => pick(codes, [at]),
                    Err(places) => pick(codes, places.all()),
                },
            )),
            (Value::Bytes(bytes), _) => match self.places("bytes", bytes.len(), index)? {
                Ok(at) if self.two => Ok(Value::Bytes(pick(bytes, [at]))),
                Ok(at) => Ok(byte(bytes, at)),
                Err(places) => Ok(Value::Bytes(pick(bytes, places.all()))),
            },
            (Value::ByteArray(bytes), _) => match self.places("bytearray", bytes.len(), index)? {
                Ok(at) => Ok(byte(bytes, at)),
                Err(places) => Ok(Value::ByteArray(pick(bytes, places.all()))),
            },
            (Value::Tuple(items), _) => match self.places("tuple", items.len(), index)? {
                Ok(at) => Ok(item(items, at)),
                Err(places) => Ok(Value::Tuple(pick(items, places.all()))),
            },
            (Value::List(items), _) => match self.places("list", items.len(), index)? {
                Ok(at) => Ok(item(items, at)),
                Err(places) => Ok(Value::List(pick(items, places.all()))),
            },
            (Value::Deque(items), Index::One(_)) => {
                match self.places("deque", items.len(), index)? {
                    Ok(at) => Ok(item(items, at)),
                    Err(_) => Ok(Value::None),
                }
            }
            (Value::Deque(_), Index::Slice(_)) => Err(type_error(
                "sequence index must be integer, not 'slice'".to_owned(),
            )),
            (Value::Range(range), _) => self.range_item(range, index),
            (Value::Object(addr), _) => self.object_item(*addr, index),
            (Value::Dict(_), Index::Slice(_)) => {
                Err(type_error("unhashable type: 'slice'".to_owned()))
            }
            _ => {
                let name = self.type_name(container);
                Err(type_error(format!("'{name}' object is not subscriptable")))
            }
        }
    }

    fn object_item(&self, addr: crate::Addr, index: &Index) -> Result<Value, Error> {
        if self
            .objects
            .is_a(&self.objects.type_of(addr)?, "numpy.ndarray")
        {
            return self.array_item(addr, index);
        }
        let name = self.type_name(&Value::Object(addr));
        let ty = self.objects.type_of(addr)?;
        let indexable = self.objects.class_attribute(&ty, "__getitem__").is_some();
        Err(match indexable {
            true => Error::new(
                Class::NotRun,
                format!("the items of a '{name}' are known to the target alone"),
            ),
            false => type_error(format!("'{name}' object is not subscriptable")),
        })
    }

    /// The error for a key that a dictionary lacks.
    fn missing_key(
        &self,
        container: &Value,
        items: &[(Value, Value)],
        key: &Value,
    ) -> Result<Value, Error> {
        const MOST_KEYS: usize = 200;
        self.refuse_methods(container, &["__missing__"])?;
        let loaded = self.load(key)?;
        let hint = match &loaded {
            Value::Str(_) | Value::Bytes(_) => {
                let name = self.plain_text(&loaded);
                let keys = items.iter().take(MOST_KEYS);
                let keys = keys.filter_map(|(key, _)| Some(self.plain_text(&self.load(key).ok()?)));
                super::suggest::did_you_mean(&name, keys)
            }
            _ => None,
        };
        let name = self.whole_repr(key)?;
        Err(Error::new(Class::KeyError, name).hint(hint))
    }

    /// The characters of a string; nothing for other values.
    pub(crate) fn plain_text(&self, value: &Value) -> String {
        match value {
            Value::Str(codes) => codes.iter().copied().filter_map(char::from_u32).collect(),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        }
    }

    /// An index as a number.
    pub(crate) fn index_number(&self, value: &Value) -> Result<Option<BigInt>, Error> {
        self.refuse_methods(value, &["__index__"])?;
        Ok(self.load(value)?.as_int())
    }

    /// The place, or the places, of `index` in a sequence of `length` items.
    fn places(
        &self,
        what: &str,
        length: usize,
        index: &Index,
    ) -> Result<Result<usize, Places>, Error> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match index {
            Index::Slice(parts) => Ok(Err(slice(parts, length)?)),
            Index::One(value) => {
                let Some(number) = self.index_number(value)? else {
                    let name = self.type_name(value);
                    let or_slices = if what == "deque" { "" } else { " or slices" };
                    let plural = match what {
                        "list" | "tuple" | "string" | "range" => format!("{what} indices"),
                        "bytes" => "byte indices".to_owned(),
                        other => format!("{other} indices"),
                    };
                    return Err(type_error(format!(
                        "{plural} must be integers{or_slices}, not {name}"
                    )));
                };
                let number = i64::try_from(&number).unwrap_or(i64::MIN);
                let place = if number < 0 {
                    number.checked_add(length).filter(|place| *place >= 0)
                } else {
                    Some(number).filter(|place| *place < length)
                };
                let place = place.and_then(|place| usize::try_from(place).ok());
                place.map(Ok).ok_or_else(|| {
                    let what = match what {
                        "bytes" if self.two => "string",
                        "bytes" => "",
                        what => what,
                    };
                    let space = if what.is_empty() { "" } else { " " };
                    let message = format!("{what}{space}index out of range");
                    Error::new(Class::IndexError, message)
                })
            }
        }
    }

    /// The places of a slice of a sequence of `length` items.
    pub(crate) fn sliced(
        &self,
        what: &str,
        length: usize,
        index: &Index,
    ) -> Result<Vec<usize>, Error> {
        match self.places(what, length, index)? {
            Ok(at) => Ok(vec![at]),
            Err(places) => Ok(places.all().take(MOST_PLACES).collect()),
        }
    }

    fn range_item(&self, range: &Range, index: &Index) -> Result<Value, Error> {
        let at = |place: BigInt| &range.start + &range.step * place;
        match index {
            Index::One(value) => {
                let Some(number) = self.index_number(value)? else {
                    let name = self.type_name(value);
                    return Err(type_error(format!(
                        "range indices must be integers or slices, not {name}"
                    )));
                };
                let place = match number < BigInt::ZERO {
                    true => number + &range.length,
                    false => number,
                };
                match place >= BigInt::ZERO && place < range.length {
                    true => Ok(Value::int(at(place))),
                    false => Err(Error::new(
                        Class::IndexError,
                        "range object index out of range",
                    )),
                }
            }
            Index::Slice(parts) => {
                let too_long =
                    |_| Error::new(Class::TooLarge, "the range is too long to be sliced");
                let length = i64::try_from(&range.length).map_err(too_long)?;
                let places = slice(parts, length)?;
                Ok(Value::Range(Range {
                    start: at(BigInt::from(places.start)),
                    step: &range.step * places.step,
                    length: BigInt::from(places.count),
                }))
            }
        }
    }
}

fn pick<T: Clone>(all: &[T], places: impl IntoIterator<Item = usize>) -> Vec<T> {
    let picked = places.into_iter().filter_map(|place| all.get(place));
    picked.cloned().collect()
}

fn item(items: &[Value], at: usize) -> Value {
    items.get(at).cloned().unwrap_or(Value::None)
}

fn byte(bytes: &[u8], at: usize) -> Value {
    Value::int(bytes.get(at).copied().unwrap_or(0))
}

/// The places that a slice means (Objects/sliceobject.c `PySlice_AdjustIndices`).
fn slice(parts: &[Option<BigInt>; 3], length: i64) -> Result<Places, Error> {
    let [start, stop, step] = parts;
    // Numbers beyond all indices mean the ends.
    let small = |number: &BigInt| {
        i64::try_from(number).unwrap_or(match number.sign() {
            num_bigint::Sign::Minus => -i64::MAX,
            _ => i64::MAX,
        })
    };
    let step = step.as_ref().map_or(1, small);
    if step == 0 {
        return Err(Error::new(Class::ValueError, "slice step cannot be zero"));
    }
    let (lowest, highest) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let place = |number: &BigInt| {
        let number = small(number);
        let number = if number < 0 {
            number.saturating_add(length)
        } else {
            number
        };
        number.clamp(lowest, highest)
    };
    let (first, last) = if step > 0 {
        (0, length)
    } else {
        (length - 1, -1)
    };
    let start = start.as_ref().map_or(first, place);
    let stop = stop.as_ref().map_or(last, place);
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = match distance > 0 {
        true => (distance - 1) / step.saturating_abs() + 1,
        false => 0,
    };
    Ok(Places { start, step, count })
}
