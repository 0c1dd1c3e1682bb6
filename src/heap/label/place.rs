//! Where in an object the reference to another is: walks what its type keeps references in, by the
//! same structs as the exact traversal of [`Objects::referents`], and tells each place that has it.

use super::named::{self, Place};
use super::{Provenance, Via};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::python::value::Limits;
use crate::target::Fault;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of a pointer.
const WORD: u64 = 8;

/// The largest struct of a type that is believed, in bytes.
const LARGEST: u64 = 1 << 16;

/// The most words behind the struct that are looked at.
const MOST_WORDS: u64 = 1 << 20;

/// The most names in the namespaces of the classes of one object.
const MOST_MEMBERS: usize = 1 << 20;

/// The longest name of an attribute, in characters.
const LONGEST_NAME: u64 = 1024;

/// How much of a key is shown.
const KEY: Limits = Limits {
    elements: 40,
    depth: 2,
    total: 60,
    attributes: false,
};

/// All ways in which the object at `from` refers to the one at `to`, at most `most`; none where it
/// does not. What cannot be read tells nothing.
pub fn vias(objects: &Objects, from: Addr, to: Addr, most: usize) -> Vec<Via> {
    let mut places = Places {
        objects,
        from,
        to,
        most,
        found: Vec::new(),
        named: Vec::new(),
    };
    if let Ok(ty) = objects.type_of(from)
        && !to.is_null()
        && most > 0
    {
        places.look(&ty);
    }
    places.found
}

/// What is looked for, and what was found.
pub(super) struct Places<'o> {
    pub(super) objects: &'o Objects,
    pub(super) from: Addr,
    pub(super) to: Addr,
    most: usize,
    found: Vec<Via>,
    /// Where the references in the struct are that have a name.
    named: Vec<Addr>,
}

impl Places<'_> {
    fn look(&mut self, ty: &Arc<TypeInfo>) {
        self.own_parts(ty);
        // Each family may be unreadable by itself; what the others have still holds.
        let _ = self.attributes(ty);
        self.members(ty);
        let layout = Arc::clone(&self.objects.layout);
        for class in self.bases(ty).iter() {
            let name = self.objects.full_name(class);
            for field in named::fields(&layout, &name) {
                self.named(class, field);
            }
        }
        if ty.addr == self.to {
            self.push(Via::Class);
        }
        if self.found.is_empty() {
            self.words(ty);
        }
        if self.found.is_empty() && self.is_told() {
            self.push(Via::Apart);
        }
    }

    /// Notes a way; whether there is room for more.
    pub(super) fn push(&mut self, via: Via) -> bool {
        if self.found.len() < self.most && !self.found.contains(&via) {
            self.found.push(via);
        }
        self.found.len() < self.most
    }

    /// A type and the types it is made from in C, each by the layout of the next.
    fn bases(&self, ty: &Arc<TypeInfo>) -> Vec<Arc<TypeInfo>> {
        const MOST: usize = 1000;
        let mut bases = vec![Arc::clone(ty)];
        while let Some(last) = bases.last()
            && bases.len() < MOST
            && let Ok(next) = self.objects.type_at(last.base)
            && bases.iter().all(|known| known.addr != next.addr)
        {
            bases.push(next);
        }
        bases
    }

    /// What the builtin type that this is made from has of its own.
    fn own_parts(&mut self, ty: &Arc<TypeInfo>) {
        for class in self.bases(ty) {
            let name = self.objects.full_name(&class);
            let looked = match &*name {
                "list" | "tuple" => self.items(),
                "dict" | "frozendict" => self.entries(),
                "set" | "frozenset" => self.elements(),
                "collections.deque" => self.deque(),
                "cell" => self.cell(),
                "weakref"
                | "weakref.ReferenceType"
                | "weakproxy"
                | "weakcallableproxy"
                | "weakref.ProxyType"
                | "weakref.CallableProxyType" => {
                    self.weak(name.ends_with("ref") || name.ends_with("ReferenceType"))
                }
                "type" => self.namespace(),
                "classobj" => self.old_namespace(),
                "frame" | "generator" | "coroutine" | "async_generator" => self.frame(&name),
                _ => continue,
            };
            // What was found before the fault is found.
            let _ = looked;
            return;
        }
    }

    fn items(&mut self) -> Result<(), Fault> {
        for (index, item) in (0..).zip(self.objects.item_iter(self.from)?) {
            if item? == self.to && !self.push(Via::Index { index }) {
                break;
            }
        }
        Ok(())
    }

    fn deque(&mut self) -> Result<(), Fault> {
        for (index, item) in (0..).zip(self.objects.deque_iter(self.from)?) {
            if item? == self.to && !self.push(Via::Index { index }) {
                break;
            }
        }
        Ok(())
    }

    fn entries(&mut self) -> Result<(), Fault> {
        for item in self.objects.dict_iter(self.from)? {
            let (key, value) = item?;
            if value == self.to {
                let repr = self.objects.show(key, KEY).text;
                if !self.push(Via::Key { key, repr }) {
                    break;
                }
            }
            if key == self.to {
                self.push(Via::IsKey);
            }
        }
        Ok(())
    }

    fn elements(&mut self) -> Result<(), Fault> {
        for item in self.objects.set_iter(self.from)? {
            if item? == self.to {
                self.push(Via::Element);
                break;
            }
        }
        Ok(())
    }

    fn cell(&mut self) -> Result<(), Fault> {
        if self.word(0)? == self.to {
            self.push(Via::CellContents);
        }
        Ok(())
    }

    fn weak(&mut self, called: bool) -> Result<(), Fault> {
        if self.word(0)? == self.to {
            self.push(Via::Weak { called });
        }
        Ok(())
    }

    fn namespace(&mut self) -> Result<(), Fault> {
        let ty = self.objects.type_at(self.from)?;
        if self.objects.type_dict(&ty) == Some(self.to) {
            self.push(Via::Namespace);
        }
        Ok(())
    }

    /// PyClassObject { bases, dict, name }: an old class of 2.7, whose `__dict__` is no proxy.
    fn old_namespace(&mut self) -> Result<(), Fault> {
        if self.word(1)? == self.to {
            self.push(Via::Dict);
        }
        Ok(())
    }

    /// The word so many words behind the header.
    fn word(&self, index: u64) -> Result<Addr, Fault> {
        let at = self.objects.after(self.from, index.wrapping_mul(WORD));
        self.objects.memory.ptr(at)
    }

    /// The dictionary of the instance, or the values it has without one.
    fn attributes(&mut self, ty: &TypeInfo) -> Result<(), Fault> {
        let objects = self.objects;
        if super::access::is_class(ty) {
            // That of a class is its namespace.
            return Ok(());
        }
        let own = match (ty.is_heap(), &*objects.full_name(ty)) {
            (false, "module") => {
                let dict = objects.layout.fields.module.dict.of(self.from);
                Some(objects.memory.ptr(dict)?)
            }
            _ => objects.dict_of(self.from)?,
        };
        match own {
            Some(dict) if dict == self.to => {
                self.push(Via::Dict);
            }
            Some(_) => {}
            None => {
                for (name, value) in objects.namespace(self.from)? {
                    if value == self.to {
                        let name = objects.text(name, LONGEST_NAME)?.value;
                        self.push(Via::Attribute { name });
                    }
                }
            }
        }
        Ok(())
    }

    /// Slots of classes written in Python, and members of structs in C that have a descriptor.
    fn members(&mut self, ty: &Arc<TypeInfo>) {
        let objects = self.objects;
        let mut left = MOST_MEMBERS;
        for class in objects.mro(ty).iter() {
            let items = objects
                .type_dict(class)
                .map(|dict| objects.dict_items(dict));
            let items = items.and_then(Result::ok).unwrap_or_default();
            let Some(rest) = left.checked_sub(items.len()) else {
                return;
            };
            left = rest;
            for (name, descriptor) in items {
                let Some(offset) = objects.slot_offset(descriptor) else {
                    continue;
                };
                let at = self.from.add(offset);
                if objects.memory.ptr(at) != Ok(self.to) {
                    continue;
                }
                self.named.push(at);
                let Ok(name) = objects.text(name, LONGEST_NAME) else {
                    continue;
                };
                let name = name.value;
                self.push(match objects.own_attribute(class, "__slots__") {
                    Some(_) => Via::Slot { name },
                    None => Via::Member {
                        name,
                        provenance: Provenance::Descriptor,
                    },
                });
            }
        }
    }

    fn named(&mut self, class: &TypeInfo, field: named::Named) {
        let at = match field.place {
            Place::Layout(field) => field.of(self.from),
            Place::Word(index) => self.objects.after(self.from, index * WORD),
        };
        // The names of a class lie behind a static one's end.
        let heap_only = field.name == "__name__" || field.name == "__qualname__" || !field.shown;
        if heap_only
            && *self.objects.full_name(class) == *"type"
            && !self.objects.type_at(self.from).is_ok_and(|ty| ty.is_heap())
        {
            return;
        }
        if self.objects.memory.ptr(at) != Ok(self.to) || self.named.contains(&at) {
            return;
        }
        self.named.push(at);
        let name = field.name.to_owned();
        let provenance = Provenance::Structure;
        self.push(match field.shown {
            true => Via::Member { name, provenance },
            false => Via::Field {
                offset: at.0.wrapping_sub(self.from.0) as i64,
                of: self.objects.full_name(class).to_string(),
                name: Some(name),
                provenance,
            },
        });
    }

    /// Every word of the struct, and of the items behind it, that is the object.
    fn words(&mut self, ty: &TypeInfo) {
        let Ok(size) = u64::try_from(ty.basicsize) else {
            return;
        };
        let header = u64::from(self.objects.layout.fields.object.size.offset);
        let items = match ty.itemsize == WORD as i64 {
            true => self.objects.var_size(self.from).unwrap_or(0),
            false => 0,
        };
        let items = items.unsigned_abs().min(MOST_WORDS);
        let end = size.min(LARGEST) + items * WORD;
        let weak = self.objects.layout.fields.type_object.weaklistoffset;
        let weak = self.objects.memory.u64(weak.of(ty.addr)).unwrap_or(0);
        for offset in (header..end).step_by(WORD as usize) {
            let Ok(word) = self.objects.memory.ptr(self.from.add(offset)) else {
                return;
            };
            if word == self.to && offset != weak {
                let more = self.push(Via::Field {
                    offset: offset as i64,
                    of: self.objects.full_name(ty).to_string(),
                    name: None,
                    provenance: Provenance::Word,
                });
                if !more {
                    return;
                }
            }
        }
    }

    /// Whether the exact traversal tells the reference.
    fn is_told(&self) -> bool {
        let mut told = false;
        let looked = self.objects.referents(self.from, &mut |referent| {
            told = referent == self.to;
            match told {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        told && looked.is_ok()
    }
}
