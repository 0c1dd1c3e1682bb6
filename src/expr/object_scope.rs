//! The names of a question about one object: `self` is the object, and the builtins and modules are
//! what they are everywhere.

use super::scope::{Lookup, Scope, ScopeKind};
use super::value::Value;
use crate::addr::Addr;
use crate::python::Python;

/// The longest name.
const LONGEST_NAME: u64 = 1000;

/// The builtins and modules of a process, and an object as `self`.
pub struct ObjectScope<'p> {
    python: &'p Python,
    /// Their namespace.
    builtins: Option<Addr>,
    /// `sys.modules`.
    modules: Option<Addr>,
    object: Addr,
}

impl<'p> ObjectScope<'p> {
    /// The scope of questions about objects; none is `self` yet.
    pub fn new(python: &'p Python) -> ObjectScope<'p> {
        let names = ["builtins", "__builtin__"];
        ObjectScope {
            python,
            builtins: names.iter().find_map(|name| python.module(name)),
            modules: python.sys_modules(),
            object: Addr::NULL,
        }
    }

    /// The same with this object as `self`.
    pub fn with(&self, object: Addr) -> ObjectScope<'p> {
        ObjectScope { object, ..*self }
    }

    fn entry(&self, dict: Option<Addr>, name: &str) -> Option<Value> {
        let value = self.python.objects.dict_get(dict?, name).ok()??;
        Some(Value::Object(value))
    }
}

impl Scope for ObjectScope<'_> {
    fn lookup(&self, name: &str) -> Lookup {
        if name == "self" {
            return Lookup::Found(Value::Object(self.object), ScopeKind::Local);
        }
        match self.builtin(name) {
            Some(value) => Lookup::Found(value, ScopeKind::Builtin),
            None => Lookup::Missing,
        }
    }

    fn builtin(&self, name: &str) -> Option<Value> {
        self.entry(self.builtins, name)
    }

    fn module(&self, name: &str) -> Option<Value> {
        self.entry(self.modules, name)
    }

    fn names(&self) -> Vec<String> {
        let objects = &self.python.objects;
        let items = self.builtins.and_then(|dict| objects.dict_items(dict).ok());
        let keys = items.into_iter().flatten().filter_map(|(key, _)| {
            let text = objects.text(key, LONGEST_NAME).ok()?;
            Some(text.value)
        });
        std::iter::once("self".to_owned()).chain(keys).collect()
    }

    fn locals(&self) -> Vec<(String, Value)> {
        vec![("self".to_owned(), Value::Object(self.object))]
    }
}
