//! Independent readers see in the cores that pydbg writes what they see in gdb's cores of the same
//! process, or what is true: eu-stack of elfutils (Debian's package of that name), and pystack.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use crate::pystack;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest, one of the middle and the newest that the readers know.
const VERSIONS: [(u8, u8); 3] = [(2, 7), (3, 11), (3, 13)];

/// One interpreter of each of these versions, in no root folder of its own.
fn some() -> Vec<&'static Interpreter> {
    let of = |version| {
        let mut all = interpreters().iter();
        all.find(|one| one.version == version && !one.is_chroot())
    };
    let found: Vec<_> = VERSIONS.into_iter().filter_map(of).collect();
    match found.is_empty() {
        // The list was narrowed to others.
        true => interpreters().iter().take(1).collect(),
        false => found,
    }
}

fn dumped(fixture: &Fixture, fork: bool) -> Result<PathBuf, String> {
    let core = fixture
        .dir()
        .join(if fork { "fork.core" } else { "own.core" });
    let mut pydbg = Command::new(env!("CARGO_BIN_EXE_pydbg"));
    pydbg
        .args(["dump", &fixture.pid().to_string(), "-o"])
        .arg(&core);
    if fork {
        pydbg.arg("--fork");
    }
    let output = pydbg.output().map_err(|error| error.to_string())?;
    match core.exists() {
        true => Ok(core),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The frames that eu-stack prints of each thread: addresses and functions, innermost first.
fn eu_stack(core: &Path, interpreter: &Interpreter) -> Result<BTreeMap<i32, Vec<String>>, String> {
    let mut command = Command::new("eu-stack");
    command.arg("--core").arg(core);
    command.arg("-e").arg(&interpreter.python);
    let output = command
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .output()
        .expect("eu-stack is not installed (elfutils)");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut all = BTreeMap::new();
    let mut current: Option<&mut Vec<String>> = None;
    for line in text.lines() {
        if let Some(tid) = line
            .strip_prefix("TID ")
            .and_then(|rest| rest.strip_suffix(':'))
        {
            let tid = tid
                .parse()
                .map_err(|_| format!("{line:?} names no thread"))?;
            current = Some(all.entry(tid).or_default());
        } else if let (Some(frames), Some(rest)) = (&mut current, line.strip_prefix('#')) {
            frames.push(rest.to_owned());
        }
    }
    match output.status.success() {
        true => Ok(all),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn eu_stack_agrees(interpreter: &Interpreter) -> Result<(), String> {
    let fixture = Fixture::start(&interpreter.for_gcore(), "threads", &[]);
    let theirs = eu_stack(&fixture.gcore(), interpreter)?;
    let threads = std::fs::read_dir(format!("/proc/{}/task", fixture.pid()));
    let threads = threads.map_or(0, Iterator::count);
    if theirs.len() != threads {
        return Err(format!("{} of {threads} threads in gcore's", theirs.len()));
    }
    for fork in [false, true] {
        let own = eu_stack(&dumped(&fixture, fork)?, interpreter)?;
        if own != theirs {
            return Err(format!("fork {fork}: {own:?}\nin gcore's core: {theirs:?}"));
        }
        // What both get wrong is none of our business, but something must be there.
        let runs_python = |frames: &Vec<String>| frames.iter().any(|f| f.contains("PyEval_Eval"));
        if !own.values().all(runs_python) {
            return Err(format!("a thread without Python: {own:?}"));
        }
    }
    Ok(())
}

#[test]
fn eu_stack_sees_the_same_frames_as_in_gcores_core() {
    let mut failures = Failures::default();
    for interpreter in some() {
        failures.check(&interpreter.id, eu_stack_agrees(interpreter));
    }
    failures.finish();
}

fn pystack_agrees(interpreter: &Interpreter) -> Result<(), String> {
    let fixture = Fixture::start(interpreter, "threads", &[]);
    let core = dumped(&fixture, false)?;
    let mut command = Command::new(pystack::program());
    command.args(["core", "--no-color"]).arg(&core);
    let output = command.arg(&interpreter.python).output();
    let output = output.expect("pystack cannot be run");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let theirs = pystack::parse(&String::from_utf8_lossy(&output.stdout));
    // pydbg's own answer is held against the truth first.
    let answer = Pydbg::core(&core, &[], "py-bt all")?;
    fixture.truth.compare(&answer["data"])?;
    let threads = list(&answer["data"]["threads"]).len();
    if theirs.len() != threads {
        return Err(format!(
            "pystack sees {} of {threads} threads",
            theirs.len()
        ));
    }
    match pystack::difference(&theirs, &pystack::shape(&answer)) {
        None => Ok(()),
        Some(differs) => Err(differs),
    }
}

#[test]
fn pystack_sees_the_truth() {
    let mut failures = Failures::default();
    for interpreter in some() {
        failures.check(&interpreter.id, pystack_agrees(interpreter));
    }
    failures.finish();
}
