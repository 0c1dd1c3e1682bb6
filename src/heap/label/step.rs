//! One step of a path as Python: `EXPR` refers to an object, and so `EXPR.name`, `EXPR[3]`, … is it.
//! A step is only written where it is certain that evaluating it gives the very object.

use super::access::{self, Lookup};
use super::literal::{is_identifier, literal, quoted};
use super::{Via, vias};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::python::variables::VariableKind;
use std::sync::Arc;

/// How many ways between two objects are tried.
const MOST_WAYS: usize = 8;

/// `co_flags`: the names of the frame are in slots alone.
const OPTIMIZED: u32 = 1;

/// Writes steps.
#[derive(Clone, Copy)]
pub(super) struct Steps<'o> {
    pub(super) objects: &'o Objects,
}

impl Steps<'_> {
    /// The step from `from`, which `base` evaluates to, to `to`.
    pub(super) fn one(self, base: &str, from: Addr, to: Addr) -> Option<String> {
        let ty = self.objects.type_of(from).ok()?;
        let ways = vias(self.objects, from, to, MOST_WAYS);
        ways.iter()
            .find_map(|via| self.way(base, from, &ty, to, via))
    }

    /// The two steps from `from` over `middle` to `to`, where Python has one for both.
    pub(super) fn two(self, base: &str, from: Addr, middle: Addr, to: Addr) -> Option<String> {
        let objects = self.objects;
        let ty = objects.type_of(from).ok()?;
        let first = vias(objects, from, middle, MOST_WAYS);
        let mut second = vias(objects, middle, to, MOST_WAYS).into_iter();
        if first.contains(&Via::Dict) {
            return second.find_map(|via| match via {
                Via::Key { key, .. } if !self.is_lazy(to) => self.own_name(base, from, &ty, key),
                _ => None,
            });
        }
        if first.contains(&Via::Namespace) {
            return second.find_map(|via| self.in_namespace(base, from, to, via));
        }
        if first.iter().any(is_proxied) {
            let mapping = objects.type_of(middle).ok()?;
            return second.find_map(|via| match via {
                Via::Key { key, .. } if self.is_of(&mapping, "__getitem__", DICTS) => {
                    Some(format!("{base}[{}]", literal(objects, key)?))
                }
                _ => None,
            });
        }
        if second.any(|via| via == Via::CellContents) {
            return first.into_iter().find_map(|via| match via {
                Via::Local {
                    name,
                    kind: VariableKind::Cell | VariableKind::Free,
                } => self.local(base, from, &ty, &name),
                _ => None,
            });
        }
        None
    }

    fn way(
        self,
        base: &str,
        from: Addr,
        ty: &Arc<TypeInfo>,
        to: Addr,
        via: &Via,
    ) -> Option<String> {
        let objects = self.objects;
        match via {
            Via::Class => Some(format!("type({base})")),
            Via::Dict => self.shown(base, ty, "__dict__"),
            Via::Attribute { name } => {
                let wins = access::instance_wins(objects, ty, name);
                wins.then(|| self.get(base, ty, name)).flatten()
            }
            Via::Slot { name } | Via::Member { name, .. } => self.field(base, from, ty, to, name),
            Via::Key { key, .. } => self.subscript(base, ty, *key),
            Via::IsKey => {
                let all = match self.is_of(ty, "__iter__", DICTS) {
                    true => base.to_owned(),
                    false => format!("{}.__iter__({base})", self.builtin(ty, &["dict"])?),
                };
                Some(format!("next(k for k in {all} if id(k) == {:#x})", to.0))
            }
            Via::Index { index } => {
                let own = ["list", "tuple", "collections.deque"];
                if self.is_of(ty, "__getitem__", &own) {
                    return Some(format!("{base}[{index}]"));
                }
                let own = self.builtin(ty, &["list", "tuple"])?;
                Some(format!("{own}.__getitem__({base}, {index})"))
            }
            Via::Element => {
                let own = ["set", "frozenset"];
                let all = match self.is_of(ty, "__iter__", &own) {
                    true => base.to_owned(),
                    false => format!("{}.__iter__({base})", self.builtin(ty, &own)?),
                };
                Some(format!("next(x for x in {all} if id(x) == {:#x})", to.0))
            }
            Via::CellContents => Some(format!("{base}.cell_contents")),
            Via::Weak { called: true } => {
                let own = ["weakref", "weakref.ReferenceType"];
                let called = self.is_of(ty, "__call__", &own);
                called.then(|| format!("{base}()"))
            }
            Via::Local {
                name,
                kind: VariableKind::Argument | VariableKind::Local,
            } => self.local(base, from, ty, name),
            Via::Frame { name } => self.frame(base, ty, name),
            _ => None,
        }
    }

    /// Whether this stands for a module that is imported when a module is asked for it by name
    /// (`lazy import`, from 3.15 on); a dictionary gives it as it is.
    fn is_lazy(self, value: Addr) -> bool {
        let ty = self.objects.type_of(value);
        ty.is_ok_and(|ty| !ty.is_heap() && *self.objects.full_name(&ty) == *"lazy_import")
    }

    /// Whether the method `name` is that of one of these builtin types.
    fn is_of(self, ty: &Arc<TypeInfo>, name: &str, owners: &[&str]) -> bool {
        let owner = self.objects.class_attribute(ty, name);
        owner.is_some_and(|(_, owner)| owners.contains(&&*self.objects.full_name(&owner)))
    }

    /// The one of these builtin types that a class is made from.
    fn builtin(self, ty: &Arc<TypeInfo>, names: &[&'static str]) -> Option<&'static str> {
        let mro = self.objects.mro(ty);
        let of = |class: &Arc<TypeInfo>| {
            let name = self.objects.full_name(class);
            let known = names.iter().copied().find(|known| *known == &*name);
            known.filter(|_| !class.is_heap())
        };
        mro.iter().find_map(of)
    }

    /// `base.name`, where a usual lookup finds it.
    fn get(self, base: &str, ty: &Arc<TypeInfo>, name: &str) -> Option<String> {
        match (access::lookup(self.objects, ty), is_identifier(name)) {
            (Lookup::Plain, true) => Some(format!("{base}.{name}")),
            (Lookup::Plain, false) => Some(format!("getattr({base}, {})", quoted(name)?)),
            (Lookup::Own, _) => {
                let name = quoted(name)?;
                Some(format!("object.__getattribute__({base}, {name})"))
            }
            (Lookup::Foreign, _) => None,
        }
    }

    /// The field of the struct that holds `to`, which a descriptor in C shows.
    fn field(
        self,
        base: &str,
        from: Addr,
        ty: &Arc<TypeInfo>,
        to: Addr,
        name: &str,
    ) -> Option<String> {
        let first = self.objects.class_attribute(ty, name);
        let offset = first.and_then(|(value, _)| self.objects.slot_offset(value));
        // A class may have a slot of the same name as one of its bases.
        let hidden = offset.is_some_and(|at| self.objects.memory.ptr(from.add(at)) != Ok(to));
        (!hidden).then(|| self.shown(base, ty, name)).flatten()
    }

    /// What a descriptor in C shows of the struct.
    fn shown(self, base: &str, ty: &Arc<TypeInfo>, name: &str) -> Option<String> {
        // Old classes and their instances have code of their own for these.
        let old = !ty.is_heap() && matches!(&*self.objects.full_name(ty), "instance" | "classobj");
        if old {
            return Some(format!("{base}.{name}"));
        }
        let wins = access::struct_wins(self.objects, ty, name);
        wins.then(|| self.get(base, ty, name)).flatten()
    }

    /// What the object's own `__dict__` has for a key.
    fn own_name(self, base: &str, from: Addr, ty: &Arc<TypeInfo>, key: Addr) -> Option<String> {
        let objects = self.objects;
        let text = objects.text(key, 1024).ok();
        let text = text.filter(|text| text.left_out == 0 && literal(objects, key).is_some());
        let name = text.map(|text| text.value)?;
        match (ty.is_heap(), &*objects.full_name(ty)) {
            (false, "classobj") => {
                let value =
                    objects.dict_get(objects.memory.ptr(objects.after(from, 8)).ok()?, &name);
                let as_it_is = value
                    .ok()?
                    .is_some_and(|value| !access::is_bound(objects, value));
                let own = ["__dict__", "__bases__", "__name__"].contains(&&*name);
                (as_it_is && !own && is_identifier(&name)).then(|| format!("{base}.{name}"))
            }
            (false, "instance") => {
                let own = ["__dict__", "__class__"].contains(&&*name);
                (!own && is_identifier(&name)).then(|| format!("{base}.{name}"))
            }
            _ if access::is_class(ty) => None,
            _ => {
                let wins = access::instance_wins(objects, ty, &name);
                wins.then(|| self.get(base, ty, &name)).flatten()
            }
        }
    }

    /// What a class has in its namespace.
    fn in_namespace(self, base: &str, class: Addr, to: Addr, via: Via) -> Option<String> {
        let objects = self.objects;
        let meta = objects.type_of(class).ok()?;
        let shown = self.shown(base, &meta, "__dict__")?;
        match via {
            Via::Key { key, .. } => {
                let literal = literal(objects, key)?;
                let class = objects.as_type(class).ok()?;
                let name = objects.text(key, 1024).ok().map(|text| text.value);
                let plain = access::lookup(objects, &meta) == Lookup::Plain;
                match name {
                    Some(name)
                        if plain
                            && is_identifier(&name)
                            && access::class_wins(objects, &class, &name, to) =>
                    {
                        Some(format!("{base}.{name}"))
                    }
                    _ => Some(format!("{shown}[{literal}]")),
                }
            }
            Via::IsKey => Some(format!("next(k for k in {shown} if id(k) == {:#x})", to.0)),
            _ => None,
        }
    }

    /// The value of a key of a dictionary.
    fn subscript(self, base: &str, ty: &Arc<TypeInfo>, key: Addr) -> Option<String> {
        if let Some(literal) = literal(self.objects, key) {
            if self.is_of(ty, "__getitem__", DICTS) {
                return Some(format!("{base}[{literal}]"));
            }
            let own = self.builtin(ty, &["dict", "frozendict"])?;
            return Some(format!("{own}.__getitem__({base}, {literal})"));
        }
        let items = match self.is_of(ty, "items", DICTS) {
            true => format!("{base}.items()"),
            false => format!(
                "{}.items({base})",
                self.builtin(ty, &["dict", "frozendict"])?
            ),
        };
        let key = key.0;
        Some(format!("next(v for k, v in {items} if id(k) == {key:#x})"))
    }

    /// A variable of a frame object, or of the frame of a generator.
    fn local(self, base: &str, from: Addr, ty: &Arc<TypeInfo>, name: &str) -> Option<String> {
        let frame = self.frame_of(base, ty)?;
        let optimized = self
            .code_flags(from)
            .is_some_and(|flags| flags & OPTIMIZED != 0);
        let name = quoted(name)?;
        optimized.then(|| format!("{frame}.f_locals[{name}]"))
    }

    /// Another part of a frame.
    fn frame(self, base: &str, ty: &Arc<TypeInfo>, name: &str) -> Option<String> {
        match name {
            "f_funcobj" => None,
            "frame" => self.frame_of(base, ty),
            name => Some(format!("{}.{name}", self.frame_of(base, ty)?)),
        }
    }

    /// The frame object itself, or that of a generator.
    fn frame_of(self, base: &str, ty: &Arc<TypeInfo>) -> Option<String> {
        match &*self.objects.full_name(ty) {
            "frame" => Some(base.to_owned()),
            "generator" => Some(format!("{base}.gi_frame")),
            "coroutine" => Some(format!("{base}.cr_frame")),
            "async_generator" => Some(format!("{base}.ag_frame")),
            _ => None,
        }
    }

    /// `co_flags` of the code that a frame object or generator runs.
    fn code_flags(self, from: Addr) -> Option<u32> {
        let objects = self.objects;
        let f = &objects.layout.fields;
        let name = objects.full_name(&*objects.type_of(from).ok()?);
        let frame = match (&*name, &f.frame_object, f.frame.function) {
            ("frame", Some(handle), _) => objects.memory.ptr(handle.frame.of(from)).ok()?,
            ("frame", None, _) => from,
            (_, _, Some(_)) => f.generator.frame.of(from),
            (_, _, None) => return None,
        };
        let code = objects.memory.u64(f.frame.code.of(frame)).ok()?;
        let code = Addr(objects.layout.kinds.references.untag(code));
        objects.memory.u32(f.code.flags.of(code)).ok()
    }
}

/// Whether this is what a `mappingproxy` is a view of.
fn is_proxied(via: &Via) -> bool {
    matches!(via, Via::Field { of, name: Some(name), .. } if of == "mappingproxy" && name == "mapping")
}

/// Types whose own methods do what `dict`'s do.
const DICTS: &[&str] = &["dict", "frozendict", "collections.OrderedDict"];
