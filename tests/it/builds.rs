//! Builds and circumstances that people have: nothing to look a symbol up in, no file at hand, a
//! just-in-time compiler, Python inside another program, odd paths, cores that lack memory. The
//! stacks equal the truth, or are said to be incomplete; they are never wrong.

use crate::harness::fixture::header;
use crate::harness::locks::{self, Cores};
use crate::harness::{
    Failures, Fixture, Interpreter, Pydbg, every_core, fixtures, interpreters, list,
};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The fixture that most builds are tried with: many threads, each waiting in its own way.
const FIXTURE: &str = "threads";

/// Checks a fixture live and on a kernel core; the answers of `bt` on the core's current thread.
fn check(
    what: &str,
    interpreter: &Interpreter,
    fixture: &str,
    options: &[&str],
    failures: &mut Failures,
) -> Result<Value, String> {
    let mut fixture = Fixture::start(interpreter, fixture, &[]);
    let live = Pydbg::live(fixture.pid(), &[], "py-bt all");
    let result = live.and_then(|d| fixture.truth.compare(&d["data"]));
    failures.check(&format!("{what} {} live", interpreter.id), result);
    let core = fixture.kernel_core();
    let mut options = options.to_vec();
    if !options.contains(&"--sysroot") {
        options.extend(interpreter.sysroot());
    }
    let dead = Pydbg::core(&core, &options, "py-bt all");
    let result = dead.and_then(|d| fixture.truth.compare(&d["data"]));
    failures.check(&format!("{what} {} kernel core", interpreter.id), result);
    Pydbg::core(&core, &options, "bt")
}

/// Interpreters that were installed by pyenv: shared, with all their files in one folder.
fn pyenv() -> impl Iterator<Item = &'static Interpreter> {
    interpreters().iter().filter(|i| i.id.starts_with("pyenv-"))
}

/// The folder that holds bin and lib.
fn prefix(interpreter: &Interpreter) -> PathBuf {
    let python = Path::new(&interpreter.python);
    python
        .ancestors()
        .nth(2)
        .expect("PREFIX/bin/python")
        .to_owned()
}

/// The shared library of an interpreter of pyenv.
fn libpython(interpreter: &Interpreter) -> PathBuf {
    let files = fs::read_dir(prefix(interpreter).join("lib")).expect("lib");
    let mut paths = files.flatten().map(|entry| entry.path());
    let found = paths.find(|path| path.to_string_lossy().contains(".so.1"));
    found.expect("PREFIX/lib/libpythonX.Y.so.1.0")
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program is not installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
}

fn temporary() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("pydbg-build-")
        .tempdir()
        .expect("a temporary folder")
}

/// Copies a file into a folder, writable whatever the original is.
fn copy(file: &Path, folder: &Path) -> PathBuf {
    let target = folder.join(file.file_name().expect("a name"));
    run(Command::new("cp")
        .arg("--no-preserve=ownership")
        .arg(file)
        .arg(&target));
    run(Command::new("chmod").arg("u+w").arg(&target));
    target
}

/// Makes an ELF file forget its section headers.
fn forget_sections(file: &Path) {
    let mut bytes = fs::read(file).expect("readable");
    bytes[40..48].fill(0); // e_shoff
    bytes[60..64].fill(0); // e_shnum, e_shstrndx
    fs::write(file, bytes).expect("writable");
}

/// The interpreter with a libpython that was stripped, in this folder.
fn stripped_library(interpreter: &Interpreter, folder: &Path) -> Interpreter {
    let library = copy(&libpython(interpreter), folder);
    run(Command::new("strip").arg("--strip-unneeded").arg(&library));
    let path = folder.display().to_string();
    let stripped = interpreter.clone().flagged("stripped");
    stripped.with("LD_LIBRARY_PATH", &path)
}

/// The interpreters of pyenv with stripped libraries, each with the folder of its own that has it.
fn stripped_libraries() -> impl Iterator<Item = (Interpreter, TempDir)> {
    pyenv().map(|interpreter| {
        let folder = temporary();
        (stripped_library(interpreter, folder.path()), folder)
    })
}

/// A static interpreter that was stripped, in this folder; also where it is.
fn stripped_executable(interpreter: &Interpreter, folder: &Path) -> (Interpreter, PathBuf) {
    let python = copy(Path::new(&interpreter.python), folder);
    run(Command::new("strip").arg("-s").arg(&python));
    let home = prefix(interpreter).display().to_string();
    let stripped = interpreter.at(&python).flagged("stripped");
    (stripped.with("PYTHONHOME", &home), python)
}

/// Interpreters without a libpython of their own that are not in a root folder of their own.
fn static_ones() -> impl Iterator<Item = &'static Interpreter> {
    let all = interpreters().iter();
    all.filter(|i| i.has("static") && !i.is_chroot())
}

/// The fixtures of locks, of which a stripped build has some shapes of the first, or, if every core is
/// asked for, all shapes of all.
const OF_LOCKS: [&str; 10] = [
    "deadlocks",
    "lost_wakeups",
    "waits_buffered",
    "waits_glibc",
    "waits_imports",
    "waits_native",
    "waits_parking",
    "waits_processes",
    "waits_threading",
    "with_shapes",
];

/// Fixtures with one of their shapes, for a build of an interpreter.
fn shapes_of_locks(interpreter: &Interpreter) -> Vec<(&'static str, Vec<String>)> {
    if !every_core() {
        let shapes = ["abba", "ring", "rlock", "join", "native", "bare"];
        return shapes
            .map(|shape| ("deadlocks", vec![shape.to_owned()]))
            .into();
    }
    let mut all = Vec::new();
    for name in OF_LOCKS {
        let header = header(name).expect("a fixture");
        let shapes = header
            .variants
            .into_iter()
            .filter(|shape| !shape.is_empty());
        if interpreter.version >= header.minimum {
            all.extend(shapes.map(|shape| (name, shape)));
        }
    }
    all
}

#[test]
fn locks_of_stripped_builds() {
    let bare = static_ones().map(|interpreter| {
        let folder = temporary();
        (stripped_executable(interpreter, folder.path()).0, folder)
    });
    let builds: Vec<(usize, (Interpreter, TempDir))> =
        stripped_libraries().chain(bare).enumerate().collect();
    let failures = Failures::together(&builds, |(turn, (interpreter, _folder)), failures| {
        let shapes = shapes_of_locks(interpreter);
        for (number, (fixture, shape)) in shapes.iter().enumerate() {
            // Each build has a core of every third shape.
            let cores = Cores {
                kernel: number % 3 == turn % 3 || every_core(),
                gcore: false,
            };
            locks::check(interpreter, fixture, shape, cores, failures);
        }
    });
    failures.finish();
}

#[test]
fn a_stripped_libpython() {
    let mut failures = Failures::default();
    for (stripped, _folder) in stripped_libraries() {
        let answer = check("stripped", &stripped, FIXTURE, &[], &mut failures);
        let threads = answer.map(|d| d["data"]["threads"][0]["frames"].clone());
        let named = threads.and_then(|frames| has_function(&frames, "Py_BytesMain"));
        if stripped.version >= (3, 8) {
            failures.check(&format!("exported names, {}", stripped.id), named);
        }
    }
    failures.finish();
}

/// What the threads of `spin` that want the GIL do just now.
fn who_want_the_gil(fixture: &Fixture) -> Result<Vec<Value>, String> {
    let answer = Pydbg::live(fixture.pid(), &[], "info threads")?;
    let wanted = list(&fixture.truth.expect["gil_wanted_by"]);
    let threads = list(&answer["data"]["threads"]).iter();
    let want = threads.filter(|thread| wanted.contains(&thread["name"]));
    Ok(want.map(|thread| thread["doing"].clone()).collect())
}

#[test]
fn waits_for_the_gil_of_stripped_builds() {
    let mut failures = Failures::default();
    for (stripped, _folder) in stripped_libraries() {
        let fixture = Fixture::start(&stripped, "spin", &[]);
        // They wake up again and again, to ask for it once more or to have it for a moment.
        const MOST_LOOKS: usize = 50;
        let mut result = Err("no look".to_owned());
        for _ in 0..MOST_LOOKS {
            result = who_want_the_gil(&fixture).and_then(|want| {
                let are = |kind: &str| want.iter().filter(|doing| doing["kind"] == kind).count();
                match (are("waiting-for-gil"), are("waiting-for-lock")) {
                    (1.., 0) => Ok(()),
                    _ => Err(format!("{want:?}")),
                }
            });
            if result.is_ok() {
                break;
            }
        }
        failures.check(&stripped.id, result);
    }
    failures.finish();
}

/// Whether a native frame of this function is there.
fn has_function(frames: &Value, name: &str) -> Result<(), String> {
    let frames = frames.as_array().map_or(&[][..], Vec::as_slice);
    match frames
        .iter()
        .any(|f| f["type"] == "native" && f["function"] == name)
    {
        true => Ok(()),
        false => Err(format!("no frame of {name}")),
    }
}

#[test]
fn a_static_interpreter_without_symbols_or_section_headers() {
    let mut failures = Failures::default();
    for interpreter in static_ones() {
        let folder = temporary();
        let (bare, python) = stripped_executable(interpreter, folder.path());
        let _ = check("stripped", &bare, FIXTURE, &[], &mut failures);
        forget_sections(&python);
        let _ = check("no section headers", &bare, FIXTURE, &[], &mut failures);
    }
    failures.finish();
}

/// An answer of `bt` without its native frames, to be held against the truth.
fn python_part(answer: &Value) -> Value {
    let mut data = answer["data"].clone();
    for thread in data["threads"].as_array_mut().into_iter().flatten() {
        if let Some(frames) = thread["frames"].as_array_mut() {
            frames.retain(|frame| frame["type"] != "native");
        }
    }
    data
}

#[test]
fn a_core_without_any_file_at_hand() {
    let empty = temporary();
    let empty = empty.path().display().to_string();
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, FIXTURE, &[]);
        let core = fixture.kernel_core();
        for command in ["py-bt all", "thread apply all bt"] {
            let answer = Pydbg::core(&core, &["--sysroot", &empty], command);
            let result = answer.and_then(|d| fixture.truth.compare(&python_part(&d)));
            failures.check(&format!("{command} {}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn files_deleted_after_the_start() {
    let mut failures = Failures::default();
    for interpreter in pyenv() {
        let folder = temporary();
        let python = copy(Path::new(&interpreter.python), folder.path());
        copy(&libpython(interpreter), folder.path());
        let moved = interpreter
            .at(&python)
            .with("PYTHONHOME", &prefix(interpreter).display().to_string())
            .with("LD_LIBRARY_PATH", &folder.path().display().to_string());
        let mut fixture = Fixture::start(&moved, FIXTURE, &[]);
        drop(folder);
        let live = Pydbg::live(fixture.pid(), &[], "py-bt all");
        let result = live.and_then(|d| fixture.truth.compare(&d["data"]));
        failures.check(&format!("{} live", interpreter.id), result);
        let core = fixture.kernel_core();
        let dead = Pydbg::core(&core, &[], "py-bt all");
        let result = dead.and_then(|d| fixture.truth.compare(&d["data"]));
        failures.check(&format!("{} kernel core", interpreter.id), result);
    }
    failures.finish();
}

/// Checks the merged stacks where machine code made at run time lies between the C functions: it
/// has no call frame information, so what is below it must not claim to be certain.
fn check_merged(interpreter: &Interpreter, name: &str, generated: bool, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, name, &[]);
    let core = fixture.kernel_core();
    let options = interpreter.sysroot();
    let what = format!("{name} {} {:?}", interpreter.id, interpreter.environment);
    let answer = match Pydbg::core(&core, &options, "thread apply all bt") {
        Ok(answer) => answer,
        Err(why) => return failures.check(&what, Err(why)),
    };
    let same = fixture.truth.compare(&python_part(&answer));
    failures.check(&format!("{what}, Python frames"), same);
    let count = frames_of_generated_code(&answer);
    let honest = match count == 0 || answer["notes"].to_string().contains(UNSURE) {
        true => Ok(()),
        false => Err(format!(
            "nothing says that frames are guesses: {}",
            answer["notes"]
        )),
    };
    failures.check(&format!("{what}, trust"), honest);
    let seen = match generated == (count > 0) {
        true => Ok(()),
        false => Err(format!("{count} frames of generated code")),
    };
    failures.check(&format!("{what}, generated code"), seen);
}

/// What a note says of frames that were not found by call frame information.
const UNSURE: &str = "without call frame information and may be wrong";

/// How many native frames lie in no file.
fn frames_of_generated_code(answer: &Value) -> usize {
    let threads = answer["data"]["threads"].as_array().into_iter().flatten();
    let frames = threads.flat_map(|thread| thread["frames"].as_array().into_iter().flatten());
    frames
        .filter(|f| f["type"] == "native" && f["module"].is_null())
        .count()
}

#[test]
fn loops_that_the_jit_has_compiled() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| i.version >= (3, 13)) {
        let compiled = interpreter.clone().with("PYTHON_JIT", "1");
        let fixture = Fixture::start(&compiled, "jit", &[]);
        let enabled = fixture.truth.expect["jit"]["enabled"] == true;
        drop(fixture);
        println!("{}: jit {enabled}", interpreter.id);
        let _ = check("jit", &compiled, "jit", &[], &mut failures);
        check_merged(&compiled, "jit", enabled, &mut failures);
    }
    failures.finish();
}

#[test]
fn trampolines_for_perf() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| i.version >= (3, 12)) {
        for variable in ["PYTHONPERFSUPPORT", "PYTHON_PERF_JIT_SUPPORT"] {
            let supported = variable == "PYTHONPERFSUPPORT" || interpreter.version >= (3, 13);
            if supported {
                let traced = interpreter.clone().with(variable, "1");
                check_merged(&traced, "ctypes_callback", true, &mut failures);
            }
        }
    }
    failures.finish();
}

#[test]
fn settings_that_change_how_the_interpreter_works() {
    let settings: [&[(&str, &str)]; 3] = [
        &[("PYTHONDEVMODE", "1"), ("PYTHONTRACEMALLOC", "3")],
        &[("PYTHONMALLOC", "malloc")],
        &[("PYTHON_GIL", "1"), ("PYTHONMALLOC", "debug")],
    ];
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| i.version >= (3, 6)) {
        for variables in settings {
            let [(first, value), ..] = variables else {
                continue;
            };
            let nogil = interpreter.has("nogil");
            // Without the GIL the only allocator is mimalloc.
            if (*first == "PYTHON_GIL" && !nogil) || (*value == "malloc" && nogil) {
                continue;
            }
            let set = variables
                .iter()
                .fold(interpreter.clone(), |set, (name, value)| {
                    set.with(name, value)
                });
            let mut fixture = Fixture::start(&set, FIXTURE, &[]);
            let core = fixture.kernel_core();
            let answer = Pydbg::core(&core, &[], "py-bt all");
            let result = answer.and_then(|d| fixture.truth.compare(&d["data"]));
            failures.check(&format!("{variables:?} {}", interpreter.id), result);
        }
    }
    failures.finish();
}

/// `embed.c` with the library of an interpreter.
fn embed(interpreter: &Interpreter, folder: &Path, library: &[String]) -> PathBuf {
    let (major, minor) = interpreter.version;
    let include = prefix(interpreter).join("include");
    let headers = ["", "m"].map(|abi| include.join(format!("python{major}.{minor}{abi}")));
    let headers = headers.iter().find(|path| path.join("Python.h").exists());
    let program = folder.join("embed");
    let mut cc = Command::new("cc");
    cc.args(["-g", "-O0", "-I"]).arg(headers.expect("Python.h"));
    cc.arg("-o")
        .arg(&program)
        .arg(fixtures().join("embed.c"))
        .args(library);
    run(cc.args(["-ldl", "-lutil", "-lm", "-pthread", "-Wl,--export-dynamic"]));
    program
}

/// The C functions of the program lie below the outermost Python frame.
fn is_embedded(answer: &Value) -> Result<(), String> {
    let frames = &answer["data"]["threads"][0]["frames"];
    let list = frames.as_array().ok_or("no frames")?;
    let last = list
        .iter()
        .rposition(|f| f["type"] == "python")
        .ok_or("no Python")?;
    let below = Value::Array(list[last..].to_vec());
    has_function(&below, "run_script")?;
    has_function(&below, "main")
}

fn check_embedded(
    kind: &str,
    interpreter: &Interpreter,
    library: &[String],
    failures: &mut Failures,
) {
    let folder = temporary();
    let program = embed(interpreter, folder.path(), library);
    let home = prefix(interpreter).display().to_string();
    let embedded = interpreter.at(&program).with("PYTHONHOME", &home);
    let answer = check(kind, &embedded, FIXTURE, &[], failures);
    let what = format!("{kind} {} bt", interpreter.id);
    failures.check(&what, answer.and_then(|d| is_embedded(&d)));
}

#[test]
fn python_inside_a_c_program() {
    let mut failures = Failures::default();
    for interpreter in pyenv() {
        let library = libpython(interpreter);
        let lib = library.parent().expect("lib").display();
        let shared = [library.display().to_string(), format!("-Wl,-rpath,{lib}")];
        check_embedded("shared", interpreter, &shared, &mut failures);
        let (major, minor) = interpreter.version;
        let archive = format!("libpython{major}.{minor}.a");
        let folder = prefix(interpreter).join(format!("lib/python{major}.{minor}"));
        let entries = fs::read_dir(folder)
            .expect("the library's folder")
            .flatten();
        let archive = entries
            .map(|e| e.path().join(&archive))
            .find(|path| path.exists());
        if let Some(archive) = archive {
            let library = [archive.display().to_string()];
            check_embedded("static", interpreter, &library, &mut failures);
        }
    }
    failures.finish();
}

#[test]
fn started_through_the_dynamic_loader() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| !i.is_chroot()) {
        let mut loaded = interpreter.clone();
        loaded.launcher = vec!["/lib64/ld-linux-x86-64.so.2".into()];
        let _ = check("ld.so", &loaded, FIXTURE, &[], &mut failures);
    }
    failures.finish();
}

#[test]
fn odd_paths() {
    let mut failures = Failures::default();
    for interpreter in pyenv() {
        let folder = temporary();
        let odd = folder.path().join("Ordner mit Leerzeichen, Zoë 中");
        fs::create_dir(&odd).expect("a folder");
        let link = odd.join("python of mine");
        symlink(&interpreter.python, &link).expect("a link");
        let home = prefix(interpreter).display().to_string();
        let linked = interpreter.at(&link).with("PYTHONHOME", &home);
        let _ = check("link", &linked, FIXTURE, &[], &mut failures);
        let python = copy(Path::new(&interpreter.python), &odd);
        copy(&libpython(interpreter), &odd);
        let copied = interpreter.at(&python).with("PYTHONHOME", &home);
        let copied = copied.with("LD_LIBRARY_PATH", &odd.display().to_string());
        let _ = check("copy", &copied, FIXTURE, &[], &mut failures);
    }
    failures.finish();
}

#[test]
fn files_that_cannot_be_checked_are_named_in_one_sentence() {
    let mut failures = Failures::default();
    for interpreter in pyenv() {
        let mut fixture = Fixture::start(interpreter, "deep_recursion", &["3"]);
        let file = format!("/proc/{}/coredump_filter", fixture.pid());
        fs::write(file, "0x23").expect("the filter can be set");
        let core = fixture.kernel_core();
        let result = Pydbg::core(&core, &[], "bt").and_then(|answer| {
            let notes = answer["notes"].as_array().cloned().unwrap_or_default();
            let unchecked = |note: &&Value| note.to_string().contains("unchecked");
            match notes.iter().filter(unchecked).count() {
                1 => has_function(&answer["data"]["threads"][0]["frames"], "_start"),
                count => Err(format!("{count} of {} notes say so", notes.len())),
            }
        });
        failures.check(&interpreter.id, result);
    }
    failures.finish();
}

/// What `/proc/PID/coredump_filter` may hold, and whether all that pydbg needs is dumped then.
const FILTERS: [(&str, bool); 8] = [
    ("0x7f", true),
    ("0x33", true),
    ("0x31", true),
    ("0x23", true),
    ("0x3", true),
    ("0x1", true),
    ("0x10", false),
    ("0x0", false),
];

#[test]
fn cores_that_lack_memory() {
    let mut failures = Failures::default();
    for (number, interpreter) in interpreters().iter().enumerate() {
        // Each interpreter is tried with a third of them, each of them with a third of the others.
        for (filter, whole) in FILTERS.iter().skip(number % 3).step_by(3) {
            let mut fixture = Fixture::start(interpreter, FIXTURE, &[]);
            let file = format!("/proc/{}/coredump_filter", fixture.pid());
            fs::write(file, filter).expect("the filter can be set");
            let core = fixture.kernel_core();
            let options = interpreter.sysroot();
            let answer = Pydbg::core(&core, &options, "py-bt all");
            let result = match (*whole, answer) {
                (true, answer) => answer.and_then(|d| fixture.truth.compare(&d["data"])),
                (false, Err(_)) => Ok(()),
                (false, Ok(answer)) => Err(format!("shows {}", answer["data"])),
            };
            failures.check(&format!("{filter} {}", interpreter.id), result);
        }
    }
    failures.finish();
}
