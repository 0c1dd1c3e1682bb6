//! What code a running thread is in: bytecode, or which C function.

use super::outline::{Function, Outline, Owner};
use crate::native::doing::{Doing, Kind};

/// How the names of functions begin that only pass a call on, from the evaluation loop to the
/// function that does something.
#[rustfmt::skip]
const PASSING: &[&str] = &[
    "_PyEval", "PyEval", "PyObject_Call", "PyObject_Vectorcall", "_PyObject_Vectorcall",
    "_PyObject_Call", "_PyObject_MakeTpCall", "_PyObject_FastCall", "_PyVectorcall",
    "PyVectorcall", "object_vacall", "PyCFunction", "_PyCFunction", "cfunction_", "_PyMethodDef",
    "_PyMethodDescr", "method_vectorcall", "method_call", "call_function", "do_call",
    "fast_function", "ext_do_call", "function_code_fastcall", "_PyFunction", "function_call",
    "vectorcall", "slot_", "wrap_", "wrapper_call", "type_call", "instancemethod_call",
];

/// What a thread that is in no system call runs.
pub(super) fn running(outline: &Outline) -> Doing {
    let called = outline.called();
    if called.is_empty() {
        return Doing::plain(Kind::RunningPython, "running Python");
    }
    let function = match outline.has_loop() {
        true => called_by_python(outline),
        false => called.iter().find(|function| !function.name.is_empty()),
    };
    let text = match function {
        Some(function) => format!("in {}", function.words()),
        None => "in C code".to_owned(),
    };
    Doing::plain(Kind::RunningC, text)
}

/// The outermost function that does something: an extension's, else one that was called through
/// ctypes, else one of the standard library's extensions or of the interpreter.
fn called_by_python(outline: &Outline) -> Option<&Function> {
    let called = outline.called();
    let outermost = |owner| {
        called
            .iter()
            .rev()
            .find(move |f: &&Function| f.owner == owner)
    };
    let through_glue = || {
        let glue = called
            .iter()
            .position(|function| function.owner == Owner::Glue)?;
        called.get(glue.checked_sub(1)?)
    };
    let works = |function: &&Function| {
        let passes = PASSING.iter().any(|start| function.name.starts_with(start));
        !function.name.is_empty() && !passes
    };
    outermost(Owner::Other)
        .or_else(through_glue)
        .or_else(|| outermost(Owner::Standard))
        .or_else(|| called.iter().rev().find(works))
        .or_else(|| called.last())
}
