//! `sys.modules` of each interpreter: what is in it is everybody's.

use super::{RootKind, Roots, number};
use crate::addr::Addr;
use crate::python::Python;
use std::sync::Arc;

/// The most modules of one interpreter; more are damage.
const MOST: usize = 1 << 20;

/// The longest name of a module that is shown whole, in characters.
const LONGEST_NAME: u64 = 1024;

impl Roots {
    pub(super) fn add_modules(&mut self, python: &Python) {
        let objects = &python.objects;
        for (position, interpreter) in python.interpreters.iter().enumerate() {
            let modules = python.layout.fields.interpreter.modules;
            let modules = objects.memory.ptr(modules.of(interpreter.addr));
            let items = modules.and_then(|modules| objects.dict_iter(modules));
            let mut items = match items {
                Ok(items) => items,
                Err(fault) => {
                    python.notes.partial(format!(
                        "the modules of interpreter {} cannot be read: {fault}",
                        interpreter.id
                    ));
                    continue;
                }
            };
            for item in items.by_ref().take(MOST) {
                let Ok((key, module)) = item else {
                    python.notes.partial(format!(
                        "some modules of interpreter {} cannot be read",
                        interpreter.id
                    ));
                    break;
                };
                if !objects.is_object(module) {
                    continue;
                }
                let name: Arc<str> = match objects.text(key, LONGEST_NAME) {
                    Ok(text) => text.value.into(),
                    Err(_) => format!("<key at {key}>").into(),
                };
                let kind = RootKind::Module {
                    interpreter: number(position),
                    name: self.names.number(&name),
                };
                self.push(kind, Addr::NULL, module, true);
            }
        }
    }
}
