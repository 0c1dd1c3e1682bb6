//! A core file of any bytes: opened, its stacks walked, Python looked for in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{Options, core};
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("pydbg-fuzz-{}", std::process::id()));
    if std::fs::write(&path, data).is_err() {
        return;
    }
    let Ok(target) = core::open(&path, &Options::default()) else {
        return;
    };
    let process = Arc::new(Process::new(Arc::new(target)));
    for thread in process.threads() {
        let _ = process.stack(thread.id);
    }
    if let Ok(python) = Python::find(process) {
        let _ = python.stacks();
    }
});
