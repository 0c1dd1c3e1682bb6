//! What the slots of a frame are called (Objects/codeobject.c): `co_varnames`, `co_cellvars` and
//! `co_freevars` up to 3.10, `co_localsplusnames` with a byte of bits each since.

use super::VariableKind;
use crate::addr::Addr;
use crate::python::layout::{Code, Field};
use crate::python::object::{Objects, malformed};
use crate::target::Fault;
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// The most slots of one frame that are believed.
const MOST_SLOTS: usize = 1 << 17;

/// Bits of `co_flags`.
mod flags {
    /// Locals are kept in slots alone: the body of a function.
    pub(super) const OPTIMIZED: u32 = 0x1;
    /// There is an argument `*args`.
    pub(super) const VARARGS: u32 = 0x4;
    /// There is an argument `**kwargs`.
    pub(super) const VARKEYWORDS: u32 = 0x8;
}

/// Bits of `co_localspluskinds` (Include/internal/pycore_code.h).
mod kinds {
    pub(super) const HIDDEN: u8 = 0x10;
    pub(super) const CELL: u8 = 0x40;
    pub(super) const FREE: u8 = 0x80;
}

/// One slot of a frame.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: Arc<str>,
    pub(super) kind: VariableKind,
    pub(super) argument: bool,
    /// Its index in `localsplus`.
    pub(super) index: usize,
    /// Whether a cell holds the value.
    pub(super) in_cell: bool,
}

/// What the frames of one code object have.
#[derive(Debug)]
pub(super) struct Slots {
    /// Arguments first.
    pub(super) slots: Vec<Slot>,
    /// Whether all names are in slots.
    pub(super) optimized: bool,
}

/// The names of a code object's variables, read when they are first asked for.
#[derive(Debug, Default)]
pub(in crate::python) struct Names(OnceLock<Result<Arc<Slots>, Fault>>);

impl Names {
    /// The names of the variables of the code object at `code`.
    pub(super) fn get(&self, objects: &Objects, code: Addr) -> Result<Arc<Slots>, Fault> {
        self.0
            .get_or_init(|| read(objects, code).map(Arc::new))
            .clone()
    }
}

fn read(objects: &Objects, code: Addr) -> Result<Slots, Fault> {
    let f = &objects.layout.fields.code;
    let int = |field: Field| objects.memory.u32(field.of(code));
    let optional = |field: Option<Field>| field.map_or(Ok(0), int);
    let bits = int(f.flags)?;
    let extra = |flag: u32| usize::from(bits & flag != 0);
    let arguments = (int(f.argcount)? as usize)
        .saturating_add(optional(f.kwonlyargcount)? as usize)
        .saturating_add(extra(flags::VARARGS) + extra(flags::VARKEYWORDS));
    let slots = match (f.localsplusnames, f.localspluskinds) {
        (Some(names), Some(kinds)) => of_kinds(objects, code, names, kinds, arguments)?,
        _ => of_lists(objects, code, f, arguments)?,
    };
    Ok(Slots {
        slots,
        optimized: bits & flags::OPTIMIZED != 0,
    })
}

/// 3.11+: one tuple of names, and a byte of bits for each.
fn of_kinds(
    objects: &Objects,
    code: Addr,
    names: Field,
    kinds: Field,
    arguments: usize,
) -> Result<Vec<Slot>, Fault> {
    let kinds = objects.bytes(objects.memory.ptr(kinds.of(code))?, MOST_SLOTS)?;
    let names = tuple(objects, names.of(code))?;
    if names.len() != kinds.len() {
        return Err(malformed(code));
    }
    let slot = |(index, (name, bits)): (usize, (Arc<str>, u8))| {
        let argument = index < arguments;
        Slot {
            name,
            kind: match bits {
                _ if bits & kinds::FREE != 0 => VariableKind::Free,
                _ if bits & kinds::CELL != 0 => VariableKind::Cell,
                _ if bits & kinds::HIDDEN != 0 => VariableKind::Hidden,
                _ if argument => VariableKind::Argument,
                _ => VariableKind::Local,
            },
            argument,
            index,
            in_cell: bits & (kinds::FREE | kinds::CELL) != 0,
        }
    };
    Ok(names.into_iter().zip(kinds).enumerate().map(slot).collect())
}

/// Up to 3.10: three tuples, whose slots follow each other. An argument that an inner function
/// uses is in both of the first two; its cell has the value.
fn of_lists(objects: &Objects, code: Addr, f: &Code, arguments: usize) -> Result<Vec<Slot>, Fault> {
    let list = |field: Option<Field>| match field {
        Some(field) => tuple(objects, field.of(code)),
        None => Ok(Vec::new()),
    };
    let (locals, cells, free) = (list(f.varnames)?, list(f.cellvars)?, list(f.freevars)?);
    let first_cell = objects.memory.u32(f.nlocals.of(code))? as usize;
    if first_cell != locals.len() {
        return Err(malformed(code));
    }
    let mut slots: Vec<Slot> = locals
        .into_iter()
        .enumerate()
        .map(|(index, name)| Slot {
            name,
            kind: match index < arguments {
                true => VariableKind::Argument,
                false => VariableKind::Local,
            },
            argument: index < arguments,
            index,
            in_cell: false,
        })
        .collect();
    let first_free = first_cell + cells.len();
    let named: FxHashMap<Arc<str>, usize> = slots
        .iter()
        .take(arguments)
        .map(|slot| (Arc::clone(&slot.name), slot.index))
        .collect();
    for (at, name) in cells.into_iter().enumerate() {
        let captured = named.get(&name).and_then(|index| slots.get_mut(*index));
        let slot = Slot {
            argument: captured.is_some(),
            kind: VariableKind::Cell,
            index: first_cell + at,
            in_cell: true,
            name,
        };
        match captured {
            Some(argument) => *argument = slot,
            None => slots.push(slot),
        }
    }
    slots.extend(free.into_iter().enumerate().map(|(at, name)| Slot {
        name,
        kind: VariableKind::Free,
        argument: false,
        index: first_free + at,
        in_cell: true,
    }));
    Ok(slots)
}

/// The strings in the tuple that the pointer at `at` leads to.
fn tuple(objects: &Objects, at: Addr) -> Result<Vec<Arc<str>>, Fault> {
    let tuple = objects.memory.ptr(at)?;
    let size = objects.var_size(tuple)?;
    if !usize::try_from(size).is_ok_and(|size| size <= MOST_SLOTS) {
        return Err(malformed(tuple));
    }
    let items = objects.tuple_items(tuple, MOST_SLOTS)?.into_iter();
    let name = |item| match objects.text(item, super::LONGEST_NAME) {
        Ok(text) => text.value.into(),
        Err(_) => format!("<name at {item}>").into(),
    };
    Ok(items.map(name).collect())
}

impl Objects {
    /// The slots that the frames of the code object at `code` have in `localsplus`: index, name and
    /// kind. An argument up to 3.10 that an inner function uses has that of its cell.
    pub fn slot_names(&self, code: Addr) -> Result<Vec<(usize, Arc<str>, VariableKind)>, Fault> {
        let slots = read(self, code)?.slots.into_iter();
        Ok(slots
            .map(|slot| (slot.index, slot.name, slot.kind))
            .collect())
    }
}
