//! Making the cores that are compared.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The standard output of a command that must work.
pub(super) fn output(command: &[&str]) -> String {
    let name = command[0];
    let output = Command::new(name)
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("this test needs {name}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file beside this one.
pub(super) fn asset(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/native/gdb_compare_tests");
    format!("{folder}/{name}")
}

/// A fixture.
pub(super) fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Every interpreter at hand under `/`: id and path.
pub(super) fn interpreters() -> Vec<(String, String)> {
    let text = output(&[&fixture("interpreters"), "--list"]);
    let rows = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let here = fields.get(3) == Some(&"/");
        here.then(|| (fields[0].to_owned(), fields[4].to_owned()))
    });
    rows.collect()
}

/// Compiles a program beside this file.
pub(super) fn compile(dir: &Path, compiler: &str, source: &str, flags: &str) -> String {
    let exe = dir.join("program").to_str().unwrap().to_owned();
    let source = asset(source);
    let mut command = vec![compiler];
    command.extend(flags.split(' '));
    command.extend(["-o", &exe, &source, "-lm"]);
    output(&command);
    exe
}

/// The core of a program that crashes by itself.
pub(super) fn of_crash(dir: &Path, command: &[&str]) -> PathBuf {
    let status = start(dir, command).wait().unwrap();
    assert!(!status.success(), "{command:?} did not crash");
    core_in(dir)
}

/// The kernel's core of a fixture that is killed when it is ready.
pub(super) fn of_aborted(dir: &Path, command: &[&str]) -> PathBuf {
    let mut child = started_fixture(dir, command);
    output(&["kill", "-ABRT", &child.id().to_string()]);
    let _ = child.wait();
    core_in(dir)
}

/// gcore's core of a fixture that is ready.
pub(super) fn by_gcore(dir: &Path, command: &[&str]) -> PathBuf {
    let mut child = started_fixture(dir, command);
    let pid = child.id().to_string();
    let prefix = dir.join("gcore");
    output(&["gcore", "-o", prefix.to_str().unwrap(), &pid]);
    let _ = child.kill();
    let _ = child.wait();
    dir.join(format!("gcore.{pid}"))
}

fn start(dir: &Path, command: &[&str]) -> Child {
    let script = "ulimit -c unlimited && exec \"$@\"";
    Command::new("sh")
        .args(["-c", script, "sh"])
        .args(command)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A fixture whose truth file, its first argument, is there: everything is in place.
fn started_fixture(dir: &Path, command: &[&str]) -> Child {
    let truth = dir.join("truth");
    let mut command = command.to_vec();
    command.push(truth.to_str().unwrap());
    let mut child = start(dir, &command);
    let start = Instant::now();
    while !truth.exists() {
        let late = start.elapsed() > Duration::from_secs(30);
        let ended = child.try_wait().unwrap();
        assert!(
            !late && ended.is_none(),
            "{command:?} is not ready: {ended:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn core_in(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let is_core = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("core"))
    };
    let found = paths.find(is_core);
    found.expect("this test needs kernel cores: /proc/sys/kernel/core_pattern must be `core`")
}
