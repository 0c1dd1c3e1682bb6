//! Exceptions that were given to a hook which has not returned: `sys.unraisablehook`
//! (Python/errors.c) and `threading.excepthook` (Modules/_threadmodule.c), from 3.8 on. Their one
//! argument is a struct sequence that begins with class, exception and traceback.

use super::Held;
use crate::python::{PyFrame, Python};
use rustc_hash::FxHashSet;

/// The names of the classes of those arguments, and the hooks.
const HOOKS: &[(&str, &str)] = &[
    ("ExceptHookArgs", "threading.excepthook"),
    ("UnraisableHookArgs", "sys.unraisablehook"),
    ("_ExceptHookArgs", "threading.excepthook"),
];

/// So many innermost frames are looked at.
const MOST_FRAMES: usize = 50;

/// What the frames of a stack, innermost first, were given as hooks: the hook's name and the
/// exception.
pub(super) fn read(python: &Python, frames: &[PyFrame]) -> Vec<(&'static str, Held)> {
    let objects = &python.objects;
    let mut found = Vec::new();
    let mut seen = FxHashSet::default();
    for frame in frames.iter().take(MOST_FRAMES) {
        let variables = python.variables(frame).all;
        let arguments = variables
            .iter()
            .filter(|variable| variable.argument)
            .filter_map(|variable| variable.value);
        for argument in arguments {
            let Ok(ty) = objects.type_of(argument) else {
                continue;
            };
            let name = objects.full_name(&ty);
            let name = name.rsplit('.').next().unwrap_or_default();
            let hook = HOOKS.iter().find(|(class, _)| *class == name);
            let items = hook.and_then(|_| objects.tuple_items(argument, 3).ok());
            if let (Some((_, hook)), Some([class, value, traceback])) = (hook, items.as_deref())
                && seen.insert(argument)
            {
                let held = Held {
                    class: *class,
                    value: *value,
                    traceback: *traceback,
                };
                found.push((*hook, held));
            }
        }
    }
    found
}
