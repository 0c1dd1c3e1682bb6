//! Values of numpy, pandas, attrs and pydantic, live and from cores, held against what the process
//! itself wrote down. The packages come from PyPI into the cache folder, for one interpreter.
//!
//! torch is left out: its wheel alone is over 500 MB, and the libraries it wants are more.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use crate::values::check_all;
use crate::{heap_parts, sizes};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed, each set into a folder of its own: the second one has the structs of numpy 1.
const SETS: [(&str, [&str; 4]); 2] = [
    (
        "packages",
        [
            "numpy==2.1.3",
            "pandas==2.2.3",
            "attrs==24.2.0",
            "pydantic==2.10.3",
        ],
    ),
    (
        "packages-numpy-1",
        [
            "numpy==1.26.4",
            "pandas==2.0.3",
            "attrs==21.4.0",
            "pydantic==2.5.3",
        ],
    ),
];

/// The interpreter that has them, as the list names it.
const INTERPRETER: &str = "pyenv-3.11";

/// The folder for what tests have installed.
pub(crate) fn cache() -> PathBuf {
    let home = |tail: &str| std::env::var_os("HOME").map(|home| Path::new(&home).join(tail));
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("PYDBG_CACHE").map(PathBuf::from).or_else(|| {
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
        Some(cache.or_else(|| home(".cache"))?.join("pydbg"))
    });
    cache.expect("a cache folder")
}

/// A folder of the cache, filled on first use. What is whole says so, and of which packages.
fn filled(folder: &str, packages: &[&str], fill: impl Fn(&Path)) -> PathBuf {
    let folder = cache().join(folder);
    let whole = folder.join("whole");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&whole).ok().as_deref() != Some(&wanted) {
        fill(&folder);
        std::fs::write(whole, wanted).expect("the cache folder");
    }
    folder
}

fn run(command: &mut Command) {
    assert!(command.status().expect("python").success(), "{command:?}");
}

/// The interpreter of the virtual environment, which is made on first use.
pub(crate) fn python(interpreter: &Interpreter, folder: &str, packages: &[&str]) -> PathBuf {
    let fill = |venv: &Path| {
        let make = ["-m", "venv", "--clear"];
        run(Command::new(&interpreter.python).args(make).arg(venv));
        let install = ["-m", "pip", "-q", "install", "--only-binary=:all:"];
        run(Command::new(venv.join("bin/python"))
            .args(install)
            .args(packages));
    };
    filled(folder, packages, fill).join("bin/python")
}

/// A folder with packages written in Python alone, whose versions are those for `options` of pip; any
/// interpreter can have it on its path.
pub(crate) fn pure(folder: &str, packages: &[&str], options: &[&str]) -> PathBuf {
    let fill = |folder: &Path| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "-q", "install", "--no-deps", "--no-compile"]);
        pip.args([
            "--upgrade",
            "--root-user-action=ignore",
            "--only-binary=:all:",
        ]);
        pip.args(options).arg("--target").arg(folder).args(packages);
        run(&mut pip);
    };
    filled(folder, packages, fill)
}

/// Makes checks with each set of packages; none where `PYDBG_INTERPRETERS` leaves the interpreter out.
fn with_packages(check: impl Fn(&Interpreter, &mut Failures)) {
    let Some(interpreter) = interpreters().iter().find(|i| i.id == INTERPRETER) else {
        return;
    };
    let mut failures = Failures::default();
    for (folder, packages) in SETS {
        let mut interpreter = interpreter.at(&python(interpreter, folder, &packages));
        interpreter.id = format!("{INTERPRETER} {folder}");
        check(&interpreter, &mut failures);
    }
    failures.finish();
}

#[test]
fn values_of_packages_are_written() {
    with_packages(|interpreter, failures| {
        check_all(interpreter, "packages", failures);
        check_subscripts(interpreter, failures);
    });
}

#[test]
fn sizes_in_packages_are_those_that_getsizeof_tells() {
    with_packages(|interpreter, failures| sizes::check(interpreter, "sizes_packages", failures));
}

#[test]
fn buffers_of_arrays_are_told() {
    with_packages(|interpreter, failures| {
        heap_parts::check(interpreter, Some("__main__.Matrix"), failures);
    });
}

/// Parts of arrays as `py-print` gives them are what `tolist()` gives.
fn check_subscripts(interpreter: &Interpreter, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "packages", &[]);
    let truth = fixture.truth.probes["subscripts"].clone();
    let core = fixture.kernel_core();
    let expressions = truth.as_object().expect("subscripts in the truth");
    assert!(!expressions.is_empty());
    for (expression, expected) in expressions {
        let line = format!("py-print {expression}");
        let shown = match Pydbg::core(&core, &[], &line) {
            Ok(answer) => answer["data"]["value"]["repr"].as_str().map(str::to_owned),
            Err(why) => Some(why),
        };
        let result = match (&shown, expected.as_str()) {
            (Some(shown), Some(expected)) if shown == expected => Ok(()),
            (Some(why), Some(error)) if error.contains("Error: ") && why.contains(error) => Ok(()),
            _ => Err(format!("{shown:?}, Python: {expected}")),
        };
        failures.check(&format!("{} {expression}", interpreter.id), result);
    }
}
