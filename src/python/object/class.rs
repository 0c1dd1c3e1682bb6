//! Classes: their full names, method resolution order and namespaces, and the lookup of an
//! attribute as `object.__getattribute__` does it (Objects/typeobject.c, Objects/object.c), short
//! of running anything.

use super::{Objects, TypeInfo, flags, malformed};
use crate::addr::Addr;
use crate::bytes;
use crate::target::Fault;
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError};

/// The most classes in one method resolution order.
const MOST_CLASSES: usize = 1000;

/// The longest name of a class or module, in characters.
const LONGEST_NAME: u64 = 1024;

/// The namespace of a class.
pub(super) type Members = FxHashMap<Box<str>, Addr>;

/// A slot of instances: its name, and its offset in bytes.
pub(super) type Slot = (Addr, u64);

/// Where an attribute was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whence {
    /// In the instance: its dictionary or inline values.
    Instance,
    /// In a slot of the instance that this class declares.
    Slot(Arc<TypeInfo>),
    /// In the namespace of this class; a property or function is returned as such, not run.
    Class(Arc<TypeInfo>),
}

/// An attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Address of the value.
    pub value: Addr,
    /// Where it was found.
    pub whence: Whence,
}

impl Objects {
    /// The name of a type as a person would import it: `int`, `collections.deque`,
    /// `app.Account`; without the module for types of `builtins`.
    pub fn full_name(&self, ty: &TypeInfo) -> Arc<str> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(&ty.addr) {
            return Arc::clone(name);
        }
        drop(names);
        let name = self.read_full_name(ty);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(ty.addr, Arc::clone(&name));
        name
    }

    fn read_full_name(&self, ty: &TypeInfo) -> Arc<str> {
        if !ty.is_heap() {
            return self.c_name(ty);
        }
        let f = &self.layout.fields.type_object;
        let qualname = f.heap_qualname.unwrap_or(f.heap_name).of(ty.addr);
        let text = |at: Addr| self.text(at, LONGEST_NAME).ok().map(|text| text.value);
        let Some(qualname) = self.memory.ptr(qualname).ok().and_then(text) else {
            return self.c_name(ty);
        };
        let module = self.type_dict(ty);
        let module = module.and_then(|dict| self.dict_get(dict, "__module__").ok()?);
        match module.and_then(text) {
            Some(module) if module != "builtins" && module != "__builtin__" => {
                format!("{module}.{qualname}").into()
            }
            // For such classes CPython itself takes the name without the outer classes.
            _ if ty.name.is_some() => self.c_name(ty),
            _ => qualname.into(),
        }
    }

    /// The classes of a type's `__mro__`, itself first; only what can be read.
    pub fn mro(&self, ty: &Arc<TypeInfo>) -> Arc<[Arc<TypeInfo>]> {
        let known = self.mros.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(mro) = known.get(&ty.addr) {
            return Arc::clone(mro);
        }
        drop(known);
        let classes = self.tuple_items(ty.mro, MOST_CLASSES).unwrap_or_default();
        let mut mro: Vec<Arc<TypeInfo>> = classes
            .into_iter()
            .filter_map(|class| self.type_at(class).ok())
            .collect();
        if mro.is_empty() {
            // The tuple is damaged or not dumped; the chain of bases is a part of it.
            mro.push(Arc::clone(ty));
            while let Some(base) = mro.last().map(|last| last.base)
                && mro.len() < MOST_CLASSES
                && let Ok(base) = self.type_at(base)
                && mro.iter().all(|class| class.addr != base.addr)
            {
                mro.push(base);
            }
        }
        let mro: Arc<[_]> = mro.into();
        let mut known = self.mros.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(ty.addr, Arc::clone(&mro));
        mro
    }

    /// Whether the type or one of its bases has this full name.
    pub fn is_a(&self, ty: &Arc<TypeInfo>, name: &str) -> bool {
        self.mro(ty)
            .iter()
            .any(|class| *self.full_name(class) == *name)
    }

    /// The namespace of a type: its `__dict__`. From 3.12 on the interpreter keeps those of
    /// static builtin types (Objects/typeobject.c `lookup_tp_dict`).
    pub fn type_dict(&self, ty: &TypeInfo) -> Option<Addr> {
        let f = &self.layout.fields.interpreter;
        match (f.static_types, ty.is(flags::STATIC_BUILTIN)) {
            (Some(_), true) => self.static_type_dict(ty),
            _ => Some(ty.dict).filter(|dict| !dict.is_null()),
        }
    }

    fn static_type_dict(&self, ty: &TypeInfo) -> Option<Addr> {
        let (_, dict) = self.layout.kinds.static_type_state?;
        let state = self.static_type_state(ty, *self.interpreter.get()?)?;
        let dict = self.memory.ptr(state.add(dict.into())).ok()?;
        (!dict.is_null()).then_some(dict)
    }

    /// Where an interpreter keeps its state of a static builtin type, from 3.12 on.
    fn static_type_state(&self, ty: &TypeInfo, interpreter: Addr) -> Option<Addr> {
        const MOST: u64 = 256;
        let f = &self.layout.fields.interpreter;
        let (size, dict) = self.layout.kinds.static_type_state?;
        let index = self.layout.fields.type_object.subclasses.of(ty.addr);
        let index = self.memory.u64(index).ok()?.checked_sub(1)?;
        if index >= MOST {
            return None;
        }
        let mut arrays = [f.static_types, f.extension_types].into_iter().flatten();
        arrays.find_map(|array| {
            let entry = array.of(interpreter).add(index * u64::from(size));
            let raw = self.memory.bytes(entry, size as usize).ok()?;
            let is_its = bytes::u64_at(&raw, 0) == Some(ty.addr.0);
            let dict = bytes::u64_at(&raw, dict as usize)?;
            (is_its && dict != 0).then_some(entry)
        })
    }

    /// Where the reference to the weak references to a type's subclasses stands: in the type, or
    /// from 3.12 on, for static builtin types, in the interpreter's state of it, behind the
    /// namespace.
    pub fn subclasses_place(&self, ty: &TypeInfo, interpreter: Addr) -> Option<Addr> {
        let is_static = ty.is(flags::STATIC_BUILTIN);
        match self.layout.kinds.static_type_state.filter(|_| is_static) {
            Some((_, dict)) => {
                let state = self.static_type_state(ty, interpreter)?;
                Some(state.add(u64::from(dict) + 8))
            }
            None => Some(self.layout.fields.type_object.subclasses.of(ty.addr)),
        }
    }

    /// Where the reference to the namespace of a static builtin type stands in an interpreter, from
    /// 3.12 on.
    pub fn namespace_place(&self, ty: &TypeInfo, interpreter: Addr) -> Option<Addr> {
        let (_, dict) = self.layout.kinds.static_type_state?;
        let is_static = ty.is(flags::STATIC_BUILTIN);
        let state = is_static.then(|| self.static_type_state(ty, interpreter))??;
        Some(state.add(dict.into()))
    }

    /// What the weak references among the values of a dictionary, or in a list, refer to.
    pub fn weakly_held(&self, container: Addr) -> Vec<Addr> {
        const MOST: usize = 1 << 24;
        let is_dict = self.type_of(container).is_ok_and(|ty| ty.is_dict());
        let references: Vec<Addr> = match is_dict {
            true => {
                let items = self.dict_iter(container).into_iter().flatten();
                let values = items.map_while(|item| Some(item.ok()?.1));
                values.take(MOST).collect()
            }
            false => self.list_items(container, MOST).unwrap_or_default(),
        };
        let referent = |weak: Addr| {
            let ty = self.type_of(weak).ok()?;
            let is_weak = self.is_a(&ty, "weakref") || self.is_a(&ty, "weakref.ReferenceType");
            let object = self.memory.ptr(self.after(weak, 0)).ok()?;
            is_weak.then_some(object)
        };
        references.into_iter().filter_map(referent).collect()
    }

    /// The namespace of a class by name, read once. What cannot be read is empty.
    fn members(&self, class: &TypeInfo) -> Arc<Members> {
        let known = self.members.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(members) = known.get(&class.addr) {
            return Arc::clone(members);
        }
        drop(known);
        let dict = self.type_dict(class);
        let items = dict.and_then(|dict| self.dict_items(dict).ok());
        let items = items.unwrap_or_default().into_iter();
        let members = items.filter_map(|(name, value)| {
            let name = self.text(name, LONGEST_NAME).ok()?;
            (name.left_out == 0).then(|| (name.value.into(), value))
        });
        let members = Arc::new(members.collect::<Members>());
        let mut known = self.members.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(class.addr, Arc::clone(&members));
        members
    }

    /// The attribute `name` in the namespace of this very class.
    pub fn own_attribute(&self, class: &TypeInfo, name: &str) -> Option<Addr> {
        self.members(class).get(name).copied()
    }

    /// The attribute `name` of a class: the first in its method resolution order, and the class
    /// whose namespace has it.
    pub fn class_attribute(&self, ty: &Arc<TypeInfo>, name: &str) -> Option<(Addr, Arc<TypeInfo>)> {
        self.mro(ty)
            .iter()
            .find_map(|class| Some((self.own_attribute(class, name)?, Arc::clone(class))))
    }

    /// The attribute `name` of an object, by the order of `object.__getattribute__`: a slot or
    /// property of the class, the instance's own, anything of the class. Nothing is run: a
    /// property, method or other descriptor of the class is returned as it is.
    pub fn getattr(&self, object: Addr, name: &str) -> Result<Option<Found>, Fault> {
        let ty = self.type_of(object)?;
        let class = self.class_attribute(&ty, name);
        if let Some((value, owner)) = &class
            && let Some(offset) = self.slot_offset(*value)
        {
            let value = self.memory.ptr(object.add(offset))?;
            let whence = Whence::Slot(Arc::clone(owner));
            return Ok(Some(value)
                .filter(|value| !value.is_null())
                .map(|value| Found { value, whence }));
        }
        if let Ok(Some(value)) = self.attribute(object, name) {
            let whence = Whence::Instance;
            return Ok(Some(Found { value, whence }));
        }
        Ok(class.map(|(value, owner)| Found {
            value,
            whence: Whence::Class(owner),
        }))
    }

    /// The offset in bytes that a member descriptor of an object slot stands for (`__slots__`, or
    /// a C struct's `PyObject *` member); `None` for anything else.
    pub fn slot_offset(&self, descriptor: Addr) -> Option<u64> {
        const T_OBJECT: u32 = 6;
        const T_OBJECT_EX: u32 = 16;
        let (kind, offset) = self.member(descriptor)?;
        matches!(kind, T_OBJECT | T_OBJECT_EX).then_some(offset)
    }

    /// The kind and offset in bytes of the C struct member that a member descriptor stands for.
    pub(crate) fn member(&self, descriptor: Addr) -> Option<(u32, u64)> {
        // struct PyMemberDef { const char *name; int type; Py_ssize_t offset; int flags; … }
        const LARGEST: u64 = 1 << 20;
        let ty = self.type_of(descriptor).ok()?;
        if ty.is_heap() || *self.full_name(&ty) != *"member_descriptor" {
            return None;
        }
        let member = self.layout.fields.descriptor.member.of(descriptor);
        let member = self.memory.ptr(member).ok()?;
        let kind = self.memory.u32(member.add(8)).ok()?;
        let offset = self.memory.u64(member.add(16)).ok()?;
        (offset < LARGEST).then_some((kind, offset))
    }

    /// The values in the `__slots__` of an object: name and value, those of the bases first;
    /// empty slots are left out.
    pub fn slots(&self, object: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        let table = self.slot_table(&self.type_of(object)?)?;
        let mut slots = Vec::with_capacity(table.len());
        for (name, offset) in table.iter() {
            let value = self.memory.ptr(object.add(*offset))?;
            if !value.is_null() {
                slots.push((*name, value));
            }
        }
        Ok(slots)
    }

    /// The slots that the classes of a type declare, those of the bases first; read once.
    pub(super) fn slot_table(&self, ty: &Arc<TypeInfo>) -> Result<Arc<[Slot]>, Fault> {
        let known = self
            .slot_tables
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = known.get(&ty.addr) {
            return Ok(Arc::clone(table));
        }
        drop(known);
        let mut table = Vec::new();
        for class in self.mro(ty).iter().rev().filter(|class| class.is_heap()) {
            let Some(dict) = self.type_dict(class) else {
                continue;
            };
            for (name, descriptor) in self.dict_items(dict)? {
                if let Some(offset) = self.slot_offset(descriptor) {
                    table.push((name, offset));
                }
            }
        }
        let table: Arc<[Slot]> = table.into();
        let mut known = self
            .slot_tables
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(ty.addr, Arc::clone(&table));
        Ok(table)
    }

    /// Everything that belongs to the instance itself: slots, then its dictionary or inline
    /// values, as pairs of name and value.
    pub fn instance_attributes(&self, object: Addr) -> Result<Vec<(Addr, Addr)>, Fault> {
        let mut all = self.slots(object)?;
        all.extend(self.namespace(object)?);
        Ok(all)
    }

    /// A type object as a type; an error when the object is none.
    pub fn as_type(&self, addr: Addr) -> Result<Arc<TypeInfo>, Fault> {
        match self.type_of(addr)?.is(flags::TYPE) {
            true => self.type_at(addr),
            false => Err(malformed(addr)),
        }
    }
}
