//! An exception and all that it leads to (Objects/exceptions.c): `__cause__`, `__context__` and
//! the exceptions of a group, each once, whatever cycles there are.

use super::{Exception, Held, Members, Message, Reader, SyntaxDetails, Traceback};
use crate::addr::Addr;
use crate::python::object::flags;
use crate::target::Fault;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The most exceptions of one chain.
const MOST_EXCEPTIONS: usize = 1000;

/// The most traceback entries of all exceptions of a chain together.
const MOST_ENTRIES: usize = 100_000;

/// The most exceptions of one group that are looked at; Python prints 15.
const MOST_MEMBERS: usize = 200;

/// The most arguments and notes of one exception that are looked at.
const MOST_ITEMS: usize = 100;

/// An exception and those it is chained to.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The exception itself first.
    pub all: Vec<Exception>,
    /// Whether there are more than are shown.
    pub cut: bool,
}

impl Chain {
    /// The exception itself.
    pub fn first(&self) -> Option<&Exception> {
        self.all.first()
    }

    /// Where the exception itself is; NULL when it is not made yet.
    pub fn address(&self) -> Addr {
        self.first().map_or(Addr::NULL, |first| first.address)
    }

    pub(super) fn read(reader: &Reader<'_>, held: Held) -> Chain {
        let mut walk = Walk {
            reader,
            all: Vec::new(),
            waiting: Vec::new(),
            known: FxHashMap::default(),
            entries: MOST_ENTRIES,
            cut: false,
        };
        let first = walk.one(held);
        walk.known.insert(held.value, 0);
        walk.all.push(first);
        walk.waiting.push(held.value);
        let mut next = 0;
        while let Some(address) = walk.waiting.get(next).copied() {
            if reader.is_exception(address) {
                walk.link(next, address);
            }
            next += 1;
        }
        Chain {
            all: walk.all,
            cut: walk.cut,
        }
    }
}

struct Walk<'a, 'r> {
    reader: &'r Reader<'a>,
    all: Vec<Exception>,
    /// The address of each of `all`.
    waiting: Vec<Addr>,
    known: FxHashMap<Addr, usize>,
    /// Traceback entries that may still be read.
    entries: usize,
    cut: bool,
}

impl Walk<'_, '_> {
    /// The number of the exception at `address`, which is read when it is new.
    fn number(&mut self, address: Addr) -> Option<usize> {
        if !self.reader.is_set(address) {
            return None;
        }
        if let Some(known) = self.known.get(&address) {
            return Some(*known);
        }
        if self.all.len() >= MOST_EXCEPTIONS {
            self.cut = true;
            return None;
        }
        let one = self.one(Held::value(address));
        let number = self.all.len();
        self.known.insert(address, number);
        self.all.push(one);
        self.waiting.push(address);
        Some(number)
    }

    /// Follows what the exception with this number leads to.
    fn link(&mut self, number: usize, address: Addr) {
        let objects = self.reader.objects;
        let f = &objects.layout.fields.exception;
        let link = |field: Option<crate::python::layout::Field>| {
            field.and_then(|field| objects.memory.ptr(field.of(address)).ok())
        };
        let cause = link(f.cause).and_then(|at| self.number(at));
        let context = link(f.context).and_then(|at| self.number(at));
        let members = self.members(address);
        if let Some(exception) = self.all.get_mut(number) {
            exception.cause = cause;
            exception.context = context;
            exception.members = members;
        }
    }

    /// The exceptions of a group.
    fn members(&mut self, address: Addr) -> Option<Members> {
        let objects = self.reader.objects;
        let ty = objects.type_of(address).ok()?;
        if !objects.is_a(&ty, "BaseExceptionGroup") {
            return None;
        }
        // PyBaseExceptionGroupObject: the message, then a tuple of exceptions.
        let base = &objects.layout.fields.exception;
        let tuple = objects.memory.ptr(base.size.of(address).add(8)).ok()?;
        let items = objects.tuple_items(tuple, MOST_MEMBERS).ok()?;
        let total = usize::try_from(objects.var_size(tuple).ok()?).ok()?;
        let known = items.into_iter().filter_map(|at| self.number(at));
        Some(Members {
            known: known.collect(),
            total,
        })
    }

    /// One exception, without its links.
    fn one(&mut self, held: Held) -> Exception {
        match self.reader.is_exception(held.value) {
            true => self.made(held),
            false => self.unmade(held),
        }
    }

    fn made(&mut self, held: Held) -> Exception {
        let reader = self.reader;
        let objects = reader.objects;
        let f = &objects.layout.fields.exception;
        let at = held.value;
        let ty = objects.type_of(at).ok();
        let own = f
            .traceback
            .map_or(Ok(Addr::NULL), |field| objects.memory.ptr(field.of(at)));
        let mut problem = own.as_ref().err().map(|fault| fault.to_string());
        let traceback = match (reader.is_set(held.traceback), own) {
            (true, _) => held.traceback,
            (false, own) => own.unwrap_or(Addr::NULL),
        };
        let args = || -> Result<Vec<Addr>, Fault> {
            objects.tuple_items(objects.memory.ptr(f.args.of(at))?, MOST_ITEMS)
        };
        let args = args().unwrap_or_else(|fault| {
            problem = problem.take().or(Some(format!("its args: {fault}")));
            Vec::new()
        });
        let is_syntax = ty.as_ref().is_some_and(|ty| {
            objects.is_a(ty, "SyntaxError") || objects.is_a(ty, "exceptions.SyntaxError")
        });
        let suppress = f.suppress_context;
        let suppress = suppress.and_then(|field| objects.memory.u8(field.of(at)).ok());
        Exception {
            address: at,
            class: match &ty {
                Some(ty) => objects.full_name(ty),
                None => "<unknown class>".into(),
            },
            message: match reader.message(at) {
                Message::Unknown(why) => {
                    let args = objects.memory.ptr(f.args.of(at)).unwrap_or(Addr::NULL);
                    let args = reader.repr(args);
                    Message::Unknown(format!("{why}, which is not run; args: {args}"))
                }
                known => known,
            },
            syntax: is_syntax.then(|| SyntaxDetails::read(reader, at)),
            args,
            notes: self.notes(at),
            traceback: Traceback::read(reader, traceback, &mut self.entries),
            cause: None,
            context: None,
            suppress_context: suppress.is_some_and(|flag| flag == 1),
            members: None,
            problem,
        }
    }

    /// What is no exception yet: up to 3.11 a class and the arguments it will get (Python/errors.c
    /// `PyErr_NormalizeException`), in 2.7 also an instance of an old-style class.
    fn unmade(&mut self, held: Held) -> Exception {
        let reader = self.reader;
        let objects = reader.objects;
        let args = match objects.tuple_items(held.value, MOST_ITEMS) {
            Ok(items) => items,
            Err(_) if reader.is_set(held.value) => vec![held.value],
            Err(_) => Vec::new(),
        };
        let class = reader.class_name(held.class);
        Exception {
            address: Addr::NULL,
            problem: (class.is_none()).then(|| match held.class.is_null() {
                true => format!("{} is no exception", held.value),
                false => format!("{} is no class of exceptions", held.class),
            }),
            class: class.unwrap_or_else(|| "<unknown class>".into()),
            message: match args.as_slice() {
                [] => Message::Known(String::new()),
                [one] => reader.str(*one),
                _ => Message::Known(reader.repr(held.value)),
            },
            syntax: None,
            args,
            notes: Vec::new(),
            traceback: Traceback::read(reader, held.traceback, &mut self.entries),
            cause: None,
            context: None,
            suppress_context: false,
            members: None,
        }
    }

    /// `__notes__`.
    fn notes(&self, at: Addr) -> Vec<String> {
        let objects = self.reader.objects;
        let Ok(Some(notes)) = objects.attribute(at, "__notes__") else {
            return Vec::new();
        };
        let items = objects
            .list_items(notes, MOST_ITEMS)
            .or_else(|_| objects.tuple_items(notes, MOST_ITEMS));
        let text = |at: Addr| match self.reader.str(at) {
            Message::Known(text) => text,
            Message::Unknown(why) => format!("<{why}>"),
        };
        match items {
            Ok(items) => items.into_iter().map(text).collect(),
            Err(_) if self.reader.is_set(notes) => vec![self.reader.repr(notes)],
            Err(_) => Vec::new(),
        }
    }
}

impl Reader<'_> {
    /// The full name of a class of exceptions; in 2.7 it may be an old-style class.
    fn class_name(&self, class: Addr) -> Option<Arc<str>> {
        let objects = self.objects;
        if !self.is_set(class) {
            return None;
        }
        if let Ok(ty) = objects.as_type(class) {
            return ty.is(flags::EXCEPTION).then(|| objects.full_name(&ty));
        }
        // PyClassObject: bases, namespace, name.
        const NAME: u64 = 16;
        const LONGEST: u64 = 1000;
        objects.layout.fields.instance?;
        let ty = objects.type_of(class).ok()?;
        let name = objects.memory.ptr(objects.after(class, NAME)).ok()?;
        let is_class = ty.name.as_deref() == Some("classobj");
        is_class.then(|| Some(objects.text(name, LONGEST).ok()?.value.into()))?
    }
}
