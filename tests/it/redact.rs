//! Redacted cores: nothing of a secret that the fixture has in everything with text is left in the
//! file, while stacks read as before.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list, other_mallocs};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The secret, put together as in the fixture; this file is not in the process.
const SECRET: &str = "hunter2-s3cr3t-opensesame";

/// Where a text is in a file, in characters of one, two and four bytes.
fn found(file: &[u8], text: &str) -> Vec<(usize, usize)> {
    let places = |width: usize| {
        let wide: Vec<u8> = text
            .bytes()
            .flat_map(|byte| {
                let mut character = vec![0; width];
                character[0] = byte;
                character
            })
            .collect();
        let first = wide[0];
        let starts = file
            .iter()
            .enumerate()
            .filter(move |(_, byte)| **byte == first);
        let found = starts.filter(move |(at, _)| file[*at..].starts_with(&wide));
        found.map(move |(at, _)| (width, at)).collect::<Vec<_>>()
    };
    [1, 2, 4].into_iter().flat_map(places).collect()
}

/// The first part in which answers differ.
fn same(before: Option<&Value>, after: Option<&Value>) -> Result<(), String> {
    match (before, after) {
        (Some(before), Some(after)) if before == after => Ok(()),
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            let mut pairs = before.iter().zip(after);
            let pair = pairs.find(|(before, after)| before != after);
            Err(format!("{pair:?} of {} and {}", before.len(), after.len()))
        }
        _ => Err(format!("{before:?} is now {after:?}")),
    }
}

/// The frames of all threads: functions, files, lines.
fn stacks(document: &Value) -> Vec<String> {
    let threads = list(&document["data"]["threads"]).iter();
    let frame = |frame: &Value| {
        let part = |name: &str| frame[name].to_string();
        [part("function"), part("file"), part("line")].join(" ")
    };
    threads
        .flat_map(|thread| list(&thread["frames"]).iter().map(frame))
        .collect()
}

/// A core as it is, and one without data, from the same stop.
struct Pair {
    fixture: Fixture,
    plain: PathBuf,
    blanked: PathBuf,
    /// What was blanked.
    told: Value,
}

impl Pair {
    fn of(interpreter: &Interpreter, damage: &str) -> Result<Pair, String> {
        let argument = format!("{SECRET} as an argument");
        let fixture = Fixture::start(interpreter, "confidential", &[&argument, damage]);
        let (plain, blanked) = (fixture.dir().join("plain"), fixture.dir().join("blanked"));
        let pid = fixture.pid().to_string();
        let mut args = vec!["attach", &pid, "--json", "-q"];
        args.extend(interpreter.sysroot());
        let write =
            |options: &str, core: &Path| format!("generate-core-file {options} {}", core.display());
        let lines = [write("", &plain), write("--redact", &blanked)];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let run = Pydbg::run(&args, &lines);
        let told = run.document(lines[1])?["data"]["blanked"].clone();
        Ok(Pair {
            fixture,
            plain,
            blanked,
            told,
        })
    }
}

/// `kinds`: of what something must have been blanked.
fn check(interpreter: &Interpreter, kinds: &[&str], failures: &mut Failures) {
    let interpreter = interpreter.clone().with("TOKEN", SECRET);
    let id = &interpreter.id;
    let pair = match Pair::of(&interpreter, "") {
        Ok(pair) => pair,
        Err(why) => return failures.check(id, Err(why)),
    };
    let Pair {
        fixture: _fixture,
        plain,
        blanked,
        told,
    } = pair;
    let read = |core| std::fs::read(core).expect("written");
    let left = found(&read(&blanked), SECRET);
    let known = found(&read(&plain), SECRET);
    let gone = left.is_empty() && known.len() > 20;
    failures.check(
        &format!("{id}: the secret"),
        gone.then_some(())
            .ok_or(format!("{left:x?} of {}", known.len())),
    );
    let answer = |core, command| Pydbg::core(core, &interpreter.sysroot(), command);
    let pairs = [
        ("py-bt all", "/data/threads"),
        ("info threads", "/data"),
        ("locks", "/data"),
        ("heap -n 1000", "/data/rows"),
    ];
    for (command, part) in pairs {
        let compare = || -> Result<(), String> {
            let (before, after) = (answer(&plain, command)?, answer(&blanked, command)?);
            let (before, after) = (before.pointer(part), after.pointer(part));
            same(before, after)
        };
        failures.check(&format!("{id}: {command}"), compare());
    }
    failures.check(&format!("{id}: stacks"), {
        let frames = answer(&blanked, "py-bt all").map(|document| stacks(&document));
        frames.and_then(|frames| match frames.len() >= 4 {
            true => Ok(()),
            false => Err(format!("{frames:?}")),
        })
    });
    let counted = |kind: &str| told[kind]["bytes"].as_u64().unwrap_or(0) > 100;
    let all = kinds.iter().all(|kind| counted(kind));
    failures.check(
        &format!("{id}: what was blanked"),
        all.then_some(()).ok_or(told.to_string()),
    );
}

#[test]
fn a_secret_is_nowhere_and_stacks_read_as_before() {
    let kinds = ["strings", "buffers", "texts", "free", "stacks"];
    let check = |interpreter: &Interpreter, failures: &mut Failures| {
        check(interpreter, &kinds, failures);
    };
    Failures::together(interpreters(), check).finish();
}

#[test]
fn a_secret_is_nowhere_with_another_malloc() {
    let with = ["pyenv-2.7", "pyenv-3.12", "built-3.13t"];
    let all = interpreters().iter();
    let some = all.filter(|one| with.contains(&one.id.as_str()));
    let mallocs = other_mallocs();
    let served: Vec<Interpreter> = some
        .flat_map(|one| {
            let with = |(_, path): &(_, String)| one.clone().with("LD_PRELOAD", path);
            mallocs.iter().map(with)
        })
        .collect();
    // What is free in the memory of another malloc is not known.
    let kinds = ["strings", "buffers", "texts", "stacks"];
    let check = |interpreter: &Interpreter, failures: &mut Failures| {
        check(interpreter, &kinds, failures);
    };
    if !served.is_empty() {
        Failures::together(&served, check).finish();
    }
}

/// Lengths that are not true blank nothing but their own blocks.
fn check_damage(interpreter: &Interpreter, failures: &mut Failures) {
    let id = &interpreter.id;
    let pair = match Pair::of(interpreter, "damage") {
        Ok(pair) => pair,
        Err(why) => return failures.check(id, Err(why)),
    };
    let answer = |core, command| Pydbg::core(core, &interpreter.sysroot(), command);
    for (command, part) in [
        ("py-bt all", "/data/threads"),
        ("heap -n 1000", "/data/rows"),
    ] {
        let compare = || {
            let (before, after) = (
                answer(&pair.plain, command)?,
                answer(&pair.blanked, command)?,
            );
            same(before.pointer(part), after.pointer(part))
        };
        failures.check(&format!("{id}: {command}"), compare());
    }
}

#[test]
fn damaged_lengths_reach_no_further_than_their_blocks() {
    Failures::together(interpreters(), check_damage).finish();
}

#[test]
fn gdb_opens_a_redacted_core() {
    let Some(interpreter) = interpreters().iter().find(|one| one.id == "pyenv-3.12") else {
        return;
    };
    let pair = Pair::of(interpreter, "").expect("written");
    let gdb = |core: &Path| {
        let exe = std::fs::read_link(format!("/proc/{}/exe", pair.fixture.pid()));
        let output = Command::new("gdb")
            .args(["-nx", "-batch", "-ex", "thread apply all bt"])
            .arg(exe.expect("a program"))
            .arg(core)
            .output()
            .expect("gdb runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let frames = text.lines().filter(|line| line.starts_with('#'));
        frames.map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (gdb(&pair.plain), gdb(&pair.blanked));
    let functions = |frames: &[String]| -> Vec<String> {
        let name = |line: &String| line.split(" (").next().unwrap_or_default().to_owned();
        frames.iter().map(name).collect()
    };
    assert!(before.len() > 10, "{before:?}");
    assert_eq!(functions(&before), functions(&after));
}
