//! The names of builtin types where a core lacks the constants of the binary that `tp_name`
//! points to: the namespaces of `builtins` and of some modules have them, and lie on the heap.

use super::{Objects, flags};
use crate::addr::Addr;
use rustc_hash::FxHashMap;

/// Builtin objects whose type `builtins` does not name.
const SINGLETONS: &[(&str, &str)] = &[
    ("None", "NoneType"),
    ("Ellipsis", "ellipsis"),
    ("NotImplemented", "NotImplementedType"),
];

/// Types that other modules hold: the module, the name there, the type's own name.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("types", "FunctionType", "function"),
    ("types", "CodeType", "code"),
    ("types", "ModuleType", "module"),
    ("types", "MethodType", "method"),
    ("types", "BuiltinFunctionType", "builtin_function_or_method"),
    ("types", "GeneratorType", "generator"),
    ("types", "CoroutineType", "coroutine"),
    ("types", "AsyncGeneratorType", "async_generator"),
    ("types", "MappingProxyType", "mappingproxy"),
    ("types", "TracebackType", "traceback"),
    ("types", "FrameType", "frame"),
    ("types", "CellType", "cell"),
    ("types", "GetSetDescriptorType", "getset_descriptor"),
    ("types", "MemberDescriptorType", "member_descriptor"),
    ("types", "WrapperDescriptorType", "wrapper_descriptor"),
    ("types", "MethodDescriptorType", "method_descriptor"),
    ("collections", "deque", "collections.deque"),
    ("collections", "defaultdict", "collections.defaultdict"),
    ("collections", "OrderedDict", "collections.OrderedDict"),
    ("datetime", "date", "datetime.date"),
    ("datetime", "datetime", "datetime.datetime"),
    ("datetime", "time", "datetime.time"),
    ("datetime", "timedelta", "datetime.timedelta"),
    ("datetime", "timezone", "datetime.timezone"),
];

/// The longest name in `builtins` that is looked at, in characters.
const LONGEST_NAME: u64 = 100;

impl Objects {
    /// The name of the builtin type at `ty`, if `builtins` tells.
    pub(super) fn builtin_name(&self, ty: Addr) -> Option<String> {
        if let Some(known) = self.builtin_names.get() {
            return known.get(&ty).cloned();
        }
        let interpreter = *self.interpreter.get()?;
        let names = self.read_builtin_names(interpreter);
        let names = self.builtin_names.get_or_init(|| names);
        names.get(&ty).cloned()
    }

    fn read_builtin_names(&self, interpreter: Addr) -> FxHashMap<Addr, String> {
        let builtins = self.layout.fields.interpreter.builtins.of(interpreter);
        let items = self.memory.ptr(builtins).and_then(|at| self.dict_items(at));
        let mut names = FxHashMap::default();
        for (key, value) in items.unwrap_or_default() {
            let (Ok(key), Ok(ty)) = (self.text(key, LONGEST_NAME), self.type_of(value)) else {
                continue;
            };
            if ty.is(flags::TYPE) {
                // `IOError` and its like are further names of a class that comes before them.
                names.entry(value).or_insert(key.value);
            } else if let Some((_, name)) = SINGLETONS.iter().find(|(one, _)| *one == key.value) {
                names.insert(ty.addr, (*name).to_owned());
            }
        }
        let modules = self.layout.fields.interpreter.modules.of(interpreter);
        let modules = self.memory.ptr(modules);
        for (module, attribute, name) in ELSEWHERE {
            let ty = modules.and_then(|modules| {
                let Some(module) = self.dict_get(modules, module)? else {
                    return Ok(None);
                };
                let namespace = self.memory.ptr(self.layout.fields.module.dict.of(module))?;
                self.dict_get(namespace, attribute)
            });
            if let Ok(Some(ty)) = ty {
                names.entry(ty).or_insert_with(|| (*name).to_owned());
            }
        }
        names
    }
}
