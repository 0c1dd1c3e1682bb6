//! What a context manager holds while its `with` statement is open: a lock holds itself, a
//! `contextlib.ExitStack` what was entered through it, and a generator made a context manager what
//! the generator's own `with` statements hold while it is suspended (Lib/contextlib.py).

use super::View;
use super::python_lock::PyLock;
use crate::addr::Addr;
use crate::python::{OpenWith, PyFrame};

/// How deep context managers are looked for within each other.
const DEEPEST: usize = 16;

/// How many context managers are looked at for one `with` statement.
const MOST_MANAGERS: usize = 4096;

const EXIT_STACKS: &[&str] = &["contextlib.ExitStack", "contextlib.AsyncExitStack"];

#[rustfmt::skip]
const GENERATOR_MANAGERS: &[&str] = &[
    "contextlib._GeneratorContextManager", "contextlib._AsyncGeneratorContextManager",
    "contextlib.GeneratorContextManager",
];

/// A lock that an open `with` statement holds.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) lock: PyLock,
    /// Of what the `with` statement is, in words: `it` for the lock itself.
    pub(super) of: String,
    /// The frame of the statement.
    pub(super) line: Option<i32>,
}

/// The locks that the open `with` statements of a frame hold, outermost first. Between an exit's
/// release and the end of the block nobody holds one, so only those count that are locked.
pub(super) fn held_in(view: &View<'_>, frame: &PyFrame) -> Vec<Held> {
    let mut held = Vec::new();
    for with in view.python.open_withs(frame).unwrap_or_default() {
        let mut search = Search {
            view,
            with,
            left: MOST_MANAGERS,
            held: &mut held,
        };
        search.look(with.manager, None, DEEPEST);
    }
    held
}

struct Search<'a, 'p> {
    view: &'a View<'p>,
    with: OpenWith,
    left: usize,
    held: &'a mut Vec<Held>,
}

impl Search<'_, '_> {
    /// Looks at one context manager; `of` is the one that it was found through.
    fn look(&mut self, manager: Addr, of: Option<&str>, deepest: usize) {
        let (Some(left), Some(deeper)) = (self.left.checked_sub(1), deepest.checked_sub(1)) else {
            return;
        };
        self.left = left;
        if let Some(lock) = self.view.lock_of(manager) {
            if lock.locked {
                self.held.push(Held {
                    lock,
                    of: of.unwrap_or("it").to_owned(),
                    line: self.with.line,
                });
            }
        } else if self.view.is_instance(manager, EXIT_STACKS) {
            let of = of.unwrap_or("an ExitStack that entered it").to_owned();
            for manager in self.entered(manager).unwrap_or_default() {
                self.look(manager, Some(&of), deeper);
            }
        } else if self.view.is_instance(manager, GENERATOR_MANAGERS)
            && let Some(generator) = self.view.attribute(manager, &["gen"])
            && let Some(frame) = self.view.python.suspended(generator)
        {
            let own = || {
                format!(
                    "{}(), a context manager that is inside of one",
                    frame.function
                )
            };
            let of = of.map_or_else(own, str::to_owned);
            for with in self.view.python.open_withs(&frame).unwrap_or_default() {
                self.look(with.manager, Some(&of), deeper);
            }
        }
    }

    /// What an `ExitStack` will leave. Something is on its list once it was entered, and no longer
    /// when it is being left.
    fn entered(&self, stack: Addr) -> Option<Vec<Addr>> {
        let objects = &self.view.python.objects;
        let callbacks = self.view.attribute(stack, &["_exit_callbacks"])?;
        let callbacks = objects.deque_items(callbacks, MOST_MANAGERS).ok()?;
        let manager = |entry: Addr| {
            // Pairs of a flag and the callback from 3.7 on.
            let callback = match objects.tuple_items(entry, 3).ok().as_deref() {
                Some([_, callback]) => *callback,
                _ => entry,
            };
            // A method, in up to 3.7 a function that says like one whose it is. A function of the
            // program's own, such as lock.release, is a builtin method or says nothing.
            let ty = objects.type_of(callback).ok()?;
            match ty.name.as_deref()? {
                "method" => objects.bound_to(callback),
                "function" => objects.attribute(callback, "__self__").ok()?,
                _ => None,
            }
        };
        Some(callbacks.into_iter().filter_map(manager).collect())
    }
}
