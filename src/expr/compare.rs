//! Equality, order, membership and truth, as the builtin types define them (`tp_richcompare`).

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::number;
use super::value::Value;
use std::cmp::Ordering;

/// The deepest nesting of containers that is compared.
const DEEPEST: usize = 50;

/// Special methods that decide whether two objects are equal.
const EQUALITY: &[&str] = &["__eq__", "__ne__", "__cmp__"];

impl Evaluator<'_> {
    /// `left operator right`, for any comparison.
    pub(crate) fn compare(
        &self,
        operator: &str,
        left: &Value,
        right: &Value,
    ) -> Result<bool, Error> {
        match operator {
            "==" => self.equal(left, right, 0),
            "!=" => self.equal(left, right, 0).map(|equal| !equal),
            "is" => self.identical(left, right),
            "is not" => self.identical(left, right).map(|same| !same),
            "in" => self.contains(right, left),
            "not in" => self.contains(right, left).map(|inside| !inside),
            _ => {
                let order = self.order(operator, left, right, 0)?;
                Ok(order.is_some_and(|order| match operator {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
        }
    }

    /// Whether two values are the same object.
    fn identical(&self, left: &Value, right: &Value) -> Result<bool, Error> {
        if let (Some(left), Some(right)) = (left.address(), right.address()) {
            return Ok(left == right);
        }
        let (left, right) = (self.load(left)?, self.load(right)?);
        match (&left, &right) {
            (Value::None, Value::None) => Ok(true),
            (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
            (Value::None | Value::Bool(_), _) | (_, Value::None | Value::Bool(_)) => Ok(false),
            _ if left.builtin_type(self.two) != right.builtin_type(self.two) => Ok(false),
            _ => Err(Error::new(
                Class::NotRun,
                "a value that was computed here has no identity in the target",
            )),
        }
    }

    /// Refuses when a class of the object defines one of these methods in Python.
    pub(crate) fn refuse_methods(&self, value: &Value, names: &[&str]) -> Result<(), Error> {
        let Some(addr) = value.address() else {
            return Ok(());
        };
        let objects = self.objects;
        let ty = objects.type_of(addr)?;
        if objects.mro(&ty).iter().all(|class| !class.is_heap()) {
            return Ok(());
        }
        for name in names {
            let Some((method, owner)) = objects.class_attribute(&ty, name) else {
                continue;
            };
            let method = objects.type_of(method)?;
            if owner.is_heap() && method.name.as_deref() == Some("function") {
                let owner = objects.full_name(&owner);
                return Err(Error::new(
                    Class::NotRun,
                    format!("{owner}.{name} is code of the target"),
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn equal(&self, left: &Value, right: &Value, depth: usize) -> Result<bool, Error> {
        self.step(1)?;
        // Containers compare the identity of their items first; so are NaNs found in lists.
        if depth > 0 && left.address().is_some() && left.address() == right.address() {
            return Ok(true);
        }
        if depth > DEEPEST {
            return Err(Error::new(Class::TooLarge, "too deeply nested to compare"));
        }
        self.refuse_methods(left, EQUALITY)?;
        self.refuse_methods(right, EQUALITY)?;
        let (a, b) = (self.load(left)?, self.load(right)?);
        if let Some(equal) = number::equal(&a, &b) {
            return Ok(equal);
        }
        match (&a, &b) {
            (Value::None, Value::None) => Ok(true),
            (Value::Str(a), Value::Str(b)) => Ok(a == b),
            (Value::Bytes(a) | Value::ByteArray(a), Value::Bytes(b) | Value::ByteArray(b)) => {
                Ok(a == b)
            }
            (Value::Str(text), Value::Bytes(bytes)) | (Value::Bytes(bytes), Value::Str(text)) => {
                // Python 2 compares them where the bytes are ASCII.
                let ascii = self.two && bytes.is_ascii();
                let codes = bytes.iter().map(|byte| u32::from(*byte));
                Ok(ascii && codes.eq(text.iter().copied()))
            }
            (Value::Tuple(a), Value::Tuple(b))
            | (Value::List(a), Value::List(b))
            | (Value::Deque(a), Value::Deque(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b) {
                    if !self.equal(a, b, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Dict(a), Value::Dict(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in a {
                    let other = self.find_key(b, key, depth + 1)?;
                    let same = other.map(|other| self.equal(value, other, depth + 1));
                    if !same.transpose()?.unwrap_or(false) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Set(a), Value::Set(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for item in a {
                    if !self.any_equal(b, item, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Range(a), Value::Range(b)) => {
                let one = num_bigint::BigInt::from(1);
                let empty = a.length == num_bigint::BigInt::ZERO;
                let same = a.start == b.start && (a.length == one || a.step == b.step);
                Ok(a.length == b.length && (empty || same))
            }
            (Value::Object(a), Value::Object(b)) if a == b => Ok(true),
            (Value::Object(a), _) if !self.compares_by_identity(*a)? => Err(self.opaque(*a)),
            (_, Value::Object(b)) if !self.compares_by_identity(*b)? => Err(self.opaque(*b)),
            _ => Ok(false),
        }
    }

    /// Whether an object is equal to itself alone, as `object.__eq__` has it.
    fn compares_by_identity(&self, addr: crate::Addr) -> Result<bool, Error> {
        /// Builtin types whose comparison is inherited from `object`, for what their namespaces
        /// cannot tell.
        const PLAIN: &[&str] = &["module", "type", "function", "classobj", "NoneType"];
        let objects = self.objects;
        let ty = objects.type_of(addr)?;
        if let Some((_, owner)) = objects.class_attribute(&ty, "__eq__") {
            let name = objects.full_name(&owner);
            return Ok(matches!(&*name, "object" | "type"));
        }
        let is_plain = ty.is_heap() || PLAIN.contains(&&*objects.full_name(&ty));
        Ok(is_plain)
    }

    fn opaque(&self, addr: crate::Addr) -> Error {
        let name = self.type_name(&Value::Object(addr));
        let message = format!("how '{name}' objects compare is known to the target alone");
        Error::new(Class::NotRun, message)
    }

    /// The value of a key among the items of a dictionary.
    pub(crate) fn find_key<'v>(
        &self,
        items: &'v [(Value, Value)],
        key: &Value,
        depth: usize,
    ) -> Result<Option<&'v Value>, Error> {
        let wanted = match depth {
            0 => self.load(key)?,
            _ => key.clone(),
        };
        for (candidate, value) in items {
            if candidate.address().is_some() && candidate.address() == key.address() {
                return Ok(Some(value));
            }
            if self.equal(candidate, &wanted, depth + 1)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn any_equal(&self, items: &[Value], wanted: &Value, depth: usize) -> Result<bool, Error> {
        for item in items {
            if self.equal(item, wanted, depth.max(1))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The order of two values; `None` where there is none (NaN).
    fn order(
        &self,
        operator: &str,
        left: &Value,
        right: &Value,
        depth: usize,
    ) -> Result<Option<Ordering>, Error> {
        const ORDER: &[&str] = &["__lt__", "__le__", "__gt__", "__ge__", "__cmp__"];
        self.step(1)?;
        if depth > DEEPEST {
            return Err(Error::new(Class::TooLarge, "too deeply nested to compare"));
        }
        self.refuse_methods(left, ORDER)?;
        self.refuse_methods(right, ORDER)?;
        let (a, b) = (self.load(left)?, self.load(right)?);
        if let Some(order) = number::order(&a, &b) {
            return Ok(order);
        }
        match (&a, &b) {
            (Value::Str(a), Value::Str(b)) => Ok(Some(a.cmp(b))),
            (Value::Bytes(a) | Value::ByteArray(a), Value::Bytes(b) | Value::ByteArray(b)) => {
                Ok(Some(a.cmp(b)))
            }
            (Value::Tuple(a), Value::Tuple(b))
            | (Value::List(a), Value::List(b))
            | (Value::Deque(a), Value::Deque(b)) => {
                for (a, b) in a.iter().zip(b) {
                    if !self.equal(a, b, depth + 1)? {
                        return self.order(operator, a, b, depth + 1);
                    }
                }
                Ok(Some(a.len().cmp(&b.len())))
            }
            (Value::Set(_), Value::Set(_)) => Err(Error::new(
                Class::NotRun,
                "subsets are not computed; compare with == or in",
            )),
            (Value::Object(addr), _) | (_, Value::Object(addr))
                if !self.compares_by_identity(*addr)? =>
            {
                Err(self.opaque(*addr))
            }
            _ if self.two => Err(Error::new(
                Class::NotRun,
                "the order of values of different types has no meaning",
            )),
            _ => Err(Error::new(
                Class::TypeError,
                format!(
                    "'{operator}' not supported between instances of '{}' and '{}'",
                    self.type_name(left),
                    self.type_name(right)
                ),
            )),
        }
    }

    /// `item in container`.
    fn contains(&self, container: &Value, item: &Value) -> Result<bool, Error> {
        self.refuse_methods(container, &["__contains__", "__iter__"])?;
        match self.load(container)? {
            Value::Tuple(items) | Value::List(items) | Value::Deque(items) | Value::Set(items) => {
                self.any_equal(&items, item, 1)
            }
            Value::Dict(items) => Ok(self.find_key(&items, item, 0)?.is_some()),
            Value::Str(text) => match self.load(item)? {
                Value::Str(part) => Ok(is_inside(&text, &part)),
                Value::Bytes(part) if self.two && part.is_ascii() => {
                    let part: Vec<u32> = part.into_iter().map(u32::from).collect();
                    Ok(is_inside(&text, &part))
                }
                _ => Err(Error::new(
                    Class::TypeError,
                    format!(
                        "'in <string>' requires string as left operand, not {}",
                        self.type_name(item)
                    ),
                )),
            },
            Value::Bytes(bytes) | Value::ByteArray(bytes) => match self.load(item)? {
                Value::Bytes(part) | Value::ByteArray(part) => Ok(is_inside(&bytes, &part)),
                other => match other.as_int().map(|int| u8::try_from(&int)) {
                    Some(Ok(byte)) => Ok(bytes.contains(&byte)),
                    Some(Err(_)) => Err(Error::new(
                        Class::ValueError,
                        "byte must be in range(0, 256)",
                    )),
                    None => Err(Error::new(
                        Class::TypeError,
                        format!(
                            "a bytes-like object is required, not '{}'",
                            self.type_name(item)
                        ),
                    )),
                },
            },
            Value::Range(range) => {
                let Some(wanted) = self.load(item)?.as_int() else {
                    return Ok(false);
                };
                let zero = num_bigint::BigInt::ZERO;
                if range.step == zero {
                    return Ok(false);
                }
                let distance = wanted - &range.start;
                let (index, rest) = (&distance / &range.step, &distance % &range.step);
                Ok(rest == zero && index >= zero && index < range.length)
            }
            Value::Object(addr) => Err(Error::new(
                Class::NotRun,
                format!(
                    "what is in a '{}' is known to the target alone",
                    self.type_name(&Value::Object(addr))
                ),
            )),
            _ => Err(Error::new(
                Class::TypeError,
                format!(
                    "argument of type '{}' is not iterable",
                    self.type_name(container)
                ),
            )),
        }
    }

    /// Whether a value is true.
    pub fn truth(&self, value: &Value) -> Result<bool, Error> {
        self.refuse_methods(value, &["__bool__", "__nonzero__", "__len__"])?;
        Ok(match self.load(value)? {
            Value::None => false,
            Value::Bool(value) => value,
            Value::Int { value, .. } => value != num_bigint::BigInt::ZERO,
            Value::Float(value) => value != 0.0,
            Value::Complex(real, imag) => real != 0.0 || imag != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Bytes(bytes) | Value::ByteArray(bytes) => !bytes.is_empty(),
            Value::Tuple(items) | Value::List(items) | Value::Deque(items) | Value::Set(items) => {
                !items.is_empty()
            }
            Value::Dict(items) => !items.is_empty(),
            Value::Range(range) => range.length != num_bigint::BigInt::ZERO,
            Value::Object(addr) => {
                let objects = self.objects;
                let ty = objects.type_of(addr)?;
                let decides = |name| objects.class_attribute(&ty, name).is_some();
                if ["__bool__", "__nonzero__", "__len__"]
                    .into_iter()
                    .any(decides)
                {
                    let name = self.type_name(value);
                    let message = format!("whether a '{name}' is true the target alone knows");
                    return Err(Error::new(Class::NotRun, message));
                }
                true
            }
        })
    }
}

/// Whether `part` occurs in `whole`. Linear: hostile strings may be long.
fn is_inside<T: PartialEq>(whole: &[T], part: &[T]) -> bool {
    // The table of Knuth, Morris and Pratt: how much of `part` still fits after a mismatch.
    let mut fallback = vec![0usize; part.len()];
    let mut length = 0;
    for at in 1..part.len() {
        length = extended(part, &fallback, length, part.get(at));
        if let Some(entry) = fallback.get_mut(at) {
            *entry = length;
        }
    }
    let mut matched = 0;
    part.is_empty()
        || whole.iter().any(|item| {
            matched = extended(part, &fallback, matched, Some(item));
            matched == part.len()
        })
}

/// How much of `part` matches once `next` follows a match of `length`.
fn extended<T: PartialEq>(
    part: &[T],
    fallback: &[usize],
    mut length: usize,
    next: Option<&T>,
) -> usize {
    loop {
        if part.get(length) == next {
            return length + 1;
        }
        match length.checked_sub(1).and_then(|last| fallback.get(last)) {
            Some(shorter) => length = *shorter,
            None => return 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn parts_are_found() {
        assert!(is_inside(b"abcabcabd", b"abcabd"));
        assert!(is_inside(b"aaab", b"aab"));
        assert!(!is_inside(b"abc", b"cd"));
        assert!(is_inside(b"", b"") && is_inside(b"x", b""));
        assert!(!is_inside(b"", b"x"));
    }
}
