//! The variables of a Python frame: arguments, locals, cells and free variables, by name.
//!
//! What `frame.f_locals` gives inside the process (Objects/frameobject.c), and what it leaves out:
//! which are unbound. The slots of a frame are named by its code object ([`slots`]); module and
//! class bodies keep their names in a namespace besides.

mod slots;

pub(super) use slots::Names;

use super::object::{Objects, malformed};
use super::{PyFrame, Python};
use crate::addr::Addr;
use crate::target::Fault;
use rustc_hash::FxHashMap;
use serde::Serialize;
use slots::Slot;
use std::sync::Arc;

/// What a variable is to its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariableKind {
    /// An argument.
    Argument,
    /// A local variable.
    Local,
    /// A local variable or argument that an inner function uses too.
    Cell,
    /// A variable of an enclosing function.
    Free,
    /// A temporary of an inlined comprehension (3.12+).
    Hidden,
    /// A name in the namespace of a module or class body, or of `exec`'d code.
    Namespace,
}

/// One variable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: VariableKind,
    /// Whether it is an argument; one that an inner function uses has the kind of a cell.
    pub argument: bool,
    /// Address of its value; `None` when it is not bound.
    pub value: Option<Addr>,
}

/// The variables of a frame.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Variables {
    /// Arguments first, in the order of the code object.
    pub all: Vec<Variable>,
    /// Why some are missing, in words.
    pub problem: Option<String>,
}

/// The longest name that is shown whole, in characters.
const LONGEST_NAME: u64 = 64 << 10;

impl Python {
    /// The variables of a frame, those without a value included.
    pub fn variables(&self, frame: &PyFrame) -> Variables {
        let code = match self.codes.get(&self.objects, frame.code) {
            Ok(code) => code,
            Err(fault) => {
                let problem = format!("the code object cannot be read: {fault}");
                return Variables {
                    all: Vec::new(),
                    problem: Some(problem),
                };
            }
        };
        Variables::read(&self.objects, frame.addr, code.addr, &code.names)
    }

    /// The slots of a frame's variables as they lie there: the name, the place, the word.
    pub(super) fn variable_slots(
        &self,
        frame: &PyFrame,
    ) -> Result<Vec<(Arc<str>, Addr, Addr)>, Fault> {
        let code = self.codes.get(&self.objects, frame.code)?;
        let names = code.names.get(&self.objects, code.addr)?;
        let start = self.layout.fields.frame.localsplus.of(frame.addr);
        let count = names.slots.iter().map(|slot| slot.index + 1).max();
        let words = self.objects.pointers(start, count.unwrap_or(0))?;
        let slots = names.slots.iter().filter_map(|slot| {
            let at = start.add((slot.index as u64).wrapping_mul(8));
            Some((Arc::clone(&slot.name), at, *words.get(slot.index)?))
        });
        Ok(slots.collect())
    }

    /// The namespace of the module that a frame's code belongs to: a dictionary.
    pub fn globals(&self, frame: &PyFrame) -> Option<Addr> {
        self.namespace(self.layout.fields.frame.globals.of(frame.addr))
    }

    /// The namespace of `builtins` as a frame sees it: a dictionary.
    pub fn builtins(&self, frame: &PyFrame) -> Option<Addr> {
        self.namespace(self.layout.fields.frame.builtins.of(frame.addr))
    }

    /// The names in the namespace of the module that a frame's code belongs to.
    pub fn global_variables(&self, frame: &PyFrame) -> Variables {
        let mut found = Variables::default();
        let at = self.layout.fields.frame.globals.of(frame.addr);
        found.read_namespace(&self.objects, at);
        found
    }

    /// Whether the names of a frame are those of its module: its body, or `exec`'d code.
    pub fn is_module_level(&self, frame: &PyFrame) -> bool {
        let locals = self.namespace(self.layout.fields.frame.locals.of(frame.addr));
        locals.is_some() && locals == self.globals(frame)
    }

    /// The dictionary that the pointer at `at` leads to.
    fn namespace(&self, at: Addr) -> Option<Addr> {
        let dict = self.objects.memory.ptr(at).ok()?;
        let ty = self.objects.type_of(dict).ok()?;
        ty.is_dict().then_some(dict)
    }
}

impl Variables {
    /// The variables of the frame at `frame`, which runs the code object at `code`.
    fn read(objects: &Objects, frame: Addr, code: Addr, names: &Names) -> Variables {
        let mut found = Variables::default();
        match names.get(objects, code) {
            Ok(names) => {
                found.read_slots(objects, frame, &names.slots);
                if !names.optimized {
                    found.read_namespace(objects, objects.layout.fields.frame.locals.of(frame));
                }
            }
            Err(fault) => found.lack(format!("the names of variables cannot be read: {fault}")),
        }
        found
    }

    /// Notes the first thing that is missing.
    fn lack(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn read_slots(&mut self, objects: &Objects, frame: Addr, slots: &[Slot]) {
        let start = objects.layout.fields.frame.localsplus.of(frame);
        let count = slots.iter().map(|slot| slot.index + 1).max().unwrap_or(0);
        let words = match objects.pointers(start, count) {
            Ok(words) => words,
            Err(fault) => {
                return self.lack(format!(
                    "the variables of the frame cannot be read: {fault}"
                ));
            }
        };
        self.all.reserve(slots.len());
        for slot in slots {
            let Some(word) = words.get(slot.index) else {
                continue;
            };
            match value(objects, *word, slot) {
                Ok(value) => self.all.push(Variable {
                    name: Arc::clone(&slot.name),
                    kind: slot.kind,
                    argument: slot.argument,
                    value,
                }),
                Err(fault) => {
                    self.lack(format!(
                        "the variable {} cannot be read: {fault}",
                        slot.name
                    ));
                }
            }
        }
    }

    /// Adds the names of the dictionary that the pointer at `at` leads to, unless a slot has them.
    fn read_namespace(&mut self, objects: &Objects, at: Addr) {
        let items = objects
            .memory
            .ptr(at)
            .and_then(|dict| match dict.is_null() {
                true => Ok(Vec::new()),
                false => objects.dict_items(dict),
            });
        let items = match items {
            Ok(items) => items,
            Err(fault) => {
                return self.lack(format!(
                    "the namespace is no dictionary that can be read: {fault}"
                ));
            }
        };
        let slots = self.all.iter().enumerate();
        let places: FxHashMap<Arc<str>, usize> = slots
            .filter(|(_, known)| known.kind != VariableKind::Hidden)
            .map(|(at, known)| (Arc::clone(&known.name), at))
            .collect();
        for (key, value) in items {
            let name: Arc<str> = match objects.text(key, LONGEST_NAME) {
                Ok(text) => text.value.into(),
                Err(_) => format!("<key at {key}>").into(),
            };
            let slot = places.get(&name).and_then(|at| self.all.get_mut(*at));
            let variable = Variable {
                name,
                kind: VariableKind::Namespace,
                argument: false,
                value: Some(value),
            };
            match slot {
                // A class body finds its own names before those of functions around it.
                Some(slot) if slot.kind == VariableKind::Free => *slot = variable,
                // Up to 3.12, looking at `f_locals` in the process copies slots there, and in a
                // 2.7 function with an `exec` statement the copies may be old.
                Some(_) => {}
                None => self.all.push(variable),
            }
        }
    }
}

/// The value of the variable whose slot holds `word`.
fn value(objects: &Objects, word: Addr, slot: &Slot) -> Result<Option<Addr>, Fault> {
    let references = objects.layout.kinds.references;
    if references.is_int(word.0) {
        return Err(malformed(word));
    }
    let object = Addr(references.untag(word.0));
    if object.is_null() {
        return Ok(None);
    }
    // A slot of a cell holds the bare argument until the function has made its cells.
    if slot.in_cell && is_cell(objects, object)? {
        let content = objects.memory.ptr(objects.after(object, 0))?;
        return Ok(Some(content).filter(|content| !content.is_null()));
    }
    Ok(Some(object))
}

/// Whether the object is a `PyCellObject`.
pub(super) fn is_cell(objects: &Objects, object: Addr) -> Result<bool, Fault> {
    let ty = objects.type_of(object)?;
    let size = i64::from(objects.layout.fields.object.size.offset) + 8;
    Ok(!ty.is_heap() && ty.may_be("cell") && ty.basicsize == size && ty.itemsize == 0)
}

#[cfg(test)]
mod tests;
