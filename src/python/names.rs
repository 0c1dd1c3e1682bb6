//! Names of `threading.Thread` objects, by ident: `threading._active` of one interpreter, read
//! once for all its threads (Lib/threading.py).

use super::object::Objects;
use crate::addr::Addr;
use crate::target::Fault;
use rustc_hash::FxHashMap;

/// The longest thread name that is shown whole, in characters.
const LONGEST_NAME: u64 = 64 << 10;

/// The names of an interpreter's threads. Threads that Python did not start have none.
pub(super) fn read(objects: &Objects, interpreter: Addr) -> Result<FxHashMap<u64, String>, Fault> {
    let Some(namespace) = module(objects, interpreter, "threading")? else {
        return Ok(FxHashMap::default());
    };
    let Some(active) = objects.dict_get(namespace, "_active")? else {
        return Ok(FxHashMap::default());
    };
    let items = objects.dict_items(active)?.into_iter();
    Ok(items
        .filter_map(|(ident, thread)| name(objects, ident, thread))
        .collect())
}

/// The ident and the name of one `threading.Thread`; one that is damaged has none.
fn name(objects: &Objects, ident: Addr, thread: Addr) -> Option<(u64, String)> {
    let ident = u64::try_from(objects.int(ident).ok()?).ok()?;
    let attribute = objects.layout.kinds.thread_name;
    let name = objects.attribute(thread, attribute).ok()??;
    let name = objects.text(name, LONGEST_NAME).ok()?;
    match name.left_out {
        0 => Some((ident, name.value)),
        more => Some((ident, format!("{}<and {more} more characters>", name.value))),
    }
}

/// `sys.modules` of an interpreter.
pub(super) fn modules(objects: &Objects, interpreter: Addr) -> Result<Addr, Fault> {
    let field = objects.layout.fields.interpreter.modules;
    objects.memory.ptr(field.of(interpreter))
}

/// The namespace of an imported module; `None` when it was not imported.
pub(crate) fn module(
    objects: &Objects,
    interpreter: Addr,
    name: &str,
) -> Result<Option<Addr>, Fault> {
    let modules = modules(objects, interpreter)?;
    let Some(module) = objects.dict_get(modules, name)? else {
        return Ok(None);
    };
    if !objects.type_of(module)?.may_be("module") {
        return Ok(None);
    }
    let namespace = objects.layout.fields.module.dict.of(module);
    objects.memory.ptr(namespace).map(Some)
}
