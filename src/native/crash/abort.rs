//! The last words of a process that ended itself: what glibc wrote before `abort()` (assert.c,
//! libc_fatal.c and malloc.c keep it in `__abort_msg`), and which function asked for the end.

use crate::native::Process;

/// The longest message that is shown, in bytes.
const LONGEST: usize = 4096;

/// Functions that end the process, and what a call of one means. The first that is on the stack
/// is the reason.
#[rustfmt::skip]
const ENDERS: &[(&str, &str)] = &[
    ("__assert_fail", "an assertion of C code failed"),
    ("__assert_fail_base", "an assertion of C code failed"),
    ("__assert_perror_fail", "an assertion of C code failed"),
    ("__stack_chk_fail", "a buffer on the stack was overrun: its canary is destroyed"),
    ("__chk_fail", "a checked function of the C library would have overrun a buffer"),
    ("malloc_printerr", "malloc found its heap damaged"),
    ("std::terminate", "C++ called std::terminate, as for an exception that nobody catches"),
    ("__cxxabiv1::__terminate", "C++ called std::terminate, as for an exception that nobody catches"),
    ("__cxa_pure_virtual", "a pure virtual function of C++ was called"),
    ("__cxa_throw_bad_array_new_length", "C++ threw std::bad_array_new_length"),
    ("faulthandler_abort", "faulthandler ended the process"),
    ("_Py_NegativeRefcount", "Python found a negative reference count; it said so on stderr"),
    ("_PyObject_AssertFailed", "an assertion of Python about an object failed; it said so on stderr"),
    ("_Py_FatalErrorFormat", "Python met a fatal error; it said so on stderr"),
    ("_Py_FatalErrorFunc", "Python met a fatal error; it said so on stderr"),
    ("_Py_FatalError_TstateNULL", "Python was called without a thread state; it said so on stderr"),
    ("_Py_CheckFunctionResult", "Python met a fatal error; it said so on stderr"),
    ("fatal_error", "Python met a fatal error; it said so on stderr"),
    ("fatal_error_exit", "Python met a fatal error; it said so on stderr"),
    ("Py_FatalError", "Python met a fatal error; it said so on stderr"),
    ("rust_panic", "Rust panicked; it said so on stderr"),
];

/// What glibc wrote before it called `abort()`.
pub(super) fn message(process: &Process) -> Option<String> {
    // struct abort_msg_s { unsigned int size; char msg[]; }, include/stdlib.h of glibc.
    let (_, symbol, _) = process.images.exported("__abort_msg")?;
    let memory = &process.target.memory;
    let at = memory.ptr(symbol).ok().filter(|at| !at.is_null())?;
    let size = memory.u32(at).ok()? as usize;
    let text = memory.cstr(at.add(4), size.min(LONGEST)).ok()?;
    let text = crate::escape::lossy(&text);
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Why a process with these innermost functions ended itself; the words and the function.
pub(super) fn reason(functions: &[String]) -> Option<(&'static str, String)> {
    functions.iter().find_map(|function| {
        let plain = function.split(['(', '<', '@']).next().unwrap_or_default();
        let plain = plain.trim_start_matches("__GI_");
        let known = ENDERS.iter().find(|(name, _)| {
            plain == *name
                || plain
                    .strip_prefix(*name)
                    .is_some_and(|tail| tail.starts_with('.'))
        })?;
        Some((known.1, plain.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_that_ends_the_process_is_found_under_any_of_its_names() {
        let reason = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            reason(&names).map(|(words, _)| words.split(' ').next().unwrap_or_default())
        };
        assert_eq!(
            reason(&["raise", "abort", "__GI___assert_fail", "f"]),
            Some("an")
        );
        assert_eq!(reason(&["abort", "fatal_error.part.0"]), Some("Python"));
        assert_eq!(reason(&["abort", "std::terminate()"]), Some("C++"));
        assert_eq!(reason(&["abort", "fatal_errors"]), None);
    }
}
