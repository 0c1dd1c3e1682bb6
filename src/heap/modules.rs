//! Modules that are roots, and the dictionaries that are their namespaces.

use super::Heap;
use super::roots::{Root, RootKind};
use crate::addr::Addr;
use rustc_hash::FxHashMap;

impl Heap {
    /// The roots of modules by the namespaces of the modules. Of several names of one module it is
    /// the first.
    pub fn namespaces(&self) -> FxHashMap<u32, &Root> {
        let mut found = FxHashMap::default();
        for root in &self.roots.all {
            if matches!(root.kind, RootKind::Module { .. })
                && let Some(id) = self.namespace_of(root.object)
            {
                found.entry(id).or_insert(root);
            }
        }
        found
    }

    /// The namespace of a module; anything can be put into `sys.modules`.
    pub(super) fn namespace_of(&self, module: Addr) -> Option<u32> {
        let objects = &self.python.objects;
        let ty = objects.type_of(module).ok()?;
        let field = objects.layout.fields.module.dict.of(module);
        let is_module = objects.is_a(&ty, "module");
        self.id(is_module.then(|| objects.memory.ptr(field).ok())??)
    }

    /// The module of a name in the main interpreter.
    pub(super) fn module_root(&self, wanted: &str) -> Option<&Root> {
        self.roots.all.iter().find(|root| match root.kind {
            RootKind::Module { interpreter, name } => {
                let interpreter = self.python.interpreters.get(interpreter as usize);
                let name = self.roots.name(name);
                interpreter.is_some_and(|interpreter| interpreter.id == 0)
                    && name.is_some_and(|name| **name == *wanted)
            }
            _ => false,
        })
    }
}
