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

/// Modules whose names for static types are those of the types with the module in front.
const QUALIFIED: &[(&str, &str)] = &[
    ("itertools", "itertools"),
    ("_io", "_io"),
    ("datetime", "datetime"),
    ("_datetime", "datetime"),
    ("decimal", "decimal"),
    ("collections", "collections"),
    ("_collections", "collections"),
    ("functools", "functools"),
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
        &[("LockType", "_thread.lock"), ("RLock", "_thread.RLock")],
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
        for module in OWN_NAMES {
            for (name, value) in self.static_types_of(interpreter, module) {
                known.entry(value).or_insert_with(|| name.into());
            }
        }
        for (module, prefix) in QUALIFIED {
            for (name, value) in self.static_types_of(interpreter, module) {
                let full = || format!("{prefix}.{name}").into();
                known.entry(value).or_insert_with(full);
            }
        }
        known
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
