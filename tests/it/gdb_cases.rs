//! The cases of CPython's own test_gdb (Lib/test/test_gdb), on cores of each interpreter: py-bt,
//! py-list, py-up and py-down, py-locals, and values. None may be worse than python-gdb.py.

use crate::harness::{Failures, Fixture, Pydbg, fixtures, interpreters};
use serde_json::Value;
use std::path::Path;

/// What text commands print on a core.
fn text(core: &Path, extra: &[&str], commands: &[&str]) -> String {
    let path = core.display().to_string();
    let mut args = vec!["core", path.as_str(), "-q"];
    args.extend(extra);
    let run = Pydbg::run(&args, commands);
    String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr)
}

/// The lines of the fixture around `baz` as `py-list` shows them, from `first` to `last`.
fn listing(first: usize, last: usize, current: usize) -> String {
    let source = std::fs::read_to_string(fixtures().join("gdb_cases.py")).expect("the fixture");
    let lines = source.lines().enumerate().skip(first - 1);
    lines
        .take(last + 1 - first)
        .map(|(index, line)| match index + 1 == current {
            true => format!("{:>4}    {line}\n", format!(">{}", index + 1)),
            false => format!("{:>4}    {line}\n", index + 1),
        })
        .collect()
}

/// The line where `baz` blocks.
fn innermost() -> usize {
    let source = std::fs::read_to_string(fixtures().join("gdb_cases.py")).expect("the fixture");
    let mut lines = source.lines();
    let function = lines.position(|line| line.starts_with("def baz"));
    function.expect("baz") + 2
}

#[test]
fn commands_do_what_those_of_libpython_do() {
    let line = innermost();
    let (around, from) = (
        listing(line - 5, line + 4, line),
        listing(line - 1, line + 8, line),
    );
    let two = listing(1, 3, line);
    let by_two = ["py-up"; 2];
    let far = ["py-up"; 9];
    let down = ["py-down", "py-down"];
    let up_down = ["py-up", "py-up", "py-down"];
    let list_from = format!("py-list {}", line - 1);
    let cases: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (
            vec!["py-bt"],
            vec![
                "Traceback (most recent call first):\n",
                "gdb_cases.py\", line ",
                ", in baz\n    BLOCK()\n",
                ", in bar\n    baz(a, b, c)\n",
                ", in foo\n    bar(a=a, b=b, c=c)\n",
                ", in main\n    foo(1, 2, 3)\n",
                ", in <module>\n    main()\n",
            ],
        ),
        (
            vec!["py-bt-full"],
            vec![
                "\n    args = (1, 2, 3)\n  File ",
                ", in bar\n    baz(a, b, c)\n",
                "\n    a = 1\n    b = 2\n    c = 3\n  File ",
            ],
        ),
        (vec!["py-list"], vec![&around]),
        (vec![&list_from], vec![&from]),
        (vec!["py-list 1,3"], vec![&two]),
        (by_two.to_vec(), vec![" bar (", " foo ("]),
        (up_down.to_vec(), vec![" bar (", " foo ("]),
        (down.to_vec(), vec!["Unable to find a newer python frame\n"]),
        (far.to_vec(), vec!["Unable to find an older python frame\n"]),
        (vec!["py-locals"], vec!["\nargs = (1, 2, 3)\n"]),
        (vec!["py-up", "py-locals"], vec!["\na = 1\nb = 2\nc = 3\n"]),
        (
            vec!["py-up", "py-up", "py-locals"],
            vec!["\na = 1\nb = 2\nc = 3\n"],
        ),
    ];
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "gdb_cases", &[]);
        let core = fixture.kernel_core();
        let extra = interpreter.sysroot();
        for (commands, wanted) in &cases {
            let shown = text(&core, &extra, commands);
            let missing = wanted.iter().find(|wanted| !shown.contains(**wanted));
            let result = missing.map_or(Ok(()), |piece| Err(format!("{piece:?} not in:\n{shown}")));
            failures.check(&format!("{} {commands:?}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn values_are_printed_as_python_prints_them_and_damage_does_no_harm() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "gdb_cases", &[]);
        let truth = fixture.truth.probes["cases"].clone();
        let core = fixture.kernel_core();
        let path = core.display().to_string();
        let mut args = vec!["core", path.as_str(), "--json", "-q"];
        args.extend(interpreter.sysroot());
        // Like libpython, which cuts only the whole.
        let commands = ["set print elements 0", "py-bt -l all"];
        let answer = Pydbg::run(&args, &commands).document(commands[1]);
        let wrong = answer.map_or_else(|why| vec![why], |answer| compare(&answer["data"], &truth));
        failures.check(&interpreter.id, Ok(()));
        for why in wrong {
            failures.check(&interpreter.id, Err(why));
        }
    }
    failures.finish();
}

/// What is wrong with the variables of `values`.
fn compare(data: &Value, truth: &Value) -> Vec<String> {
    let threads = data["threads"].as_array().into_iter().flatten();
    let mut frames = threads.flat_map(|thread| thread["frames"].as_array().into_iter().flatten());
    let Some(frame) = frames.find(|frame| frame["function"] == "values") else {
        return vec!["the frame of values is not shown".into()];
    };
    let variables = frame["variables"].as_array().cloned().unwrap_or_default();
    let shown = |name: &str| {
        let mut variables = variables.iter();
        variables.find(|variable| variable["name"] == *name)
    };
    let mut wrong = Vec::new();
    for (name, known) in truth["cases"].as_object().into_iter().flatten() {
        let Some(variable) = shown(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let repr = variable["value"]["repr"].as_str().unwrap_or_default();
        if known["repr"].as_str().is_some_and(|known| known != repr) {
            wrong.push(format!("{name} = {repr}\n    Python: {}", known["repr"]));
        }
        for piece in known["contains"].as_array().into_iter().flatten() {
            if !repr.contains(piece.as_str().unwrap_or_default()) {
                wrong.push(format!("{name} = {repr}\n    lacks {piece}"));
            }
        }
    }
    for name in truth["damaged"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        match shown(name).and_then(|variable| variable["value"]["repr"].as_str()) {
            Some(repr) if !repr.is_empty() => {}
            other => wrong.push(format!("{name} = {other:?}")),
        }
    }
    wrong
}
