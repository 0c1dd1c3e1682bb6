//! The exception that the interpreter remembers as the last one nobody handled
//! (Python/pythonrun.c): `sys.last_exc` (3.12+), `sys.last_value` with its type and traceback
//! before. It is set before `sys.excepthook` is called.

use super::{Chain, Held, Reader};
use crate::addr::Addr;
use crate::python::Interpreter;

/// The last exception of one interpreter.
#[derive(Clone, Debug)]
pub struct Last {
    /// The interpreter's id.
    pub interpreter: i64,
    /// The name in `sys` that holds it.
    pub name: &'static str,
    /// The exception.
    pub chain: Chain,
}

/// The last exception of an interpreter, if it remembers one.
pub(super) fn read(reader: &Reader<'_>, interpreter: &Interpreter) -> Option<Last> {
    let objects = reader.objects;
    let field = objects.layout.fields.interpreter.sysdict;
    let sys = objects.memory.ptr(field.of(interpreter.addr)).ok()?;
    let named = |name: &str| {
        let value = objects.dict_get(sys, name).ok()??;
        reader.is_set(value).then_some(value)
    };
    let (name, held) = match named("last_exc") {
        Some(value) => ("last_exc", Held::value(value)),
        None => {
            let held = Held {
                class: named("last_type").unwrap_or(Addr::NULL),
                value: named("last_value").unwrap_or(Addr::NULL),
                traceback: named("last_traceback").unwrap_or(Addr::NULL),
            };
            ("last_value", held)
        }
    };
    let is_one = !held.class.is_null() || !held.value.is_null();
    is_one.then(|| Last {
        interpreter: interpreter.id,
        name,
        chain: Chain::read(reader, held),
    })
}
