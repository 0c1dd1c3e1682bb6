//! Where the names of an expression come from. The evaluator knows nothing of frames: a heap
//! query binds `self` and leaves the rest to the builtins.

use super::value::Value;
use crate::addr::Addr;
use crate::python::variables::VariableKind;
use crate::python::{PyFrame, Python};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Which scope a name was found in, in the order they are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeKind {
    /// The frame's own variables.
    Local,
    /// The variables of a function around it.
    Enclosing,
    /// The module.
    Global,
    /// The builtins.
    Builtin,
    /// `sys.modules`: a module that the frame has no name for.
    Module,
}

impl fmt::Display for ScopeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScopeKind::Local => "local",
            ScopeKind::Enclosing => "enclosing",
            ScopeKind::Global => "global",
            ScopeKind::Builtin => "builtin",
            ScopeKind::Module => "module",
        })
    }
}

/// What is known about a name.
#[derive(Clone, PartialEq, Debug)]
pub enum Lookup {
    /// It has a value.
    Found(Value, ScopeKind),
    /// It is a variable without a value.
    Unbound(ScopeKind),
    /// There is no such name.
    Missing,
}

/// Names and their values.
pub trait Scope {
    /// What `name` stands for.
    fn lookup(&self, name: &str) -> Lookup;

    /// The value of a name of `builtins`, whatever hides it.
    fn builtin(&self, name: &str) -> Option<Value>;

    /// A module of `sys.modules`.
    fn module(&self, name: &str) -> Option<Value>;

    /// All names, for completion and suggestions.
    fn names(&self) -> Vec<String>;

    /// The variables of the innermost scope.
    fn locals(&self) -> Vec<(String, Value)>;
}

/// The names that the code of a frame sees.
pub struct FrameScope {
    python: Arc<Python>,
    locals: Vec<(Arc<str>, Option<Addr>, ScopeKind)>,
    globals: Option<Addr>,
    builtins: Option<Addr>,
}

/// The longest name.
const LONGEST_NAME: u64 = 1000;

impl FrameScope {
    /// The scope of a frame.
    pub fn of(python: &Arc<Python>, frame: &PyFrame) -> FrameScope {
        let module_level = python.is_module_level(frame);
        let kind = |kind: VariableKind| match kind {
            VariableKind::Free => ScopeKind::Enclosing,
            VariableKind::Namespace if module_level => ScopeKind::Global,
            _ => ScopeKind::Local,
        };
        let variables = python.variables(frame).all.into_iter();
        FrameScope {
            locals: variables
                .map(|variable| (variable.name, variable.value, kind(variable.kind)))
                .collect(),
            globals: python.globals(frame),
            builtins: python.builtins(frame),
            python: Arc::clone(python),
        }
    }

    fn entry(&self, dict: Option<Addr>, name: &str) -> Option<Value> {
        let value = self.python.objects.dict_get(dict?, name).ok()??;
        Some(Value::Object(value))
    }

    fn keys(&self, dict: Option<Addr>) -> impl Iterator<Item = String> {
        let objects = &self.python.objects;
        let items = dict.and_then(|dict| objects.dict_items(dict).ok());
        items.into_iter().flatten().filter_map(|(key, _)| {
            let text = objects.text(key, LONGEST_NAME).ok()?;
            Some(text.value)
        })
    }
}

impl Scope for FrameScope {
    fn lookup(&self, name: &str) -> Lookup {
        // The temporaries of an inlined comprehension hide variables of the same name; a slot that
        // is bound goes before one that is not.
        let mut own = self.locals.iter().filter(|(own, ..)| **own == *name);
        let first = own.clone().find(|(_, value, _)| value.is_some());
        if let Some((_, value, kind)) = first.or_else(|| own.next()) {
            return match value {
                Some(value) => Lookup::Found(Value::Object(*value), *kind),
                None => Lookup::Unbound(*kind),
            };
        }
        if let Some(value) = self.entry(self.globals, name) {
            return Lookup::Found(value, ScopeKind::Global);
        }
        if let Some(value) = self.builtin(name) {
            return Lookup::Found(value, ScopeKind::Builtin);
        }
        Lookup::Missing
    }

    fn builtin(&self, name: &str) -> Option<Value> {
        self.entry(self.builtins, name)
    }

    fn module(&self, name: &str) -> Option<Value> {
        self.entry(self.python.sys_modules(), name)
    }

    fn names(&self) -> Vec<String> {
        let own = self.locals.iter().map(|(name, ..)| name.to_string());
        let others = [self.globals, self.builtins];
        let others = others.into_iter().flat_map(|dict| self.keys(dict));
        own.chain(others).collect()
    }

    fn locals(&self) -> Vec<(String, Value)> {
        let bound = self.locals.iter();
        bound
            .filter_map(|(name, value, _)| Some((name.to_string(), Value::Object((*value)?))))
            .collect()
    }
}
