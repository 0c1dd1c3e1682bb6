//! A runtime of any bytes behind the cookie of `_Py_DebugOffsets`: layouts, interpreters, thread
//! states, frames.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::layout::COOKIE;
use pydbg::target::synth::TargetBuilder;
use std::sync::Arc;

/// Where the bytes lie; input finds it easily as a word.
const AT: u64 = 0x60_0000;

fuzz_target!(|data: &[u8]| {
    let mut memory = COOKIE.to_vec();
    memory.extend_from_slice(data);
    let end = AT + (memory.len() as u64).next_multiple_of(4096);
    let target = TargetBuilder::new()
        .mapping(AT, end, "rw-", "/usr/bin/python3.13", 0x1000)
        .memory(AT, memory)
        .thread(1, &[(7, AT + 64), (16, AT)])
        .build();
    let process = Arc::new(Process::new(Arc::new(target)));
    if let Ok(python) = Python::find(Arc::clone(&process)) {
        let _ = python.stacks();
        let _ = python.merged(1);
    }
});
