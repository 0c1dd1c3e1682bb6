//! The strings that are program text and no data: names of code objects, functions, types and modules,
//! the keys of their namespaces, names of attributes, threads, processes and open files. Tracebacks,
//! look-ups and the report on locks need them.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::python::object::AttributesAt;
use crate::python::object::flags;
use rustc_hash::FxHashSet;

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
enum Role {
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

/// The strings that stay, by address.
pub(super) fn kept(heap: &Heap) -> FxHashSet<Addr> {
    let roles: Vec<Role> = (0..)
        .zip(heap.kinds())
        .map(|(n, _)| role(heap, n))
        .collect();
    let mut names = Names {
        heap,
        kept: FxHashSet::default(),
    };
    for id in 0..heap.count() {
        let role = roles.get(heap.kind_number(id) as usize);
        names.look(id, role.copied().unwrap_or(Role::Plain));
    }
    let modules = heap.python.sys_modules();
    names.keys(modules, false);
    names.kept
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
    let named = NAMED.iter().find(|(class, _)| objects.is_a(&kind.keeping.ty, class));
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

/// Where texts of C are that are names: of types, and of functions in C. Most are constants.
pub(super) fn in_c(heap: &Heap) -> FxHashSet<Addr> {
    let objects = &heap.python.objects;
    let memory = &objects.memory;
    let name = objects.layout.fields.type_object.name;
    let mut names = FxHashSet::default();
    for id in 0..heap.count() {
        let Some(kind) = heap.kind(id) else {
            continue;
        };
        let addr = heap.address(id);
        if kind.keeping.ty.is(flags::TYPE) {
            names.extend(memory.ptr(name.of(addr)));
        } else if !kind.keeping.ty.is_heap()
            && role(heap, heap.kind_number(id)) == Role::Descriptor
        {
            // PyCFunctionObject begins with its definition, descriptors have two or three objects first.
            let definitions = [0, 16, 24].map(|at| memory.ptr(objects.after(addr, at)));
            let text = |definition: Addr| memory.ptr(definition);
            names.extend(definitions.into_iter().flatten().flat_map(text));
        }
    }
    names
}

struct Names<'h> {
    heap: &'h Heap,
    kept: FxHashSet<Addr>,
}

impl Names<'_> {
    fn look(&mut self, id: u32, role: Role) {
        let (objects, addr) = (&self.heap.python.objects, self.heap.address(id));
        let fields = &objects.layout.fields;
        match role {
            Role::Plain => return,
            Role::Code => {
                // What it refers to itself are names and tables, but for the constants.
                let constants = objects.memory.ptr(fields.code.consts.of(addr)).ok();
                self.direct(id, constants);
            }
            Role::Type => {
                self.direct(id, None);
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
            Role::Descriptor => self.direct(id, None),
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

    /// Keeps the strings that an object refers to, and those in its tuples, but for one tuple.
    fn direct(&mut self, id: u32, but: Option<Addr>) {
        let objects = &self.heap.python.objects;
        for target in self.heap.references().targets_of(id) {
            let (Some(kind), addr) = (self.heap.kind(*target), self.heap.address(*target)) else {
                continue;
            };
            if Some(addr) == but {
                continue;
            }
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
        let Some(Ok(items)) = dict
            .filter(|dict| !dict.is_null())
            .map(|d| objects.dict_items(d))
        else {
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
