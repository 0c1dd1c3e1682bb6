//! Names of static types that a core lacks: `tp_name` is a constant of the binary, which the kernel
//! leaves out of cores. Without the file, the namespaces of modules still tell what a type at some
//! address is called.

use super::{Objects, TypeInfo, flags};
use crate::addr::Addr;
use crate::python::names;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Modules whose names for static types are the types' own, without the module.
const OWN_NAMES: &[&str] = &["builtins", "__builtin__", "_collections_abc"];

/// Modules whose names for static types are those of the types with this module in front. Modules
/// written in Python are left out, because they give other modules' types names of their own.
const QUALIFIED: &[(&str, &str)] = &[
    ("exceptions", "exceptions"),
    ("itertools", "itertools"),
    ("_io", "_io"),
    ("_datetime", "datetime"),
    ("datetime", "datetime"),
    ("_decimal", "decimal"),
    ("_collections", "collections"),
    ("_functools", "functools"),
    ("_operator", "operator"),
    ("operator", "operator"),
    ("thread", "thread"),
    ("_thread", "_thread"),
];

/// Constants of `builtins` whose types have no name there.
const CONSTANTS: &[(&str, &str)] = &[
    ("None", "NoneType"),
    ("Ellipsis", "ellipsis"),
    ("NotImplemented", "NotImplementedType"),
];

/// What classes of `builtins` have in their namespaces, and of what type that is.
const DESCRIPTORS: &[(&str, &str, &str)] = &[
    ("object", "__repr__", "wrapper_descriptor"),
    ("object", "__reduce__", "method_descriptor"),
    ("object", "__class__", "getset_descriptor"),
    ("object", "__subclasshook__", "classmethod_descriptor"),
    ("type", "__basicsize__", "member_descriptor"),
    ("type", "__dict__", "getset_descriptor"),
];

/// Other names of static types: module, name there, name of the type.
const OTHERS: &[(&str, &[(&str, &str)])] = &[
    (
        "types",
        &[
            ("FunctionType", "function"),
            ("CodeType", "code"),
            ("MappingProxyType", "mappingproxy"),
            ("SimpleNamespace", "types.SimpleNamespace"),
            ("CellType", "cell"),
            ("GeneratorType", "generator"),
            ("CoroutineType", "coroutine"),
            ("AsyncGeneratorType", "async_generator"),
            ("MethodType", "method"),
            ("BuiltinFunctionType", "builtin_function_or_method"),
            ("WrapperDescriptorType", "wrapper_descriptor"),
            ("MethodWrapperType", "method-wrapper"),
            ("MethodDescriptorType", "method_descriptor"),
            ("ClassMethodDescriptorType", "classmethod_descriptor"),
            ("ModuleType", "module"),
            ("TracebackType", "traceback"),
            ("FrameType", "frame"),
            ("GetSetDescriptorType", "getset_descriptor"),
            ("MemberDescriptorType", "member_descriptor"),
            ("GenericAlias", "types.GenericAlias"),
            ("UnionType", "types.UnionType"),
            ("CapsuleType", "PyCapsule"),
            ("NoneType", "NoneType"),
            ("EllipsisType", "ellipsis"),
            ("NotImplementedType", "NotImplementedType"),
        ],
    ),
    ("typing", &[("Union", "typing.Union")]),
    ("contextvars", &[("ContextVar", "_contextvars.ContextVar")]),
    (
        "string.templatelib",
        &[
            ("Template", "string.templatelib.Template"),
            ("Interpolation", "string.templatelib.Interpolation"),
        ],
    ),
    (
        "_weakref",
        &[
            ("ReferenceType", "weakref.ReferenceType"),
            ("ProxyType", "weakref.ProxyType"),
            ("CallableProxyType", "weakref.CallableProxyType"),
        ],
    ),
    (
        "_thread",
        &[("LockType", "_thread.lock"), ("lock", "_thread.lock")],
    ),
];

/// The same for 2.7, where they have other names.
const OTHERS_2: &[(&str, &[(&str, &str)])] = &[
    (
        "types",
        &[
            ("FunctionType", "function"),
            ("CodeType", "code"),
            ("DictProxyType", "dictproxy"),
            ("GeneratorType", "generator"),
            ("ClassType", "classobj"),
            ("InstanceType", "instance"),
            ("MethodType", "instancemethod"),
            ("BuiltinFunctionType", "builtin_function_or_method"),
            ("ModuleType", "module"),
            ("TracebackType", "traceback"),
            ("FrameType", "frame"),
            ("GetSetDescriptorType", "getset_descriptor"),
            ("MemberDescriptorType", "member_descriptor"),
            ("NoneType", "NoneType"),
            ("EllipsisType", "ellipsis"),
            ("NotImplementedType", "NotImplementedType"),
        ],
    ),
    (
        "_weakref",
        &[
            ("ReferenceType", "weakref"),
            ("ProxyType", "weakproxy"),
            ("CallableProxyType", "weakcallableproxy"),
        ],
    ),
    ("thread", &[("LockType", "thread.lock")]),
];

/// The longest name of an attribute that is looked at.
const LONGEST_NAME: u64 = 100;

impl Objects {
    /// `tp_name`, or what the modules call a static type whose `tp_name` is not in the core.
    pub fn c_name(&self, ty: &TypeInfo) -> Arc<str> {
        let unknown = || format!("<type at {}>", ty.addr).into();
        match &ty.name {
            Some(name) => name.as_str().into(),
            None if ty.is_heap() => unknown(),
            None => self.static_name(ty.addr).unwrap_or_else(unknown),
        }
    }

    fn static_name(&self, ty: Addr) -> Option<Arc<str>> {
        let interpreter = *self.interpreter.get()?;
        let names = self
            .static_names
            .get_or_init(|| self.read_static_names(interpreter));
        names.get(&ty).cloned()
    }

    fn read_static_names(&self, interpreter: Addr) -> FxHashMap<Addr, Arc<str>> {
        let mut known: FxHashMap<Addr, Arc<str>> = FxHashMap::default();
        let is_python_2 = self.layout.fields.instance.is_some();
        for (module, others) in if is_python_2 { OTHERS_2 } else { OTHERS } {
            for (name, value) in self.static_types_of(interpreter, module) {
                if let Some((_, own)) = others.iter().find(|(there, _)| *there == name) {
                    known.entry(value).or_insert_with(|| (*own).into());
                }
            }
        }
        self.learn_from_builtins(interpreter, &mut known);
        for (module, prefix) in QUALIFIED {
            for (name, value) in self.static_types_of(interpreter, module) {
                let full = || format!("{prefix}.{name}").into();
                known.entry(value).or_insert_with(full);
            }
        }
        for module in OWN_NAMES {
            for (name, value) in self.static_types_of(interpreter, module) {
                // In 2.7 that is another name of `str`.
                if !(is_python_2 && name == "bytes") {
                    known.entry(value).or_insert_with(|| name.into());
                }
            }
        }
        known
    }

    /// Adds the types of what is known to be in `builtins` and its classes.
    fn learn_from_builtins(&self, interpreter: Addr, known: &mut FxHashMap<Addr, Arc<str>>) {
        let builtins = self.layout.fields.interpreter.builtins;
        let Ok(builtins) = self.memory.ptr(builtins.of(interpreter)) else {
            return;
        };
        let builtin = |name| self.dict_get(builtins, name).ok()?;
        let constants = CONSTANTS.iter().map(|(name, ty)| (builtin(name), ty));
        let descriptors = DESCRIPTORS.iter().map(|(class, name, ty)| {
            let dict = builtin(class).and_then(|class| self.type_dict(&*self.type_at(class).ok()?));
            let value = dict.and_then(|dict| self.dict_get(dict, name).ok()?);
            (value, ty)
        });
        for (value, name) in constants.chain(descriptors) {
            let ty = value.and_then(|value| self.type_of(value).ok());
            if let Some(ty) = ty.filter(|ty| ty.name.is_none() && !ty.is_heap()) {
                known.entry(ty.addr).or_insert_with(|| (*name).into());
            }
        }
    }

    /// The static types in the namespace of a module, by name.
    fn static_types_of(&self, interpreter: Addr, module: &str) -> Vec<(String, Addr)> {
        let namespace = names::module(self, interpreter, module).ok().flatten();
        let items = namespace.and_then(|namespace| self.dict_items(namespace).ok());
        let items = items.unwrap_or_default().into_iter();
        items
            .filter(|(_, value)| {
                let ty = self.type_of(*value);
                ty.is_ok_and(|ty| ty.is(flags::READY) && ty.is(flags::TYPE))
                    && self.type_at(*value).is_ok_and(|ty| !ty.is_heap())
            })
            .filter_map(|(name, value)| Some((self.text(name, LONGEST_NAME).ok()?.value, value)))
            .collect()
    }
}
