//! Names of `threading.Thread` objects, by ident: `threading._active` of one interpreter, read
//! once for all its threads (Lib/threading.py).

use super::object::Objects;
use crate::addr::Addr;
use rustc_hash::FxHashMap;

/// The longest thread name that is shown whole, in characters.
const LONGEST_NAME: u64 = 64 << 10;

/// The names of an interpreter's threads. Threads that Python did not start have none.
pub(super) fn read(objects: &Objects, interpreter: Addr) -> FxHashMap<u64, String> {
    active(objects, interpreter)
        .into_iter()
        .flatten()
        .filter_map(|(ident, thread)| {
            let ident = u64::try_from(objects.int(ident).ok()?).ok()?;
            let attribute = objects.layout.kinds.thread_name;
            let name = objects.attribute(thread, attribute).ok()??;
            let name = objects.text(name, LONGEST_NAME).ok()?;
            match name.left_out {
                0 => Some((ident, name.value)),
                more => Some((ident, format!("{}<and {more} more characters>", name.value))),
            }
        })
        .collect()
}

/// The items of `threading._active`; `None` when the module was not imported.
fn active(objects: &Objects, interpreter: Addr) -> Option<Vec<(Addr, Addr)>> {
    let namespace = module(objects, interpreter, "threading")?;
    let active = objects.dict_get(namespace, "_active").ok()??;
    objects.dict_items(active).ok()
}

/// The namespace of an imported module.
pub(super) fn module(objects: &Objects, interpreter: Addr, name: &str) -> Option<Addr> {
    let fields = &objects.layout.fields;
    let modules = objects
        .memory
        .ptr(fields.interpreter.modules.of(interpreter))
        .ok()?;
    let module = objects.dict_get(modules, name).ok()??;
    if !objects.type_of(module).ok()?.may_be("module") {
        return None;
    }
    objects.memory.ptr(fields.module.dict.of(module)).ok()
}
