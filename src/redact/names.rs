//! The strings that are program text and no data: names of code objects, functions, types and modules,
//! the keys of their namespaces, names of attributes, threads, processes and open files. Tracebacks,
//! look-ups and the report on locks need them.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::python::object::AttributesAt;
use crate::python::object::flags;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::sync::{Mutex, PoisonError};

/// The most names in one tuple of a code object.
const MOST_NAMES: usize = 1 << 16;

/// Values of namespaces that are names as well.
const NAMING: [&str; 5] = [
    "__name__",
    "__qualname__",
    "__module__",
    "__package__",
    "__file__",
];

/// Attributes that are names or states, by the class of what has them. What a thread's name is called
/// differs between versions.
const NAMED: [(&str, &str); 6] = [
    ("multiprocessing.process.BaseProcess", "_name"),
    ("_frozen_importlib._ModuleLock", "name"),
    ("importlib._bootstrap._ModuleLock", "name"),
    ("concurrent.futures._base.Future", "_state"),
    ("_io.FileIO", "name"),
    ("threading.Thread", ""),
];

/// What a type's instances have names for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A file of 2.7, which tells its name.
    File,
    /// An attribute that is a name.
    Named(&'static str),
    Code,
    Type,
    Module,
    Function,
    /// What a type has for its methods and attributes.
    Descriptor,
    /// Attributes alone.
    Object,
    /// Nothing.
    Plain,
}

/// Objects that one task looks at.
const BATCH: u32 = 1 << 14;

/// The strings that stay, by address.
pub(super) fn kept(heap: &Heap) -> FxHashSet<Addr> {
    let roles = roles(heap);
    let namespaces = Mutex::default();
    let names = || Names {
        heap,
        namespaces: &namespaces,
        kept: FxHashSet::default(),
    };
    let batches = (0..heap.count().div_ceil(BATCH)).into_par_iter();
    let found = batches.map(|batch| {
        let mut names = names();
        let first = batch * BATCH;
        for id in first..heap.count().min(first.saturating_add(BATCH)) {
            let role = roles.get(heap.kind_number(id) as usize);
            names.look(id, role.copied().unwrap_or(Role::Plain));
        }
        names.kept
    });
    let mut all = names();
    all.keys(heap.python.sys_modules(), false);
    let joined = |mut one: FxHashSet<Addr>, other: FxHashSet<Addr>| {
        one.extend(other);
        one
    };
    let found = found.reduce(FxHashSet::default, joined);
    joined(found, all.kept)
}

/// By the number of the type.
pub(super) fn roles(heap: &Heap) -> Vec<Role> {
    let numbers = 0..heap.kinds().len() as u32;
    numbers.map(|number| role(heap, number)).collect()
}

fn role(heap: &Heap, number: u32) -> Role {
    let Some(kind) = heap.kinds().get(number as usize) else {
        return Role::Plain;
    };
    if kind.keeping.ty.is(flags::TYPE) {
        return Role::Type;
    }
    let objects = &heap.python.objects;
    if objects.is_a(&kind.keeping.ty, "module") {
        return Role::Module;
    }
    let named = NAMED
        .iter()
        .find(|(class, _)| objects.is_a(&kind.keeping.ty, class));
    if let Some((_, attribute)) = named {
        return Role::Named(match *attribute {
            "" => objects.layout.kinds.thread_name,
            attribute => attribute,
        });
    }
    match &*heap.kind_name(number) {
        "code" => Role::Code,
        "file" => Role::File,
        "function" => Role::Function,
        "method_descriptor"
        | "getset_descriptor"
        | "member_descriptor"
        | "wrapper_descriptor"
        | "classmethod_descriptor"
        | "slot wrapper"
        | "builtin_function_or_method" => Role::Descriptor,
        _ if kind.keeping.attributes == AttributesAt::Nowhere && kind.keeping.slots.is_empty() => {
            Role::Plain
        }
        _ => Role::Object,
    }
}

struct Names<'h> {
    heap: &'h Heap,
    /// Those whose keys are kept already: many functions have one.
    namespaces: &'h Mutex<FxHashSet<Addr>>,
    kept: FxHashSet<Addr>,
}

impl Names<'_> {
    fn look(&mut self, id: u32, role: Role) {
        let (objects, addr) = (&self.heap.python.objects, self.heap.address(id));
        let fields = &objects.layout.fields;
        match role {
            Role::Plain => return,
            Role::Code => self.code(addr),
            Role::Type => {
                self.direct(id);
                let ty = objects.type_at(addr).ok();
                self.keys(ty.and_then(|ty| objects.type_dict(&ty)), true);
            }
            Role::Module => {
                let dict = objects.memory.ptr(fields.module.dict.of(addr)).ok();
                self.keys(dict, true);
            }
            Role::Function => {
                let function = &fields.function;
                let names = [
                    Some(function.name),
                    function.qualname,
                    Some(function.module),
                ];
                for field in names.into_iter().flatten() {
                    self.kept.extend(objects.memory.ptr(field.of(addr)));
                }
                // Code may run in any dictionary.
                self.keys(objects.memory.ptr(function.globals.of(addr)).ok(), true);
            }
            Role::Descriptor => self.direct(id),
            Role::File => {
                // PyFileObject { header; f_fp; f_name; … }
                self.kept.extend(objects.memory.ptr(objects.after(addr, 8)));
                return;
            }
            Role::Named(attribute) => {
                let value = objects.attribute(addr, attribute).ok().flatten();
                self.kept.extend(value);
            }
            Role::Object => {}
        }
        let attributes = objects.instance_attributes(addr).unwrap_or_default();
        self.kept.extend(attributes.iter().map(|(name, _)| *name));
    }

    /// Keeps names and tables of code, but no constants.
    fn code(&mut self, addr: Addr) {
        let objects = &self.heap.python.objects;
        let f = &objects.layout.fields.code;
        let always = [f.filename, f.name, f.linetable, f.names].map(Some);
        let some = [
            f.qualname,
            f.bytecode,
            f.localsplusnames,
            f.localspluskinds,
            f.varnames,
            f.cellvars,
            f.freevars,
            f.exceptiontable,
        ];
        for field in always.into_iter().chain(some).flatten() {
            let Ok(at) = objects.memory.ptr(field.of(addr)) else {
                continue;
            };
            if objects.type_of(at).is_ok_and(|ty| ty.is(flags::TUPLE)) {
                let items = objects.tuple_items(at, MOST_NAMES).unwrap_or_default();
                self.kept.extend(items);
            }
            self.kept.insert(at);
        }
    }

    /// Keeps the strings that an object refers to, and those in its tuples.
    fn direct(&mut self, id: u32) {
        let objects = &self.heap.python.objects;
        for target in self.heap.references().targets_of(id) {
            let (Some(kind), addr) = (self.heap.kind(*target), self.heap.address(*target)) else {
                continue;
            };
            if kind.keeping.ty.is(flags::TUPLE) {
                let items = objects.tuple_items(addr, MOST_NAMES).unwrap_or_default();
                self.kept.extend(items);
            }
            self.kept.insert(addr);
        }
    }

    /// Keeps the keys of a dictionary, and of a namespace the values that are names.
    fn keys(&mut self, dict: Option<Addr>, naming: bool) {
        let objects = &self.heap.python.objects;
        let new = |dict: &Addr| {
            let known = self.namespaces.lock();
            let new = known.unwrap_or_else(PoisonError::into_inner).insert(*dict);
            new && !dict.is_null()
        };
        let Some(Ok(items)) = dict.filter(new).map(|d| objects.dict_items(d)) else {
            return;
        };
        for (key, value) in items {
            if naming && NAMING.iter().any(|name| objects.is_text(key, name)) {
                self.kept.insert(value);
            }
            self.kept.insert(key);
        }
    }
}
