//! The mutexes of CPython itself, in its runtime and in its interpreters (3.13 and later): what
//! each is for, and who holds those that say so.

use super::{Owner, View};
use crate::addr::Addr;

/// Where a mutex is: in the interpreter with this id, or in the runtime; and what it is for.
struct Place {
    interpreter: Option<i64>,
    purpose: &'static str,
    /// Whether it names its owner.
    owned: bool,
}

/// What a mutex of CPython itself is called.
pub(super) fn name(view: &View<'_>, mutex: Addr) -> Option<String> {
    let place = place(view, mutex)?;
    let purpose = place.purpose.replace('_', " ");
    Some(match place.interpreter {
        Some(id) => format!("CPython's mutex \"{purpose}\" of interpreter {id}"),
        None => format!("CPython's mutex \"{purpose}\""),
    })
}

/// Who holds a mutex of CPython itself, when it is one that names its owner.
pub(super) fn owner(view: &View<'_>, mutex: Addr) -> Option<Owner> {
    let thread = view.python.layout.fields.recursive_mutex?.thread;
    place(view, mutex).filter(|place| place.owned)?;
    let ident = view.process.target.memory.u64(thread.of(mutex)).ok()?;
    Some(match ident {
        // It is written right after the mutex was taken.
        0 => Owner::unknown("it is being taken or released in this very moment"),
        ident => view.owner_named(
            ident,
            format!("the mutex names ident {ident:#x} as its owner"),
        ),
    })
}

/// Which mutex of CPython's this is. Patch releases move them, so nothing is said where the sizes
/// of the structs are not those of the table.
fn place(view: &View<'_>, mutex: Addr) -> Option<Place> {
    let (layout, fields) = (&view.python.layout, &view.python.layout.fields);
    let interpreters = view.python.interpreters.iter();
    let in_interpreter = |at: Addr, id: i64| {
        let offset = mutex.since(at)?;
        let owned = fields.owned_mutexes?.at(offset);
        let purpose = owned.or_else(|| fields.interpreter_mutexes?.at(offset))?;
        Some(Place {
            interpreter: Some(id),
            purpose,
            owned: owned.is_some(),
        })
    };
    if fields.interpreter.size.offset != layout.fingerprint.interpreter {
        return None;
    }
    let mut places = interpreters.filter_map(|i| in_interpreter(i.addr, i.id));
    places.next().or_else(|| {
        let runtime = fields.runtime?;
        let purpose = mutex
            .since(view.python.runtime.addr?)
            .and_then(|offset| fields.runtime_mutexes?.at(offset))?;
        (runtime.size.offset == layout.fingerprint.runtime).then_some(Place {
            interpreter: None,
            purpose,
            owned: false,
        })
    })
}
