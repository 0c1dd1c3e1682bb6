//! The walk over the tree. Nothing of the target is run: where only its code could answer, that
//! is said.

use super::ast::{Expr, Kind};
use super::error::{Class, Error, Span};
use super::parser::parse;
use super::scope::{Lookup, Scope, ScopeKind};
use super::subscript::Index;
use super::suggest::did_you_mean;
use super::value::Value;
use crate::addr::Addr;
use crate::python::layout::IntKind;
use crate::python::object::Objects;
use num_bigint::BigInt;
use std::cell::Cell;

/// The most steps of one evaluation: objects looked at.
const MOST_STEPS: usize = 20_000_000;

/// Evaluates expressions over the objects of one process.
pub struct Evaluator<'a> {
    /// Reads the objects.
    pub objects: &'a Objects,
    /// Where names come from.
    pub scope: &'a dyn Scope,
    /// Earlier answers: the first is `$1`.
    pub history: &'a [Value],
    /// Python 2: byte strings are `str`, and `/` rounds down.
    pub(crate) two: bool,
    steps: Cell<usize>,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Where the name was found, if the expression is just a name.
    pub scope: Option<ScopeKind>,
    /// What is to be known about the value: that it is a property which was not run.
    pub note: Option<String>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator that has done nothing yet.
    pub fn new(objects: &'a Objects, scope: &'a dyn Scope, history: &'a [Value]) -> Evaluator<'a> {
        Evaluator {
            objects,
            scope,
            history,
            two: objects.layout.kinds.int == IntKind::TwoTypes,
            steps: Cell::new(0),
        }
    }

    /// The value of an expression.
    pub fn evaluate(&self, text: &str) -> Result<Answer, Error> {
        let expr = parse(text, self.two)?;
        let scope = match &expr.kind {
            Kind::Name(name) => Some(self.name(name).map_err(|error| error.at(expr.span))?.1),
            _ => None,
        };
        let value = self.eval(&expr)?;
        let note = match &expr.kind {
            Kind::Attribute(_, name, _) => self.property_note(&value, name),
            _ => None,
        };
        Ok(Answer { value, scope, note })
    }

    /// Counts work; an error when it is too much.
    pub(crate) fn step(&self, count: usize) -> Result<(), Error> {
        self.steps.set(self.steps.get().saturating_add(count));
        match self.steps.get() <= MOST_STEPS {
            true => Ok(()),
            false => Err(Error::new(
                Class::TooLarge,
                "the expression looks at too many objects",
            )),
        }
    }

    /// The value of a node. The tree's depth is bounded by the parser.
    pub(crate) fn eval(&self, expr: &Expr) -> Result<Value, Error> {
        self.node(expr).map_err(|error| error.at(expr.span))
    }

    fn node(&self, expr: &Expr) -> Result<Value, Error> {
        self.step(1)?;
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Name(name) => self.name(name).map(|(value, _)| value),
            Kind::History(which) => self.earlier(which),
            Kind::At(inner) => self.object_at(&self.eval(inner)?),
            Kind::Tuple(items) => self.all(items).map(Value::Tuple),
            Kind::List(items) => self.all(items).map(Value::List),
            Kind::Attribute(inner, name, place) => {
                if let Some(value) = self.module_attribute(inner, name) {
                    return Ok(value);
                }
                let inner = self.eval(inner)?;
                self.attribute(&inner, name)
                    .map_err(|error| error.at(*place))
            }
            Kind::Subscript(container, index) => {
                let container = self.eval(container)?;
                let place = index.span;
                let index = self.index(index)?;
                self.subscript(&container, &index)
                    .map_err(|error| error.at(place))
            }
            Kind::Slice(_) => Err(Error::new(Class::SyntaxError, "invalid syntax")),
            Kind::Call(callee, arguments) => self.call(callee, arguments),
            Kind::Unary(operator, inner) => self.unary(operator, &self.eval(inner)?),
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                self.binary(operator, &left, &right)
            }
            Kind::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (operator, right) in rest {
                    let right = self.eval(right)?;
                    if !self.compare(operator, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Kind::And(left, right) => {
                let left = self.eval(left)?;
                match self.truth(&left)? {
                    true => self.eval(right),
                    false => Ok(left),
                }
            }
            Kind::Or(left, right) => {
                let left = self.eval(left)?;
                match self.truth(&left)? {
                    true => Ok(left),
                    false => self.eval(right),
                }
            }
        }
    }

    pub(crate) fn all(&self, items: &[Expr]) -> Result<Vec<Value>, Error> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    fn name(&self, name: &str) -> Result<(Value, ScopeKind), Error> {
        match self.scope.lookup(name) {
            Lookup::Found(value, kind) => Ok((value, kind)),
            Lookup::Unbound(ScopeKind::Enclosing) => Err(Error::new(
                Class::NameError,
                format!(
                    "cannot access free variable '{name}' where it is not associated with a \
                     value in enclosing scope"
                ),
            )),
            Lookup::Unbound(_) => Err(Error::new(
                Class::UnboundLocalError,
                format!(
                    "cannot access local variable '{name}' where it is not associated with a value"
                ),
            )),
            Lookup::Missing => match self.scope.module(name) {
                Some(module) => Ok((module, ScopeKind::Module)),
                None => {
                    let message = format!("name '{name}' is not defined");
                    let hint = did_you_mean(name, self.scope.names());
                    Err(Error::new(Class::NameError, message).hint(hint))
                }
            },
        }
    }

    /// `a.b.c` as a submodule that its package does not hold, where nothing else is meant.
    fn module_attribute(&self, inner: &Expr, name: &str) -> Option<Value> {
        let mut path = vec![name];
        let mut expr = inner;
        let first = loop {
            match &expr.kind {
                Kind::Attribute(next, name, _) => {
                    path.push(name);
                    expr = next;
                }
                Kind::Name(first) => break first,
                _ => return None,
            }
        };
        if self.scope.lookup(first) != Lookup::Missing {
            return None;
        }
        path.push(first);
        path.reverse();
        self.scope.module(&path.join("."))
    }

    /// `$`, `$_`: the last answer; `$N`; `$$`, `$$N`: counted back from the last.
    fn earlier(&self, which: &str) -> Result<Value, Error> {
        let count = self.history.len();
        let number = |digits: &str| digits.parse::<usize>().ok();
        let index = match which {
            "" | "_" | "$0" => count.checked_sub(1),
            "$" => count.checked_sub(2),
            which => match which.strip_prefix('$') {
                Some(back) => number(back).and_then(|back| count.checked_sub(back.checked_add(1)?)),
                None => number(which).and_then(|number| number.checked_sub(1)),
            },
        };
        let value = index.and_then(|index| self.history.get(index));
        value.cloned().ok_or_else(|| {
            let message = format!("there is no answer ${which}");
            Error::new(Class::NameError, message)
        })
    }

    /// The object at an address.
    fn object_at(&self, address: &Value) -> Result<Value, Error> {
        let number = self.load(address)?.as_int();
        let Some(addr) = number.and_then(|number| u64::try_from(&number).ok()) else {
            return Err(Error::new(
                Class::TypeError,
                "* wants the address of an object, such as *0x7f0012345678",
            ));
        };
        let addr = Addr(addr);
        let ty = self.objects.type_of(addr).map_err(|fault| {
            let message = format!("there is no object at {addr}: {fault}");
            Error::new(Class::Unreadable, message)
        })?;
        // The type of a type is a type: anything else is no object.
        match self.objects.as_type(ty.addr) {
            Ok(_) => Ok(Value::Object(addr)),
            Err(_) => Err(Error::new(
                Class::Unreadable,
                format!("there is no object at {addr}: its type is none"),
            )),
        }
    }

    fn index(&self, index: &Expr) -> Result<Index, Error> {
        let Kind::Slice(parts) = &index.kind else {
            return self.eval(index).map(Index::One);
        };
        let mut numbers: [Option<BigInt>; 3] = [None, None, None];
        for (number, part) in numbers.iter_mut().zip(parts) {
            let Some(part) = part else { continue };
            let value = self.eval(part)?;
            *number = match self.load(&value)? {
                Value::None => None,
                _ => Some(self.index_number(&value)?.ok_or_else(|| {
                    let message =
                        "slice indices must be integers or None or have an __index__ method";
                    Error::new(Class::TypeError, message).at(part.span)
                })?),
            };
        }
        Ok(Index::Slice(numbers))
    }

    /// The full name of a value's class, such as `app.Account`.
    pub fn class_name(&self, value: &Value) -> String {
        let ty = value.address().map(|addr| self.objects.type_of(addr));
        match ty {
            Some(Ok(ty)) => self.objects.full_name(&ty).to_string(),
            _ => self.type_name(value),
        }
    }

    /// The name of a value's type, as Python's messages have it: `tp_name`.
    pub(crate) fn type_name(&self, value: &Value) -> String {
        let Some(addr) = value.address() else {
            return value.builtin_type(self.two).to_owned();
        };
        match self.objects.type_of(addr) {
            Ok(ty) => match &ty.name {
                Some(name) => name.clone(),
                None => self.objects.full_name(&ty).to_string(),
            },
            Err(_) => "<unknown type>".to_owned(),
        }
    }
}

/// Where a message points in the expression: spaces, then carets.
pub fn carets(text: &str, span: Span) -> String {
    let before = text.get(..span.start).unwrap_or(text).chars().count();
    let marked = text.get(span.start..span.end).unwrap_or("").chars().count();
    format!("{}{}", " ".repeat(before), "^".repeat(marked.max(1)))
}
