//! pystack, an independent program with the same purpose, sees the same Python stacks in kernel
//! cores: function, file, line and order of each thread. Where it does not, a row of [`KNOWN`]
//! says who is right; the truth is checked for those as well.
//!
//! pystack 1.7.0 comes from PyPI into the cache folder, where `benches/peers.py` keeps it too.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, every_core, interpreters};
use crate::packages;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The stack of each LWP, outermost first: function, file, line.
pub(crate) type Stacks = BTreeMap<i64, Vec<(String, String, i64)>>;

/// A difference that is understood. pydbg must then equal the truth.
struct Known {
    fixtures: &'static [&'static str],
    /// The interpreters it is seen on.
    on: fn(&Interpreter) -> bool,
    /// What pystack does, and who is right.
    why: &'static str,
}

const FIXTURES: &[&str] = &[
    "threads",
    "deep_recursion",
    "ctypes_callback",
    "generators",
    "exec_code",
    "inlined_calls",
];

const KNOWN: &[Known] = &[
    Known {
        fixtures: FIXTURES,
        on: |interpreter| interpreter.version == (3, 15),
        why: "pystack 1.7.0 reads _Py_DebugOffsets as 3.14 has it and refuses 3.15's",
    },
    Known {
        fixtures: &["inlined_calls"],
        // Free-threaded 3.13 does not inline calls of __init__.
        on: |interpreter| matches!(interpreter.version, (3, 13 | 14)) && !interpreter.has("nogil"),
        why: "pystack shows the shim under an inlined __init__ as a call at line 0; sys._current_frames() does not",
    },
];

/// The pystack of the cache folder, installed on first use.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let venv = packages::cache().join("peers");
        let program = venv.join("bin/pystack");
        if !program.exists() {
            let run = |command: &mut Command| {
                assert!(command.status().expect("python3").success(), "{command:?}");
            };
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
            let mut pip = Command::new(venv.join("bin/pip"));
            run(pip.args(["-q", "install", "pystack==1.7.0"]));
        }
        program
    })
}

/// The folders below `folder`, itself included, that hold shared libraries.
fn library_folders(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut holds_one = false;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(library_folders(&entry.path())),
            _ => {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                holds_one |= name.ends_with(".so") || name.contains(".so.");
            }
        }
    }
    if holds_one {
        found.push(folder.display().to_string());
    }
    found
}

/// What pystack prints, as data.
pub(crate) fn parse(text: &str) -> Stacks {
    let mut stacks = Stacks::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Traceback for thread ") {
            let number = rest.split(' ').next().and_then(|n| n.parse().ok());
            current = number.map(|tid: i64| stacks.entry(tid).or_default());
        } else if let Some(rest) = line.strip_prefix("    (Python) File \"") {
            // A file name may hold anything, a function name no quote.
            let (file, rest) = rest.rsplit_once("\", line ").unwrap_or((rest, ""));
            let (number, function) = rest.split_once(", in ").unwrap_or((rest, ""));
            if let Some(stack) = current.as_deref_mut() {
                let number = number.parse().unwrap_or(-1);
                stack.push((function.to_owned(), file.to_owned(), number));
            }
        }
    }
    stacks.retain(|_, stack| !stack.is_empty());
    stacks
}

/// pydbg's answer in the same shape.
pub(crate) fn shape(answer: &Value) -> Stacks {
    let mut stacks = Stacks::new();
    for thread in answer["data"]["threads"].as_array().into_iter().flatten() {
        let frames = thread["frames"].as_array().into_iter().flatten().rev();
        let words = |frame: &Value, key: &str| frame[key].as_str().unwrap_or("?").to_owned();
        let stack = frames.map(|f| {
            let line = f["line"].as_i64().unwrap_or(-1);
            (words(f, "function"), words(f, "file"), line)
        });
        stacks.insert(thread["tid"].as_i64().unwrap_or(0), stack.collect());
    }
    stacks.retain(|_, stack| !stack.is_empty());
    stacks
}

/// The first place where the two differ, in words.
pub(crate) fn difference(theirs: &Stacks, ours: &Stacks) -> Option<String> {
    let threads = |stacks: &Stacks| stacks.keys().copied().collect::<Vec<_>>();
    if threads(theirs) != threads(ours) {
        return Some(format!(
            "threads: pystack {:?}, pydbg {:?}",
            threads(theirs),
            threads(ours)
        ));
    }
    theirs.iter().find_map(|(tid, theirs)| {
        let ours = ours.get(tid)?;
        let count = theirs.len().max(ours.len());
        let at = (0..count).find(|&i| theirs.get(i) != ours.get(i))?;
        Some(format!(
            "LWP {tid}, frame {at} from outside: pystack {:?}, pydbg {:?}",
            theirs.get(at),
            ours.get(at)
        ))
    })
}

fn compare(name: &str, interpreter: &Interpreter) -> Result<(), String> {
    let mut fixture = Fixture::start(interpreter, name, &[]);
    let core = fixture.kernel_core();
    let mut command = Command::new(program());
    let python = interpreter
        .root
        .join(interpreter.python.trim_start_matches('/'));
    command.arg("core").arg("--no-color").arg(&core).arg(python);
    if interpreter.is_chroot() {
        // --lib-search-root walks the whole root, and fails when another test removes a file there.
        let folders = library_folders(&interpreter.root.join("usr/lib"));
        command.arg("--lib-search-path").arg(folders.join(":"));
    }
    let output = command.output().expect("pystack cannot be run");
    let answer = Pydbg::core(&core, &interpreter.sysroot(), "py-bt all")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let differs = match output.status.success() {
        true => difference(&parse(&text), &shape(&answer)),
        false => Some(format!("pystack fails: {complaint}")),
    };
    let known = KNOWN
        .iter()
        .find(|known| known.fixtures.contains(&name) && (known.on)(interpreter));
    match (differs, known) {
        (None, None) => Ok(()),
        (Some(differs), None) => Err(differs),
        (None, Some(known)) => Err(format!("no longer so: {}", known.why)),
        (Some(differs), Some(known)) => {
            println!("{name} {}: {differs} ({})", interpreter.id, known.why);
            fixture.truth.compare(&answer["data"])
        }
    }
}

fn check(name: &str) {
    let number = FIXTURES.iter().position(|fixture| *fixture == name);
    let number = number.expect("a fixture of the list");
    let mut failures = Failures::default();
    for (turn, interpreter) in interpreters().iter().enumerate() {
        // Each is compared on every other interpreter, each interpreter with every other fixture.
        if (number + turn) % 2 == 1 && interpreters().len() > 5 && !every_core() {
            continue;
        }
        let what = format!("{name} {}", interpreter.id);
        failures.check(&what, compare(name, interpreter));
    }
    failures.finish();
}

#[test]
fn threads() {
    check("threads");
}

#[test]
fn deep_recursion() {
    check("deep_recursion");
}

#[test]
fn ctypes_callback() {
    check("ctypes_callback");
}

#[test]
fn generators() {
    check("generators");
}

#[test]
fn exec_code() {
    check("exec_code");
}

#[test]
fn inlined_calls() {
    check("inlined_calls");
}
