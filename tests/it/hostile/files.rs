//! Files that are no cores, and files that a core names.

use super::run::run;
use crate::harness::{Failures, Fixture, interpreters};
use std::path::Path;

#[test]
fn files_that_are_no_cores() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut failures = Failures::default();
    let mut refuse = |name: &str, path: &Path| {
        let run = run(&["core", path.to_str().expect("UTF-8")], &["py-bt"]);
        let result = run.and_then(|run| match run.status {
            4 if !run.stderr.trim().is_empty() => Ok(()),
            status => Err(format!("status {status}, {}", run.stderr)),
        });
        failures.check(name, result);
    };
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("write");
        path
    };
    refuse("empty", &write("empty", b""));
    refuse("text", &write("text", b"hello\n"));
    refuse("ELF magic alone", &write("magic", b"\x7fELF"));
    refuse("zeros", &write("zeros", &[0; 100_000]));
    refuse("an executable", Path::new(env!("CARGO_BIN_EXE_pydbg")));
    refuse("a folder", dir.path());
    refuse("a device", Path::new("/dev/zero"));
    refuse("a missing file", &dir.path().join("missing"));
    refuse(
        "a name with an escape",
        &dir.path().join("\x1b[31mred\u{9b}"),
    );
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    refuse("a FIFO", &fifo);
    let mut header = vec![0u8; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 4;
    header[18] = 183; // EM_AARCH64
    refuse("another machine", &write("aarch64", &header));
    header[4] = 1;
    header[18] = 3; // EM_386
    refuse("32 bits", &write("i386", &header));
    failures.finish();
}

/// Names in the target must not make pydbg open what they name, nor print what they say raw, nor
/// forge a line of the report.
#[test]
fn names_in_the_target() {
    const COMMANDS: [&str; 9] = [
        "py-bt all",
        "bt all",
        "info threads",
        "thread apply all py-list",
        "thread apply all frame",
        "thread apply all py-bt",
        "info sharedlibrary",
        "info python",
        "info proc",
    ];
    let mut failures = Failures::default();
    let wanted = |id: &str| matches!(id, "pyenv-3.11" | "pyenv-3.8" | "pyenv-3.13");
    for interpreter in interpreters().iter().filter(|i| wanted(&i.id)) {
        for name in ["hostile_files", "unicode_names", "surrogate_names"] {
            let mut fixture = Fixture::start(interpreter, name, &[]);
            let core = fixture.kernel_core();
            let path = core.to_str().expect("UTF-8");
            for command in COMMANDS {
                let what = format!("{name} {} {command}", interpreter.id);
                let text = run(&["core", path], &[command]).and_then(|run| unforged(&run.stdout));
                failures.check(&what, text);
                let json = run(&["core", path, "--json"], &[command]).and_then(|run| {
                    run.document(command)
                        .map(drop)
                        .ok_or_else(|| "no JSON".to_owned())
                });
                failures.check(&format!("{what} in JSON"), json);
            }
        }
    }
    failures.finish();
}

fn unforged(text: &str) -> Result<(), String> {
    if text.contains("root:x:0") {
        return Err("printed /etc/passwd".into());
    }
    // `hostile_files` forges a thread, `unicode_names` a frame.
    let forged = |line: &&str| line.starts_with("Thread 99999") || line.starts_with("#1 0x0 in g");
    match text.lines().find(forged) {
        Some(line) => Err(format!("printed a forged line: {line}")),
        None => Ok(()),
    }
}
