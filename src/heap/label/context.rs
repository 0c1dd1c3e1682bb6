//! What a step of a path means beside the steps before it: the tuple of a function's closure has
//! the cells of variables that the code names, that of its defaults the values of parameters.

use super::{Via, vias};
use crate::addr::Addr;
use crate::python::object::Objects;
use crate::python::variables::VariableKind;
use std::sync::Arc;

/// How the object at `from`, which a path comes to from `before`, refers to the one at `to`.
pub fn via_in(objects: &Objects, before: Option<Addr>, from: Addr, to: Addr) -> Via {
    let via = vias(objects, from, to, 1).pop().unwrap_or(Via::Unknown);
    let Via::Index { index } = via else {
        return via;
    };
    let named = before.and_then(|function| of_function(objects, function, from, index));
    named.unwrap_or(via)
}

/// What the item `index` is to a function that has the tuple `from`.
fn of_function(objects: &Objects, function: Addr, from: Addr, index: u64) -> Option<Via> {
    let ty = objects.type_of(function).ok()?;
    if *objects.full_name(&ty) != *"function" {
        return None;
    }
    let f = &objects.layout.fields;
    let word = |field: crate::python::layout::Field| objects.memory.ptr(field.of(function)).ok();
    let code = word(f.function.code)?;
    let names = || objects.slot_names(code).ok();
    if word(f.function.closure) == Some(from) {
        let free = names()?
            .into_iter()
            .filter(|(.., kind)| *kind == VariableKind::Free);
        let name = nth(free.map(|(_, name, _)| name), index)?;
        return Some(Via::Closure { index, name });
    }
    if word(f.function.defaults) == Some(from) {
        let given = u64::from(objects.memory.u32(f.code.argcount.of(code)).ok()?);
        let defaults = u64::try_from(objects.var_size(from).ok()?).ok()?;
        let position = given.checked_sub(defaults)?.checked_add(index)?;
        let name = nth(names()?.into_iter().map(|(_, name, _)| name), position)?;
        return Some(Via::Default { index, name });
    }
    None
}

fn nth(mut names: impl Iterator<Item = Arc<str>>, index: u64) -> Option<String> {
    let name = names.nth(usize::try_from(index).ok()?)?;
    Some(name.to_string())
}
