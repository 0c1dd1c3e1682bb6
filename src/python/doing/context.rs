//! What a thread is in the middle of, by the functions on its native stack. The names are those of
//! CPython 2.7 to 3.15: Modules/gcmodule.c, Python/gc.c, Python/gc_free_threading.c,
//! Python/pylifecycle.c, Python/pystate.c, Modules/signalmodule.c, Modules/_threadmodule.c.

use super::outline::{Function, Outline, Owner};
use crate::native::doing::Context;

#[rustfmt::skip]
const COLLECTING: &[&str] = &[
    "collect", "collect_with_callback", "collect_generations", "gc_collect_main",
    "gc_collect_generations", "gc_collect_with_callback", "gc_collect_internal",
    "gc_collect_region", "gc_collect_young", "gc_collect_increment", "gc_collect_full",
    "PyGC_Collect", "_PyGC_Collect", "_PyGC_CollectNoFail", "_PyGC_CollectIfEnabled",
    "_Py_RunGC", "invoke_gc_callback", "finalize_garbage", "delete_garbage", "handle_weakrefs",
];
const STOPPING: &[&str] = &[
    "stop_the_world",
    "_PyEval_StopTheWorld",
    "_PyEval_StopTheWorldAll",
];
#[rustfmt::skip]
const CHECKING_SIGNALS: &[&str] = &[
    "PyErr_CheckSignals", "_PyErr_CheckSignals", "_PyErr_CheckSignalsTstate", "handle_signals",
];
#[rustfmt::skip]
const EXITING: &[&str] = &[
    "Py_FinalizeEx", "Py_Finalize", "_Py_Finalize", "_Py_FinalizeEx", "Py_Exit",
    "wait_for_thread_shutdown", "WaitForThreadShutdown",
];
const ENDING_INTERPRETER: &[&str] = &["Py_EndInterpreter"];
/// The C functions that a thread of Python's own begins with.
const BOOTSTRAP: &[&str] = &["thread_run", "t_bootstrap", "pythread_wrapper"];
#[rustfmt::skip]
const ENDING: &[&str] = &[
    "PyThreadState_Clear", "PyThreadState_Delete", "PyThreadState_DeleteCurrent",
    "_PyThreadState_DeleteCurrent", "tstate_delete_common", "release_sentinel",
    "thread_release_sentinel", "_PyThreadState_Detach", "PyThread_exit_thread",
];
/// Where every thread begins (glibc, musl).
const BIRTH: &[&str] = &[
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "start",
];

/// What the thread is in the middle of, outermost first. `known` tells whether it has a Python
/// thread state.
pub(super) fn of(outline: &Outline, known: bool) -> Vec<Context> {
    let mut contexts = Vec::new();
    let mut add = |context| {
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    };
    let functions = &outline.functions;
    for (at, function) in functions.iter().enumerate().rev() {
        let inner = functions.get(..at).unwrap_or_default();
        let is = |names: &[&str]| {
            function.owner == Owner::Interpreter && names.contains(&function.name.as_str())
        };
        if function.is_trampoline {
            add(Context::SignalHandler);
        } else if is(EXITING) {
            add(Context::Exiting);
        } else if is(ENDING_INTERPRETER) {
            add(Context::EndingInterpreter);
        } else if is(COLLECTING) {
            add(Context::CollectingGarbage);
        } else if is(STOPPING) {
            add(Context::StoppingTheWorld);
        } else if is(CHECKING_SIGNALS) && inner.iter().any(|function| function.is_loop) {
            add(Context::PythonSignalHandler);
        } else if is(BOOTSTRAP) && !outline.has_loop() {
            let ends = |function: &Function| ENDING.contains(&function.name.as_str());
            add(match inner.iter().any(ends) {
                true => Context::Ending,
                false => Context::Starting,
            });
        }
    }
    let is_birth = |function: &Function| BIRTH.contains(&function.name.as_str());
    if !known && !functions.is_empty() && functions.iter().all(is_birth) {
        contexts.push(Context::Starting);
    }
    contexts
}
