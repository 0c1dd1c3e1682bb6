//! Types. Static ones are never freed, so they are roots themselves; and no type tells a traversal
//! of the weak references to its subclasses (Objects/typeobject.c `type_traverse`), which keep a
//! container of their own alive. All types are found by these, from `object` on.

use super::{RootKind, Roots, TypePart, number};
use crate::addr::Addr;
use crate::python::Python;
use crate::python::object::TypeInfo;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// More types than this are damage.
const MOST: usize = 10_000_000;

/// The most bases between a type and `object`.
const MOST_BASES: usize = 1000;

impl Roots {
    pub(super) fn add_types(&mut self, python: &Python) {
        let mut known: FxHashSet<Addr> = FxHashSet::default();
        for (position, interpreter) in python.interpreters.iter().enumerate() {
            let Some(first) = base_of_all(python, interpreter.addr) else {
                python.notes.partial(format!(
                    "the types of interpreter {} cannot be found",
                    interpreter.id
                ));
                continue;
            };
            let mut seen = FxHashSet::from_iter([first.addr]);
            let mut open = vec![first];
            while let Some(ty) = open.pop() {
                let named = python.objects.full_name(&ty);
                let name = self.names.number(&named);
                let kind = |part| RootKind::Type {
                    interpreter: number(position),
                    name,
                    part,
                };
                if !ty.is_heap() && known.insert(ty.addr) {
                    self.push(kind(TypePart::Type), Addr::NULL, ty.addr, true);
                }
                if interpreter.id != 0
                    && let Some((at, dict)) = held_at(
                        python,
                        python.objects.namespace_place(&ty, interpreter.addr),
                    )
                {
                    self.push(kind(TypePart::Namespace), at, dict, true);
                }
                let place = python.objects.subclasses_place(&ty, interpreter.addr);
                let Some((at, subclasses)) = held_at(python, place) else {
                    continue;
                };
                self.push(kind(TypePart::Subclasses), at, subclasses, true);
                for subclass in python.objects.weakly_held(subclasses) {
                    if seen.len() < MOST
                        && seen.insert(subclass)
                        && let Ok(ty) = python.objects.as_type(subclass)
                    {
                        open.push(ty);
                    }
                }
            }
        }
    }
}

/// The object that the word at `place` refers to.
fn held_at(python: &Python, place: Option<Addr>) -> Option<(Addr, Addr)> {
    let place = place?;
    let object = python.objects.memory.ptr(place).ok()?;
    python.objects.is_object(object).then_some((place, object))
}

/// `object`: the last base of any type.
fn base_of_all(python: &Python, interpreter: Addr) -> Option<Arc<TypeInfo>> {
    let field = python.layout.fields.interpreter.modules;
    let modules = python.objects.memory.ptr(field.of(interpreter)).ok()?;
    let mut ty = python.objects.type_of(modules).ok()?;
    for _ in 0..MOST_BASES {
        match ty.base.is_null() {
            true => return Some(ty),
            false => ty = python.objects.type_at(ty.base).ok()?,
        }
    }
    None
}
