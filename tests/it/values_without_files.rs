//! Values from a kernel core alone, without the files that were mapped: the names of static types
//! and builtins are constants of those files, so they must come from the namespaces of modules.

use crate::harness::corefile::CoreFile;
use crate::harness::{Failures, Fixture, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::value::Limits;
use pydbg::target::{self, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Values whose types no module of the process has a name for: the value, and in which versions.
const NAMELESS: &[(&str, &[&str])] = &[
    ("async_generator_asend", &[""]),
    ("capsule", &[""]),
    ("cell_of_closure", &["-2.7", "-3.6", "-3.7"]),
    ("method_of_wrapper", &["-2.7", "-3.6"]),
    ("method_wrapper", &["-2.7", "-3.6"]),
    ("method_wrapper_of_plain", &["-2.7", "-3.6"]),
    ("template", &[""]),
    ("template_empty", &[""]),
    ("interpolation", &[""]),
];

/// Whether a value cannot be written whole without files.
fn is_nameless(name: &str, interpreter: &str) -> bool {
    let versions = NAMELESS.iter().find(|(value, _)| *value == name);
    versions.is_some_and(|(_, versions)| versions.iter().any(|v| interpreter.contains(v)))
}

/// Renames the files of Python in the core's list of mapped files, so that none is found.
pub(crate) fn hide_files(core: &Path) -> PathBuf {
    const NT_FILE: u32 = 0x4649_4c45;
    let file = CoreFile::read(core);
    let mut bytes = file.bytes.clone();
    for note in file.notes_of(NT_FILE) {
        let names = &mut bytes[note.desc..note.desc + note.size];
        for at in 0..names.len().saturating_sub(6) {
            if names[at..].starts_with(b"python") {
                names[at..at + 6].copy_from_slice(b"hidden");
            }
        }
    }
    let hidden = core.with_extension("hidden");
    std::fs::write(&hidden, bytes).unwrap();
    hidden
}

#[test]
fn classes_and_functions_are_written_without_any_file() {
    let empty = tempfile::tempdir().unwrap();
    let options = Options {
        sysroot: Some(empty.path().to_path_buf()),
        ..Options::default()
    };
    let limits = Limits {
        attributes: false,
        ..Limits::NONE
    };
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "values", &[]);
        let truth = fixture.truth.probes["values"].clone();
        let core = hide_files(&fixture.kernel_core());
        let core = target::core::open(&core, &options).unwrap();
        let id = &interpreter.id;
        let python = match Python::find(Arc::new(Process::new(Arc::new(core)))) {
            Ok(python) => python,
            Err(why) => {
                failures.check(id, Err(why.to_string()));
                continue;
            }
        };
        let objects = &python.objects;
        let main = python.module("__main__").unwrap();
        let values = objects.dict_get(main, "VALUES").unwrap().unwrap();
        for (name, value) in objects.dict_items(values).unwrap() {
            let name = objects.text(name, 200).unwrap().value;
            let Some(value_name) = name.strip_prefix("classes.") else {
                continue;
            };
            if is_nameless(value_name, id) {
                continue;
            }
            let expected = truth[&name].as_str().unwrap_or_default();
            let shown = objects.show(value, limits).text;
            let result = match shown == expected {
                true => Ok(()),
                false => Err(format!("{shown}\n    Python: {expected}")),
            };
            failures.check(&format!("{id} {name}"), result);
        }
    }
    failures.finish();
}
