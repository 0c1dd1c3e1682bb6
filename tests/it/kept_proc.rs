//! What pydbg keeps of /proc in the cores that it writes: such a core answers as the live process
//! did in the same stop.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What is asked of both.
const QUESTIONS: [&str; 5] = [
    "info threads",
    "fds -n 0",
    "locks",
    "memory --mappings",
    "info proc all",
];

/// Answers of the live process and of the core that was written in the same stop.
struct Answers {
    live: Pydbg,
    core: Pydbg,
}

impl Answers {
    fn of(fixture: &Fixture, interpreter: &Interpreter, core: &Path) -> Answers {
        let write = |core: &Path| format!("generate-core-file {}", core.display());
        let (first, last) = (write(&core.with_extension("first")), write(core));
        // Reading the pages of files brings them into RAM, so what reads most comes first.
        let mut lines = vec!["memory", first.as_str()];
        lines.extend(QUESTIONS);
        lines.push(&last);
        let pid = fixture.pid().to_string();
        let options = interpreter.sysroot();
        let run = |what: &[&str], lines: &[&str]| {
            let args: Vec<&str> = what.iter().chain(&options).copied().collect();
            Pydbg::run(&args, lines)
        };
        let live = run(&["attach", &pid, "--json", "-q"], &lines);
        let path = core.to_str().expect("a path in UTF-8");
        Answers {
            live,
            core: run(&["core", path, "--json", "-q"], &QUESTIONS),
        }
    }

    fn compare(&self, question: &str) -> Result<(), String> {
        let live = without_time(self.live.document(question)?["data"].clone());
        let core = without_time(self.core.document(question)?["data"].clone());
        match difference(&live, &core, "") {
            None => Ok(()),
            Some(told) => Err(told),
        }
    }
}

/// An answer without what goes on while the process stands still, and what is meant to differ.
fn without_time(mut data: Value) -> Value {
    if let Some(data) = data.as_object_mut() {
        data.remove("live");
    }
    for thread in data["threads"].as_array_mut().into_iter().flatten() {
        let text = &mut thread["doing"]["text"];
        // The recorder of fixtures sleeps; others may wait for a time.
        let words = text
            .as_str()
            .and_then(|text| text.split(char::is_numeric).next());
        if let Some(words) = words.filter(|words| words.starts_with("sleeping")) {
            *text = words.into();
        }
    }
    data
}

/// The first thing that differs.
fn difference(one: &Value, other: &Value, place: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a
            .iter()
            .find_map(|(key, value)| difference(value, other.get(key)?, &format!("{place}.{key}"))),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(at, (a, b))| difference(a, b, &format!("{place}[{at}]")))
        }
        _ if one == other => None,
        _ => Some(format!("{place}: live {one}, core {other}")),
    }
}

fn check(interpreter: &Interpreter, name: &str, args: &[&str], failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, name, args);
    let core = fixture.dir().join("kept.core");
    let answers = Answers::of(&fixture, interpreter, &core);
    for question in QUESTIONS {
        let what = format!("{} {name}, {question}", interpreter.id);
        failures.check(&what, answers.compare(question));
    }
    let memory = answers
        .core
        .document("memory --mappings")
        .unwrap_or_default();
    let rows = list(&memory["data"]["rows"]).iter();
    let sum: u64 = rows.filter_map(|row| row["resident"].as_u64()).sum();
    let adds_up = memory["data"]["basis"] == "resident" && memory["data"]["total"] == sum;
    let sums = adds_up.then_some(());
    let what = format!("{} {name}, sum of memory", interpreter.id);
    failures.check(
        &what,
        sums.ok_or(format!("{sum}: {}", memory["data"]["total"])),
    );
}

/// Locks on files of this and other processes, pipes to a child.
#[test]
fn a_core_answers_as_the_process_did() {
    let all = interpreters();
    Failures::together(all, |interpreter, failures| {
        check(interpreter, "file_locks", &[], failures);
    })
    .finish();
}

/// Sockets, epoll and others; memory that processes share.
#[test]
fn sockets_and_shared_memory_are_kept() {
    let mut failures = Failures::default();
    if let Some(interpreter) = interpreters().last() {
        check(interpreter, "descriptors", &["healthy"], &mut failures);
        check(interpreter, "waits_processes", &[], &mut failures);
    }
    failures.finish();
}

/// readelf and gdb pass over the note, and tar lists it.
#[test]
fn others_do_not_mind_the_note() {
    let Some(interpreter) = interpreters().first() else {
        return;
    };
    let fixture = Fixture::start(interpreter, "file_locks", &[]);
    let core = fixture.dir().join("kept.core");
    Answers::of(&fixture, interpreter, &core);
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).arg(&core).output();
        let output = output.unwrap_or_else(|_| panic!("{program} is not installed"));
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    };
    let notes = run("readelf", &["-n", "-W"]);
    assert!(notes.contains("pydbg"), "{notes:.2000}");
    assert!(!notes.contains("Warning"), "{notes:.2000}");
    let told = run("gdb", &["-nx", "-batch", "-ex", "info threads", "-c"]);
    assert_eq!(
        told.matches("LWP").count() - told.matches("[New LWP").count(),
        5 + 1
    );
    assert!(!told.to_lowercase().contains("note"), "{told}");
}
