//! `locks` on threads that wait for what another thread imports, live and from cores, and where the
//! interpreter has no symbols.

use crate::harness::locks::{Cores, check, check_all};
use crate::harness::{Failures, interpreters};
use std::path::Path;
use std::process::Command;

#[test]
fn waits_for_imports_and_their_cycles_are_the_true_ones() {
    check_all("waits_imports", &["lock_cycle"]);
}

#[test]
fn waits_for_imports_are_found_without_symbols() {
    let mut failures = Failures::default();
    let shared = interpreters().iter().filter(|i| i.has("shared"));
    // Later versions have no lock in static variables.
    for interpreter in shared.filter(|i| i.version < (3, 12)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lib = Path::new(&interpreter.python).ancestors().nth(2);
        let lib = lib.expect("PREFIX/bin/python").join("lib");
        let mut files = lib.read_dir().expect("lib").flatten();
        let library = files.find(|file| file.file_name().to_string_lossy().contains(".so.1"));
        let library = library.expect("PREFIX/lib/libpythonX.Y.so.1.0");
        let status = Command::new("strip")
            .args(["--strip-unneeded", "-o"])
            .args([folder.path().join(library.file_name()), library.path()])
            .status();
        assert!(status.expect("strip is not installed").success());
        let path = folder.path().display().to_string();
        let mut stripped = interpreter.clone().with("LD_LIBRARY_PATH", &path);
        stripped.flags.push("stripped".into());
        for shape in ["lock_cycle", "all_imports"] {
            let shape = [shape.to_owned()];
            let (kernel, gcore) = (true, false);
            let cores = Cores { kernel, gcore };
            check(&stripped, "waits_imports", &shape, cores, &mut failures);
        }
    }
    failures.finish();
}
