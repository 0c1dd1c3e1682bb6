//! The states of the runtime, of interpreters and of threads; what runs at exit and on signals.

use super::{RootKind, Roots, number};
use crate::addr::Addr;
use crate::python::layout::State;
use crate::python::signals::Handlers;
use crate::python::{Held, Python};
use crate::target::Fault;

impl Roots {
    pub(super) fn add_states(&mut self, python: &Python) {
        if let Some(runtime) = python.runtime.addr.filter(|_| has_runtime(python)) {
            let held = python.held_by_state(State::Runtime, runtime);
            let held = noted(python, "the runtime", held);
            self.add_held(held, |field| RootKind::Runtime { field });
        }
        for (position, interpreter) in python.interpreters.iter().enumerate() {
            let whose = format!("interpreter {}", interpreter.id);
            let held = python.held_by_state(State::Interpreter, interpreter.addr);
            let interpreter_number = number(position);
            self.add_held(noted(python, &whose, held), |field| RootKind::Interpreter {
                interpreter: interpreter_number,
                field,
            });
            let callbacks = python.exit_references(interpreter.addr);
            for (at, object) in callbacks.unwrap_or_default() {
                if python.objects.is_object(object) {
                    let kind = RootKind::ExitCallback {
                        interpreter: interpreter_number,
                    };
                    self.push(kind, at, object, true);
                }
            }
        }
        for (position, thread) in python.threads().enumerate() {
            let whose = format!("the thread state at {}", thread.tstate);
            let held = python.held_by_state(State::Thread, thread.tstate);
            let thread = number(position);
            self.add_held(noted(python, &whose, held), |field| RootKind::Thread {
                thread,
                field,
            });
        }
        if let Handlers::Known(handlers) = python.signal_handlers() {
            for handler in handlers {
                if python.objects.is_object(handler) {
                    self.push(RootKind::SignalHandler, Addr::NULL, handler, true);
                }
            }
        }
    }

    fn add_held(&mut self, held: Vec<Held>, kind: impl Fn(Option<u32>) -> RootKind) {
        for held in held {
            let field = held.name.map(|name| self.names.number(&name.into()));
            self.push(kind(field), held.at, held.object, field.is_some());
        }
    }
}

/// Whether the version has a struct of that kind.
fn has_runtime(python: &Python) -> bool {
    python.layout.fields.runtime.is_some()
}

fn noted(python: &Python, whose: &str, held: Result<Vec<Held>, Fault>) -> Vec<Held> {
    held.unwrap_or_else(|fault| {
        let text = format!("the references of {whose} cannot be read: {fault}");
        python.notes.partial(text);
        Vec::new()
    })
}
