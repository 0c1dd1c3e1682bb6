//! What `info threads` says that each thread is doing equals what the thread itself said before
//! it did it, and identical stacks are shown once: live, on gcore cores and on kernel cores.

use crate::harness::truth::TruthThread;
use crate::harness::{Fixture, Interpreter, Pydbg, Truth, interpreters};
use crate::stacks::{self, Also};
use serde_json::Value;

/// Holds the answers to `command` against `check` in all views of a fixture, and its stacks with
/// them.
fn check_views(
    name: &str,
    command: &str,
    check: impl Fn(&Interpreter, &Truth, &Value) -> Result<(), String>,
) {
    let check = &check;
    stacks::check(name, Some(&Also { command, check }));
}

/// The kinds that fit what a thread said.
fn expected(thread: &TruthThread) -> Option<Vec<&str>> {
    if let Some(doing) = &thread.doing {
        return Some(vec![doing]);
    }
    let kinds = match thread.waits.as_deref() {
        Some("lock" | "queue" | "event" | "condition") => vec!["waiting-for-lock"],
        Some("sleep") => vec!["sleeping"],
        Some("read") => vec!["reading"],
        Some("select") => vec!["polling"],
        _ => match thread.waits_in["syscall"][0].as_str()? {
            "wait4" => vec!["waiting-for-child"],
            "accept4" => vec!["connecting"],
            "recvfrom" | "read" => vec!["reading"],
            "write" => vec!["writing"],
            _ => return None,
        },
    };
    Some(kinds)
}

fn says_what_threads_do(
    interpreter: &Interpreter,
    truth: &Truth,
    data: &Value,
) -> Result<(), String> {
    let empty = Vec::new();
    let threads = data["threads"].as_array().unwrap_or(&empty);
    let mut checked = 0;
    for thread in &truth.threads {
        let ident = format!("{:#x}", thread.ident);
        let is_it = |shown: &&Value| {
            let same = thread
                .interpreter
                .is_none_or(|id| shown["interpreter"] == id);
            shown["ident"].as_str() == Some(&ident) && same
        };
        let doing = &threads.iter().find(is_it).ok_or("a thread is missing")?["doing"];
        if let Some(kinds) = expected(thread) {
            checked += 1;
            if !kinds.iter().any(|kind| doing["kind"] == *kind) {
                return Err(format!("{:?}: {doing}, truth {kinds:?}", thread.name));
            }
        }
        if let Some(within) = &thread.within {
            let shown: Vec<&str> = doing["within"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .filter_map(Value::as_str)
                .collect();
            // Without symbols it may not be known, but what is said must be true.
            let true_at_least = shown.iter().all(|word| within.iter().any(|w| w == word));
            let fits = interpreter.has("stripped") && true_at_least;
            if shown != *within && !fits {
                return Err(format!("{:?}: {doing}, truth {within:?}", thread.name));
            }
        }
    }
    match checked {
        0 => Err("no thread told what it does".into()),
        _ => Ok(()),
    }
}

macro_rules! doing {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check_views(stringify!($name), "info threads", says_what_threads_do); })*
    };
}

doing! { collecting exiting in_c signal_handler subprocess_wait }

#[test]
fn threads() {
    check_views("threads", "info threads", |interpreter, truth, data| {
        says_what_threads_do(interpreter, truth, data)?;
        says_how_long_sleeps_take(data)
    });
}

#[test]
fn who_wants_the_gil_waits_for_it() {
    check_views("spin", "info threads", |_, truth, data| {
        let empty = Vec::new();
        let threads = data["threads"].as_array().unwrap_or(&empty);
        let wanted = truth.expect["gil_wanted_by"].as_array().unwrap_or(&empty);
        let holder = threads.iter().find(|thread| thread["holds_gil"] == true);
        for name in wanted {
            let thread = threads.iter().find(|thread| thread["name"] == *name);
            let doing = &thread.ok_or("a thread is missing")?["doing"];
            // One of them may have the GIL at this very moment; without a GIL all may run.
            if let Some(holder) = holder.filter(|holder| holder["name"] != *name) {
                let says = format!("waiting for the GIL, which thread {} holds", holder["id"]);
                if doing["kind"] == "waiting-for-gil" && doing["text"] != says.as_str() {
                    return Err(format!("{doing} is not {says}"));
                }
            }
        }
        let spins = threads.iter().find(|thread| thread["name"] == "spinner");
        let doing = &spins.ok_or("the spinner is missing")?["doing"]["kind"];
        match doing.as_str() {
            Some("running-python" | "running-c" | "waiting-for-gil") => Ok(()),
            _ => Err(format!("the spinner is {doing}")),
        }
    });
}

/// Sleeps that still take long say so.
fn says_how_long_sleeps_take(data: &Value) -> Result<(), String> {
    let empty = Vec::new();
    let threads = data["threads"].as_array().unwrap_or(&empty);
    let sleeps = |thread: &&Value| thread["doing"]["kind"] == "sleeping";
    let odd = |text: &str| {
        let left = text
            .strip_prefix("sleeping ")
            .and_then(|text| text.strip_suffix(" s more"));
        match left.map(str::parse::<f64>) {
            Some(Ok(left)) => !(880.0..=1000.0).contains(&left),
            _ => !(text.starts_with("sleeping until ") && text.ends_with("the monotonic clock")),
        }
    };
    let mut sleepers = threads.iter().filter(sleeps).peekable();
    sleepers.peek().ok_or("nobody sleeps")?;
    let text = |thread: &Value| thread["doing"]["text"].as_str().unwrap_or("").to_owned();
    match sleepers.map(text).find(|text| odd(text)) {
        Some(text) => Err(text),
        None => Ok(()),
    }
}

/// Holds the words said of each thread against those that `kernel_waits` wants said. A file
/// descriptor has a name only in a live process.
fn says_on_what_threads_wait(_: &Interpreter, truth: &Truth, data: &Value) -> Result<(), String> {
    let empty = serde_json::Map::new();
    let threads = data["threads"].as_array().map_or(&[][..], Vec::as_slice);
    let is = |thread: &Value, name: &str| thread["name"] == name;
    let reads = threads.iter().find(|thread| is(thread, "read"));
    let reads = reads.and_then(|thread| thread["doing"]["text"].as_str());
    let live = reads.is_some_and(|text| text.contains("pipe:["));
    for (name, wanted) in truth.expect["says"].as_object().unwrap_or(&empty) {
        let thread = threads.iter().find(|thread| is(thread, name));
        let doing = &thread.ok_or_else(|| format!("{name} is missing"))?["doing"];
        let words = wanted[if live { 1 } else { 2 }].as_str().unwrap_or("?");
        let text = doing["text"].as_str().unwrap_or_default();
        if doing["kind"] != wanted[0] || !text.contains(words) {
            return Err(format!("{name}: {doing}, truth {wanted}"));
        }
    }
    Ok(())
}

#[test]
fn waits_in_the_kernel_are_said_in_words() {
    check_views("kernel_waits", "info threads", says_on_what_threads_wait);
}

#[test]
fn who_waits_for_a_lock_is_told_whose_it_is() {
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "deadlocks", &["ring"]);
        let id = &interpreter.id;
        let answer = Pydbg::live(fixture.pid(), &[], "info threads").expect(id);
        let threads = answer["data"]["threads"]
            .as_array()
            .expect("threads")
            .clone();
        let of = |name: &str| {
            let thread = threads.iter().find(|thread| thread["name"] == name);
            thread.cloned().expect("a thread")
        };
        for (waiter, lock, holder) in [
            ("one", "b", "two"),
            ("two", "c", "three"),
            ("three", "a", "one"),
            ("four", "a", "one"),
        ] {
            let waits = &of(waiter)["waits_for"];
            assert_eq!(waits["kind"], "lock", "{id}: {waits}");
            assert_eq!(waits["name"], lock, "{id}: {waits}");
            assert_eq!(waits["owner"]["thread"], of(holder)["id"], "{id}: {waits}");
        }
        assert!(of("MainThread")["waits_for"].is_null(), "{id}");
        let pid = fixture.pid().to_string();
        let run = Pydbg::run(&["attach", &pid, "-q"], &["info threads"]);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let says = format!("waiting for b, which thread {} holds", of("two")["id"]);
        assert!(text.contains(&says), "{id}: {text}");
    }
}

fn interpreters_are_told_apart(_: &Interpreter, truth: &Truth, data: &Value) -> Result<(), String> {
    let empty = Vec::new();
    let shown = data["interpreters"].as_array().unwrap_or(&empty);
    let wanted = truth.expect["interpreters"].as_array().unwrap_or(&empty);
    if shown.len() != wanted.len() {
        return Err(format!(
            "{} interpreters, truth {}",
            shown.len(),
            wanted.len()
        ));
    }
    let alone = |of: &Value| {
        wanted
            .iter()
            .filter(|other| other["own_gil"] != true)
            .all(|o| o["id"] == of["id"])
    };
    for interpreter in wanted {
        let found = shown.iter().find(|shown| shown["id"] == interpreter["id"]);
        let found = found.ok_or_else(|| format!("interpreter {} is missing", interpreter["id"]))?;
        let shares = !found["shares_gil_with"]
            .as_array()
            .unwrap_or(&empty)
            .is_empty();
        // The main interpreter's GIL is its own until another one without its own shares it.
        let truly = match interpreter["id"] == 0 {
            true => !alone(interpreter),
            false => interpreter["own_gil"] != true,
        };
        if shares != truly {
            return Err(format!("{interpreter}: shown {}", found["shares_gil_with"]));
        }
    }
    Ok(())
}

#[test]
fn interpreters_of_python() {
    check_views(
        "subinterpreters",
        "info interpreters",
        interpreters_are_told_apart,
    );
}

#[test]
fn interpreters_of_a_c_program() {
    check_views("embedded", "info interpreters", interpreters_are_told_apart);
}

#[test]
fn same_stacks_are_shown_once() {
    let all = interpreters();
    let interpreter = all
        .iter()
        .find(|i| !i.is_chroot() && i.version >= (3, 0))
        .or(all.first())
        .expect("an interpreter");
    let fixture = Fixture::start(interpreter, "many_threads", &["64", "6"]);
    for command in [
        "py-bt -m",
        "bt -m",
        "thread apply all -m py-bt",
        "thread apply all bt -m",
    ] {
        let answer = Pydbg::live(fixture.pid(), &[], command).expect("an answer");
        let groups = answer["data"]["groups"].as_array().expect("groups").clone();
        let ids = |group: &Value| group["threads"].as_array().map_or(0, Vec::len);
        let counts: Vec<usize> = groups.iter().map(ids).collect();
        assert_eq!(counts.iter().sum::<usize>(), 65, "{command}: {counts:?}");
        assert!(counts.contains(&64), "{command}: {counts:?}");
    }
    let pid = fixture.pid().to_string();
    let run = Pydbg::run(&["attach", &pid, "-q"], &["py-bt -m"]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.contains("Threads 2-65 (64 threads):"), "{text}");
}

#[test]
fn deep_recursion_is_folded() {
    for interpreter in interpreters() {
        let depth = match interpreter.version >= (3, 11) {
            true => 200_000,
            false => 20_000,
        };
        let words = depth.to_string();
        for functions in ["3", "1"] {
            let fixture = Fixture::start(interpreter, "deep", &[&words, functions]);
            let pid = fixture.pid().to_string();
            let deep = fixture
                .truth
                .threads
                .iter()
                .find(|t| t.name.as_deref() == Some("deep"));
            let deep = deep.expect("the deep thread");
            let run = Pydbg::run(&["attach", &pid, "-q"], &["thread apply 2 py-bt"]);
            let text = String::from_utf8_lossy(&run.stdout).into_owned();
            let fold = match functions {
                "3" => " more frames of the same 3 functions)",
                _ => " more times]",
            };
            let id = &interpreter.id;
            assert!(text.contains(fold), "{id}: {text:.2000}");
            assert!(text.lines().count() < 200, "{id}: {text:.2000}");
            let answer = Pydbg::live(fixture.pid(), &[], "thread apply 2 py-bt 50").expect(id);
            let frames = answer["data"]["threads"][0]["frames"].clone();
            for (at, truth) in deep.frames.iter().enumerate() {
                let (function, line) = (&frames[at]["function"], &frames[at]["line"]);
                assert_eq!(
                    function.as_str(),
                    Some(&*truth.function),
                    "{id}: frame {at}"
                );
                assert_eq!(line.as_i64(), truth.line, "{id}: frame {at}");
            }
        }
    }
}
