//! The functions that an expression may call: those of Python's builtins that need no code of the
//! target, and `sizeof` and `refcount`.

use super::ast::{Expr, Kind};
use super::error::{Class, Error};
use super::eval::Evaluator;
use super::load::{Made, bounded};
use super::scope::{Lookup, ScopeKind};
use super::value::Value;
use crate::python::object::flags;
use num_bigint::{BigInt, Sign};

/// The functions, for completion.
pub(super) const FUNCTIONS: &[&str] = &[
    "dir",
    "hex",
    "id",
    "isinstance",
    "len",
    "refcount",
    "repr",
    "sizeof",
    "str",
    "type",
    "vars",
];

impl Evaluator<'_> {
    /// `callee(arguments)`.
    pub(crate) fn call(&self, callee: &Expr, arguments: &[Expr]) -> Result<Value, Error> {
        let not_run = || {
            let message = format!(
                "a call would run code of the target; these can be called: {}",
                FUNCTIONS.join(", ")
            );
            Error::new(Class::NotRun, message).at(callee.span)
        };
        let Kind::Name(name) = &callee.kind else {
            return Err(not_run());
        };
        let known = FUNCTIONS.iter().find(|known| **known == name.as_str());
        let name = known.ok_or_else(not_run)?;
        match self.scope.lookup(name) {
            Lookup::Found(_, ScopeKind::Builtin) | Lookup::Missing => {}
            Lookup::Found(_, kind) | Lookup::Unbound(kind) => {
                let message =
                    format!("{name} is a {kind} name of the target here, not the builtin");
                return Err(Error::new(Class::NotRun, message).at(callee.span));
            }
        }
        let values = self.all(arguments)?;
        match (*name, values.as_slice()) {
            ("len", [value]) => self.len(value),
            ("type", [value]) => self.type_of_value(value),
            ("id", [value]) => match value.address() {
                Some(addr) => Ok(Value::int(addr.0)),
                None => Err(Error::new(
                    Class::NotRun,
                    "a value that was computed here has no address in the target",
                )),
            },
            ("repr", [value]) => Ok(self.native_text(&self.whole_repr(value)?)),
            ("str", []) => Ok(self.native_text("")),
            ("str", [value]) => self.str(value),
            ("hex", [value]) => self.hex(value),
            ("dir", []) => {
                let mut names: Vec<String> = self
                    .scope
                    .locals()
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect();
                names.sort();
                Ok(self.names(&names))
            }
            ("dir", [value]) => {
                self.refuse_methods(value, &["__dir__"])?;
                self.attribute_names(value).map(|names| self.names(&names))
            }
            ("vars", []) => {
                let locals = self.scope.locals().into_iter();
                let pair = |(name, value): (String, Value)| (self.native_text(&name), value);
                Ok(Value::Dict(locals.map(pair).collect()))
            }
            ("vars", [value]) => match self.attribute(value, "__dict__") {
                Err(error) if error.class == Class::AttributeError => Err(Error::new(
                    Class::TypeError,
                    "vars() argument must have __dict__ attribute",
                )),
                result => result,
            },
            ("sizeof", [value]) => match value.address() {
                Some(addr) => match self.objects.size_of(addr)? {
                    Some(size) => Ok(Value::int(size)),
                    None => {
                        let name = self.type_name(value);
                        let message = format!("the size of a '{name}' is computed by the target");
                        Err(Error::new(Class::NotRun, message))
                    }
                },
                None => Err(Error::new(
                    Class::NotRun,
                    "a value that was computed here takes no memory of the target",
                )),
            },
            ("refcount", [value]) => match value.address() {
                Some(addr) => Ok(Value::int(self.objects.refcount(addr)?.shown())),
                None => Err(Error::new(
                    Class::NotRun,
                    "a value that was computed here is not counted in the target",
                )),
            },
            ("isinstance", [value, class]) => self.is_instance(value, class, 0),
            (name, values) => {
                let count = values.len();
                let message = format!("{name}() does not take {count} arguments");
                Err(Error::new(Class::TypeError, message))
            }
        }
    }

    fn names(&self, names: &[String]) -> Value {
        Value::List(names.iter().map(|name| self.native_text(name)).collect())
    }

    /// `len(value)`.
    fn len(&self, value: &Value) -> Result<Value, Error> {
        self.refuse_methods(value, &["__len__"])?;
        if let Some(length) = self.quick_len(value)? {
            return Ok(Value::int(length));
        }
        let length = match self.load(value)? {
            Value::Str(text) => text.len(),
            Value::Bytes(bytes) | Value::ByteArray(bytes) => bytes.len(),
            Value::Tuple(items) | Value::List(items) | Value::Deque(items) | Value::Set(items) => {
                items.len()
            }
            Value::Dict(items) => items.len(),
            Value::Range(range) => return Ok(Value::int(range.length)),
            Value::Object(addr) => {
                let ty = self.objects.type_of(addr)?;
                let name = self.type_name(value);
                return Err(match self.objects.class_attribute(&ty, "__len__") {
                    Some(_) => Error::new(
                        Class::NotRun,
                        format!("the length of a '{name}' is known to the target alone"),
                    ),
                    None => no_len(&name),
                });
            }
            _ => return Err(no_len(&self.type_name(value))),
        };
        Ok(Value::int(length))
    }

    /// The length of an object that tells it without its items being read.
    fn quick_len(&self, value: &Value) -> Result<Option<u64>, Error> {
        let Some(addr) = value.address() else {
            return Ok(None);
        };
        Ok(match self.made(addr)? {
            Made::None | Made::Bool | Made::Int | Made::Float | Made::Complex | Made::Other => None,
            _ => Some(self.objects.len(addr)?),
        })
    }

    /// `str(value)`.
    fn str(&self, value: &Value) -> Result<Value, Error> {
        self.refuse_methods(value, &["__str__", "__unicode__"])?;
        match self.load(value)? {
            text @ Value::Str(_) if !self.two => Ok(text),
            bytes @ Value::Bytes(_) if self.two => Ok(bytes),
            Value::Int { value, .. } => Ok(self.native_text(&value.to_string())),
            Value::Object(addr) if self.objects.type_of(addr)?.is(flags::EXCEPTION) => {
                let message = "what str makes of an exception is known to the target alone";
                Err(Error::new(Class::NotRun, message))
            }
            Value::Float(_) | Value::Complex(..) if self.two => {
                let message = "str of a float is shortened by Python 2; use repr";
                Err(Error::new(Class::NotRun, message))
            }
            _ => Ok(self.native_text(&self.whole_repr(value)?)),
        }
    }

    fn hex(&self, value: &Value) -> Result<Value, Error> {
        let loaded = self.load(value)?;
        let Some(int) = loaded.as_int() else {
            let name = self.type_name(value);
            let message = format!("'{name}' object cannot be interpreted as an integer");
            return Err(Error::new(Class::TypeError, message));
        };
        bounded(usize::try_from(int.bits()).unwrap_or(usize::MAX))?;
        let sign = if int.sign() == Sign::Minus { "-" } else { "" };
        let long = matches!(loaded, Value::Int { long: true, .. });
        let suffix = if long { "L" } else { "" };
        let magnitude = BigInt::from(int.magnitude().clone());
        Ok(self.native_text(&format!("{sign}0x{}{suffix}", magnitude.to_str_radix(16))))
    }

    /// `isinstance(value, class)`.
    fn is_instance(&self, value: &Value, class: &Value, depth: usize) -> Result<Value, Error> {
        const DEEPEST: usize = 20;
        let wrong = || {
            let message = "isinstance() arg 2 must be a type, a tuple of types, or a union";
            Error::new(Class::TypeError, message)
        };
        if let Value::Tuple(classes) = self.load(class)? {
            if depth >= DEEPEST {
                return Err(wrong());
            }
            for class in &classes {
                if self.is_instance(value, class, depth + 1)? == Value::Bool(true) {
                    return Ok(Value::Bool(true));
                }
            }
            return Ok(Value::Bool(false));
        }
        let class = class.address().ok_or_else(wrong)?;
        let class = self.objects.as_type(class).map_err(|_| wrong())?;
        self.refuse_methods(&Value::Object(class.addr), &["__instancecheck__"])?;
        let ty = self.type_of_value(value)?.address().ok_or_else(wrong)?;
        let ty = self.objects.as_type(ty)?;
        let mro = self.objects.mro(&ty);
        Ok(Value::Bool(
            mro.iter().any(|known| known.addr == class.addr),
        ))
    }
}

fn no_len(name: &str) -> Error {
    Error::new(
        Class::TypeError,
        format!("object of type '{name}' has no len()"),
    )
}
