//! Which decoder writes an object: the one of the first class in the method resolution order
//! that has a decoder, unless a class before it defines `__repr__` itself, whose code cannot be
//! run.

use super::{DECODERS, Decoder, PROBES, default};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// How an object of a type is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// By this decoder.
    Known(Decoder),
    /// By code of the target that cannot be run.
    Custom,
    /// As `object.__repr__` does.
    Plain,
}

/// The shapes of the types met so far.
#[derive(Default)]
pub struct Shapes(RwLock<FxHashMap<Addr, Shape>>);

/// The builtin types that `tp_flags` tells even where a core lacks the names of static types.
const FLAGGED: &[(u64, &str)] = &[
    (flags::LONG, "int"),
    (flags::LIST, "list"),
    (flags::TUPLE, "tuple"),
    (flags::DICT, "dict"),
    (flags::BYTES, "bytes"),
    (flags::STR, "str"),
    (flags::TYPE, "type"),
    (flags::EXCEPTION, "BaseException"),
];

impl Objects {
    /// How objects of this type are written.
    pub(crate) fn shape(&self, ty: &Arc<TypeInfo>) -> Shape {
        let known = self.shapes.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = known.get(&ty.addr) {
            return *shape;
        }
        drop(known);
        let shape = self.find_shape(ty);
        let mut known = self
            .shapes
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(ty.addr, shape);
        shape
    }

    fn find_shape(&self, ty: &Arc<TypeInfo>) -> Shape {
        if self.has_plain_repr(ty) {
            return Shape::Plain;
        }
        for class in self.mro(ty).iter() {
            if let Some(decoder) = decoder(&self.full_name(class)) {
                return Shape::Known(decoder);
            }
            let Some(own) = self.own_attribute(class, "__repr__") else {
                continue;
            };
            if let Some(decoder) = PROBES.iter().find_map(|probe| probe(self, class)) {
                return Shape::Known(decoder);
            }
            if !class.is_heap() {
                continue;
            }
            return match self.borrowed(own) {
                Some(decoder) => Shape::Known(decoder),
                None => Shape::Custom,
            };
        }
        // Some names of static types are constants of the binary, which a core may lack.
        let nameless = self.mro(ty).iter().any(|class| class.name.is_none());
        let flagged = FLAGGED.iter().find(|(flag, _)| ty.is(*flag));
        match flagged.filter(|_| nameless) {
            Some((_, name)) => decoder(name).map_or(Shape::Plain, Shape::Known),
            None => Shape::Plain,
        }
    }

    /// Whether `tp_repr` is that of `object`: a type that has a `repr` of its own in one version
    /// may have none in another.
    fn has_plain_repr(&self, ty: &Arc<TypeInfo>) -> bool {
        let repr = self.layout.fields.type_object.repr;
        let mro = self.mro(ty);
        let object = mro.last().filter(|last| last.base.is_null());
        let Some(object) = object.filter(|object| object.addr != ty.addr) else {
            return false;
        };
        let own = self.memory.ptr(repr.of(ty.addr));
        own.is_ok_and(|own| !own.is_null() && self.memory.ptr(repr.of(object.addr)) == Ok(own))
    }

    /// The decoder of the class whose `__repr__` was assigned to another (`__repr__ =
    /// dict.__repr__`): a slot wrapper of it.
    fn borrowed(&self, repr: Addr) -> Option<Decoder> {
        let ty = self.type_of(repr).ok()?;
        if ty.is_heap() || *self.full_name(&ty) != *"wrapper_descriptor" {
            return None;
        }
        let owner = self.layout.fields.descriptor.owner.of(repr);
        let owner = self.type_at(self.memory.ptr(owner).ok()?).ok()?;
        match &*self.full_name(&owner) {
            "object" => Some(default::object),
            name => decoder(name),
        }
    }
}

/// The decoder of the class with this full name.
fn decoder(name: &str) -> Option<Decoder> {
    static BY_NAME: OnceLock<FxHashMap<&str, Decoder>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let all = DECODERS.iter().flat_map(|decoders| decoders.iter());
        all.copied().collect()
    });
    by_name.get(name).copied()
}
