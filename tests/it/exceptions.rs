//! Exceptions are printed as Python itself prints them: each thread of the fixture `exceptions`
//! wrote down what `traceback.format_exception` gave there; live and from cores.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::synth_random::Random;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opens what is looked at.
fn words(interpreter: &Interpreter, target: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = target.iter().map(|&word| word.to_owned()).collect();
    words.push("-q".to_owned());
    if target.first() == Some(&"core") {
        words.extend(interpreter.sysroot().into_iter().map(str::to_owned));
    }
    words
}

fn run(interpreter: &Interpreter, target: &[&str], commands: &[&str]) -> String {
    let words = words(interpreter, target);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = Pydbg::run(&words, commands);
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&ran.stdout).into_owned();
    // The notes say that a core was not dumped whole, and the like.
    match stdout.is_empty() {
        true => stderr,
        false => stdout,
    }
}

/// The sections of each thread by its name: title and text.
fn sections(text: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut threads: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(tail) = line.strip_prefix("Thread ") {
            name = tail.split('"').nth(1).unwrap_or(tail).to_owned();
            continue;
        }
        let sections = threads.entry(name.clone()).or_default();
        let Some(line) = line.strip_prefix("  ") else {
            continue;
        };
        if ["Being ", "Asked ", "Given "]
            .iter()
            .any(|title| line.starts_with(title))
        {
            sections.push((line.to_owned(), String::new()));
        } else if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    threads
}

/// The first line that differs.
fn difference(ours: &str, theirs: &str) -> String {
    let pairs = ours.lines().zip(theirs.lines()).enumerate();
    let mut differing = pairs.filter(|(_, (ours, theirs))| ours != theirs);
    match differing.next() {
        Some((at, (ours, theirs))) => format!("line {at}:\n    {ours}\n    {theirs}"),
        None => format!("one is longer:\n{ours}\n---\n{theirs}"),
    }
}

/// Holds the text of all threads against the truth.
fn compare(text: &str, truth: &Value, what: &str, failures: &mut Failures) {
    let shown = sections(text);
    let none = Vec::new();
    for thread in truth["threads"].as_array().unwrap_or(&none) {
        let name = thread["name"].as_str().unwrap_or_default();
        let handled = shown.get(name).and_then(|sections| {
            let mut sections = sections.iter();
            sections.find(|(title, _)| title == "Being handled:")
        });
        let mut ours = handled
            .map(|(_, text)| text.as_str())
            .unwrap_or_default()
            .to_owned();
        let mut theirs = thread["exception"].as_str().unwrap_or_default().to_owned();
        if thread["own_str"] == true {
            // The last line holds what only running code could tell.
            let last = ours.lines().last().unwrap_or_default().to_owned();
            let said = last.starts_with("Odd: <str() is code of ") && last.contains("('args', 1)");
            let result = said.then_some(()).ok_or(last);
            failures.check(&format!("{what} {name}, last line"), result);
            for text in [&mut ours, &mut theirs] {
                let kept = text.trim_end().rfind('\n').unwrap_or(0);
                text.truncate(kept);
            }
        }
        let result = match ours == theirs {
            true => Ok(()),
            false => Err(difference(&ours, &theirs)),
        };
        failures.check(&format!("{what} {name}"), result);
    }
    let pending = truth["pending"].as_str().unwrap_or_default();
    let asked = shown.get(pending).is_some_and(|sections| {
        let mut titles = sections.iter().map(|(title, _)| title);
        titles.any(|title| title.starts_with("Asked ") && title.ends_with("KeyboardInterrupt"))
    });
    failures.check(
        &format!("{what} pending"),
        asked.then_some(()).ok_or("not said".into()),
    );
    let outside = shown.get("in generator within").map(Vec::len);
    failures.check(
        &format!("{what} handled further out"),
        (outside == Some(2))
            .then_some(())
            .ok_or(format!("{outside:?}")),
    );
}

#[test]
fn exceptions_are_printed_as_python_prints_them() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(&interpreter.for_gcore(), "exceptions", &[]);
        let id = &interpreter.id;
        let truth = std::fs::read_to_string(fixture.dir().join("truth.json")).expect("the truth");
        let truth: Value = serde_json::from_str(&truth).expect("JSON");
        let command = ["exception all"];
        let live = run(
            interpreter,
            &["attach", &fixture.pid().to_string()],
            &command,
        );
        compare(&live, &truth, &format!("{id} live"), &mut failures);
        for (how, core) in [
            ("gcore", fixture.gcore()),
            ("kernel", fixture.kernel_core()),
        ] {
            let core = core.to_str().expect("UTF-8");
            let text = run(interpreter, &["core", core], &command);
            compare(&text, &truth, &format!("{id} {how}"), &mut failures);
        }
    }
    failures.finish();
}

#[test]
fn exceptions_that_c_code_has_set_are_shown() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "raising", &[]);
        let id = &interpreter.id;
        let answer = Pydbg::live(fixture.pid(), &[], "exception all");
        let shown = answer.expect("an answer");
        let none = Vec::new();
        let threads = shown["data"]["threads"].as_array().unwrap_or(&none);
        for name in ["in plain", "in handler"] {
            let found = threads.iter().find(|thread| thread["name"] == name);
            let Some(thread) = found else {
                failures.check(&format!("{id} {name}"), Err("no such thread".into()));
                continue;
            };
            let class = |exception: &Value| {
                let class = exception["type"].as_str().unwrap_or_default();
                class.trim_start_matches("exceptions.").to_owned()
            };
            let raised = &thread["raised"];
            let handled = class(&thread["handled"][0]);
            let expected = if name == "in handler" { "KeyError" } else { "" };
            let right = class(raised) == "ValueError"
                && raised["message"] == "raised in C"
                && handled == expected;
            let result = right.then_some(()).ok_or(thread.to_string());
            failures.check(&format!("{id} {name}"), result);
        }
    }
    failures.finish();
}

#[test]
fn damaged_exceptions_end_soon() {
    const ROUNDS: u64 = 8;
    const WORDS: u64 = 20_000;
    let Some(interpreter) = interpreters().iter().find(|i| i.id == "pyenv-3.12") else {
        return;
    };
    let mut fixture = Fixture::start(interpreter, "exceptions", &[]);
    let path = fixture.kernel_core();
    let core = std::fs::OpenOptions::new().write(true).open(&path);
    let core = core.expect("the core");
    let size = core.metadata().expect("its size").len();
    let mut random = Random::new(1);
    for _ in 0..ROUNDS {
        for _ in 0..WORDS {
            // The headers stay whole.
            let number = random.number();
            let place = 0x10000 + number % (size - 0x10008);
            let word = [0, 1, 1 << 60, number, u64::MAX][(number >> 40) as usize % 5];
            core.write_all_at(&word.to_le_bytes(), place)
                .expect("write");
        }
        let start = Instant::now();
        let target = target::core::open(&path, &Options::default()).expect("a core");
        let process = Arc::new(Process::new(Arc::new(target)));
        let Ok(python) = Python::find(process) else {
            break;
        };
        let threads: Vec<_> = python.threads().collect();
        for thread in threads {
            let _ = python.exceptions(thread);
        }
        let _ = python.last_exceptions();
        // Generous, because machines are shared.
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

/// The exception that nobody handled, as shown and as data, and the variables of the frames it
/// passed, which have ended.
fn check_unhandled(
    interpreter: &Interpreter,
    target: &[&str],
    truth: &Value,
    what: &str,
    failures: &mut Failures,
) {
    let text = run(interpreter, target, &["exception"]);
    let title = "Not handled by anyone (sys.last_";
    let behind = text
        .split_once(title)
        .and_then(|(_, tail)| tail.split_once('\n'));
    let ours = behind.map_or(text.as_str(), |(_, text)| text);
    let theirs = truth["text"].as_str().unwrap_or_default();
    let result = match ours == theirs {
        true => Ok(()),
        false => Err(difference(ours, theirs)),
    };
    failures.check(&format!("{what} text"), result);
    let frames = truth["frames"].as_array().expect("frames");
    for (number, frame) in frames.iter().enumerate() {
        let select = format!("exception frame {number}");
        let mut words = words(interpreter, target);
        words.push("--json".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = Pydbg::run(&words, &[&select, "py-locals"]);
        let result = ran
            .document(&select)
            .and_then(|selected| {
                let row = &selected["data"]["exceptions"][0]["traceback"][0];
                let same = row["function"] == frame["function"] && row["line"] == frame["line"];
                same.then_some(()).ok_or(format!("{row} {frame}"))
            })
            .and_then(|()| ran.document("py-locals"))
            .and_then(|locals| same_variables(&locals["data"], &frame["locals"]));
        failures.check(&format!("{what} {}", frame["function"]), result);
    }
}

/// Whether the variables have the values of the truth, each by its `repr`.
fn same_variables(shown: &Value, truth: &Value) -> Result<(), String> {
    let none = Vec::new();
    let shown = shown["variables"].as_array().unwrap_or(&none);
    for (name, value) in truth.as_object().into_iter().flatten() {
        let mut found = shown.iter().filter(|variable| variable["name"] == **name);
        let ours = found.next().map(|variable| &variable["value"]["repr"]);
        if ours != Some(value) {
            return Err(format!("{name}: {ours:?}, not {value}"));
        }
    }
    Ok(())
}

#[test]
fn an_unhandled_exception_is_shown_with_the_variables_of_its_frames() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(&interpreter.for_gcore(), "unhandled", &[]);
        let id = &interpreter.id;
        let truth = fixture.truth.expect.clone();
        let pid = fixture.pid().to_string();
        let target = ["attach", &pid];
        check_unhandled(
            interpreter,
            &target,
            &truth,
            &format!("{id} live"),
            &mut failures,
        );
        for (how, core) in [
            ("gcore", fixture.gcore()),
            ("kernel", fixture.kernel_core()),
        ] {
            let target = ["core", core.to_str().expect("UTF-8")];
            check_unhandled(
                interpreter,
                &target,
                &truth,
                &format!("{id} {how}"),
                &mut failures,
            );
        }
    }
    failures.finish();
}
