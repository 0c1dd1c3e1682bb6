//! Names of locks as a person would write them: the shortest path from a module, else from a
//! variable of a frame.

use super::{Kind, Locks, View};
use crate::addr::Addr;
use crate::python::object::Objects;
use crate::python::{PyFrame, doing};
use rustc_hash::FxHashMap;

/// The most names of modules and variables that are looked at.
const MOST_NAMES: usize = 2_000_000;

/// The longest part of a name, in characters.
const LONGEST: u64 = 200;

/// Names the locks that threads wait for or hold.
pub(super) fn give(view: &View<'_>, locks: &mut Locks) {
    let mut unnamed: FxHashMap<Addr, usize> = FxHashMap::default();
    for (at, lock) in locks.all.iter_mut().enumerate() {
        match lock.kind {
            Kind::Gil => lock.name = Some("the GIL".into()),
            Kind::Thread => lock.name = thread_name(view, lock.address),
            kind if kind.is_object() => {
                unnamed.insert(lock.address, at);
            }
            _ => lock.name = symbol(view, lock.address),
        }
    }
    let mut search = Search {
        view,
        unnamed,
        locks,
        left: MOST_NAMES,
    };
    search.modules();
    search.frames();
}

/// `thread "worker"`.
fn thread_name(view: &View<'_>, thread: Addr) -> Option<String> {
    let objects = &view.python.objects;
    let attribute = objects.layout.kinds.thread_name;
    let name = objects.attribute(thread, attribute).ok()??;
    let name = objects.text(name, LONGEST).ok()?;
    Some(format!("thread \"{}\"", name.value))
}

/// `mutex in libfoo.so` for a variable that has a symbol.
fn symbol(view: &View<'_>, addr: Addr) -> Option<String> {
    view.process.symbol(addr)?.function
}

struct Search<'a, 'p> {
    view: &'a View<'p>,
    unnamed: FxHashMap<Addr, usize>,
    locks: &'a mut Locks,
    left: usize,
}

impl Search<'_, '_> {
    fn objects(&self) -> &Objects {
        &self.view.python.objects
    }

    /// Looks at one value, and at what belongs to it. `name` makes its name, given the attributes
    /// that lead on from it (`.lock`).
    fn look(&mut self, name: &dyn Fn(&str) -> String, value: Addr, attributes: bool) {
        self.left = self.left.saturating_sub(1);
        if let Some(at) = self.unnamed.remove(&value)
            && let Some(lock) = self.locks.all.get_mut(at)
        {
            lock.name = Some(name(""));
        }
        if !attributes || !self.has_attributes(value) {
            return;
        }
        for (attribute, value) in self
            .objects()
            .instance_attributes(value)
            .unwrap_or_default()
        {
            if self.unnamed.contains_key(&value) {
                let part = self.objects().text(attribute, LONGEST);
                let part = part.map_or("?".into(), |text| text.value);
                self.look(&|tail| name(&format!(".{part}{tail}")), value, false);
            }
        }
    }

    /// Whether an object is worth looking into: an instance of a class that a program made.
    fn has_attributes(&self, value: Addr) -> bool {
        let ty = self.objects().type_of(value);
        ty.is_ok_and(|ty| ty.is_heap() || ty.name.as_deref() == Some("instance"))
    }

    /// Names of modules' variables, and of what these have.
    fn modules(&mut self) {
        for deep in [false, true] {
            for (module, namespace) in self.view.python.modules() {
                if self.unnamed.is_empty() || self.left == 0 {
                    return;
                }
                for (name, value) in self.objects().dict_items(namespace).unwrap_or_default() {
                    if self.left == 0 {
                        return;
                    }
                    let part = self.objects().text(name, LONGEST);
                    let Ok(part) = part else { continue };
                    let full = |tail: &str| match &*module {
                        "__main__" => format!("{}{tail}", part.value),
                        module => format!("{module}.{}{tail}", part.value),
                    };
                    self.look(&full, value, deep);
                }
            }
        }
    }

    /// Names of variables of frames, and of what these have: those of the program's own code, then
    /// those of the standard library that it called.
    fn frames(&mut self) {
        for library in [false, true] {
            for (_, state) in &self.view.states {
                let stack = self.view.python.stack(state);
                let own = |frame: &&PyFrame| doing::library(&frame.file).is_some() == library;
                for frame in stack.frames.iter().filter(own) {
                    if self.unnamed.is_empty() || self.left == 0 {
                        return;
                    }
                    self.variables(frame);
                }
            }
        }
    }

    fn variables(&mut self, frame: &PyFrame) {
        for variable in self.view.python.variables(frame).all {
            if let Some(value) = variable.value {
                let full = |tail: &str| format!("{}{tail} in {}()", variable.name, frame.function);
                self.look(&full, value, true);
            }
        }
    }
}
