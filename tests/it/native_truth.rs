//! Native stacks and the merged order against the truth: where a crash in C happened and why, which
//! C functions lie between Python ones, which threads have no Python at all.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, Truth, interpreters, list};
use serde_json::Value;

/// The number of the signal that a division by zero ends in.
const SIGFPE: i32 = 8;

/// `command` on the kernel core of a fixture, and before that live where it only waits.
fn views(
    fixture: &mut Fixture,
    interpreter: &Interpreter,
    commands: &[&str],
) -> Vec<(&'static str, Vec<Result<Value, String>>)> {
    let answers = |target: &[&str]| {
        let ran = Pydbg::run(&[target, &["--json", "-q"]].concat(), commands);
        commands
            .iter()
            .map(|command| ran.document(command))
            .collect()
    };
    let mut views = Vec::new();
    if fixture.truth.exit == "wait" {
        views.push(("live", answers(&["attach", &fixture.pid().to_string()])));
    }
    let core = fixture.kernel_core();
    let core = ["core", core.to_str().expect("UTF-8")];
    let options = interpreter.sysroot();
    views.push(("kernel core", answers(&[&core[..], &options[..]].concat())));
    views
}

fn base_name(path: Option<&str>) -> Option<&str> {
    path.and_then(|path| path.rsplit('/').next())
}

/// Where the C frames of the truth follow each other in `frames`; the place after the last one.
fn end_of_run(frames: &[Value], truth: &[Value]) -> Option<usize> {
    let same = |(shown, truth): (&Value, &Value)| {
        shown["type"] == "native"
            && shown["function"] == truth["function"]
            && shown["line"] == truth["line"]
            && base_name(shown["file"].as_str()) == truth["file"].as_str()
    };
    let start = frames
        .windows(truth.len())
        .position(|run| run.iter().zip(truth).all(same))?;
    Some(start + truth.len())
}

/// One stack in a few words, for messages.
fn sketch(frames: &[Value]) -> String {
    let word = |f: &Value| format!("{}:{}", f["function"].as_str().unwrap_or("?"), f["line"]);
    frames.iter().map(word).collect::<Vec<_>>().join(" < ")
}

/// The crash in `bt`, `info threads` and `info signals` is the one that the fixture caused.
fn crash_is_true(truth: &Truth, answers: &[Result<Value, String>]) -> Result<(), String> {
    let [stack, threads, signals, python] = answers else {
        return Err("four answers were asked for".into());
    };
    let (stack, threads, signals) = (stack.clone()?, threads.clone()?, signals.clone()?);
    truth.compare(&python.clone()?["data"])?;
    let expect = &truth.expect;
    let thread = truth.crashing();
    let first = &threads["data"]["threads"][0];
    if first["current"] != true || first["ident"] != format!("{:#x}", thread.ident) {
        return Err(format!("the first thread is not the crashed one: {first}"));
    }
    let frames = list(&stack["data"]["threads"][0]["frames"]);
    let signal = &signals["data"]["signal"];
    let told = (&signal["number"], &signal["code"], &signal["fault"]);
    // The address of SIGFPE is that of the instruction.
    let address = match expect["signal"] == SIGFPE {
        true => &frames.first().unwrap_or(&Value::Null)["pc"],
        false => &expect["fault_address"],
    };
    let caused = (&expect["signal"], &expect["code"], address);
    if told != caused {
        return Err(format!(
            "signal, code, address: shown {told:?}, truth {caused:?}"
        ));
    }
    if let Some(counter) = expect["program_counter"].as_str()
        && frames.first().is_none_or(|frame| frame["pc"] != counter)
    {
        return Err(format!("frame 0 is not at {counter}: {}", sketch(frames)));
    }
    let Some(end) = end_of_run(frames, list(&expect["native"])) else {
        return Err(format!("the C frames are not in {}", sketch(frames)));
    };
    let caller = frames.iter().skip(end).find(|f| f["type"] == "python");
    let (shown, true_frame) = (caller.unwrap_or(&Value::Null), &thread.frames[0]);
    let named = shown["function"] == *true_frame.function && shown["file"] == *true_frame.file;
    if !named || shown["line"].as_i64() != true_frame.line {
        return Err(format!("the caller is {shown}, truth {true_frame:?}"));
    }
    Ok(())
}

/// Runs a crashing fixture with one argument list on every interpreter.
fn crash(name: &str, arguments: &[&str]) {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let Some(mut fixture) = Fixture::start_or_skip(interpreter, name, &arguments) else {
            println!("{name} cannot run on {}", interpreter.id);
            continue;
        };
        let commands = ["bt", "info threads", "info signals", "py-bt all"];
        for (view, answers) in views(&mut fixture, interpreter, &commands) {
            let what = format!("{name} {arguments:?} {} {view}", interpreter.id);
            failures.check(&what, crash_is_true(&fixture.truth, &answers));
        }
    }
    failures.finish();
}

#[test]
fn a_read_through_a_null_pointer_to_a_struct() {
    crash("segv", &[]);
}

#[test]
fn a_write_through_a_null_pointer_to_a_struct() {
    crash("segv", &["write"]);
}

#[test]
fn a_read_of_address_zero() {
    crash("segv", &["null"]);
}

#[test]
fn a_jump_into_nowhere() {
    crash("segv", &["jump"]);
}

#[test]
fn a_call_of_abort() {
    crash("segv", &["abort"]);
}

#[test]
fn a_division_by_zero() {
    crash("segv", &["divide"]);
}

#[test]
fn a_crash_in_an_extension_module_in_a_second_thread() {
    crash("segv_extension", &[]);
}

/// Every thread that C made is listed, the ones without Python as such, each with its C functions.
fn native_threads_are_true(truth: &Truth, answer: &Value) -> Result<(), String> {
    let threads = list(&answer["data"]["threads"]);
    let only = list(&truth.expect["native_only"]);
    for expected in list(&truth.expect["native_threads"]) {
        let (id, comm) = (&expected["native_id"], &expected["comm"]);
        let Some(shown) = threads.iter().find(|t| t["tid"] == *id) else {
            return Err(format!("LWP {id} ({comm}) is not listed"));
        };
        let frames = list(&shown["frames"]);
        if end_of_run(frames, list(&expected["native"])).is_none() {
            return Err(format!("LWP {id} ({comm}): {}", sketch(frames)));
        }
        let python = frames.iter().any(|frame| frame["type"] == "python");
        if python == only.contains(id) {
            return Err(format!("LWP {id} ({comm}): has Python frames: {python}"));
        }
    }
    match threads.len() == truth.threads.len() + only.len() {
        true => Ok(()),
        false => Err(format!("{} threads are listed", threads.len())),
    }
}

#[test]
fn threads_that_c_made_are_listed_with_their_c_stacks() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "native_thread", &[]);
        for (view, answers) in views(&mut fixture, interpreter, &["thread apply all bt"]) {
            let what = format!("{} {view}", interpreter.id);
            for answer in answers {
                let result = answer.and_then(|d| native_threads_are_true(&fixture.truth, &d));
                failures.check(&what, result);
            }
        }
    }
    failures.finish();
}

/// Python frames are those of the truth in its order, and the C functions lie where it says.
fn order_is_true(truth: &Truth, answer: &Value) -> Result<(), String> {
    let thread = &answer["data"]["threads"][0];
    let frames = list(&thread["frames"]);
    let python: Vec<&Value> = frames.iter().filter(|f| f["type"] == "python").collect();
    let names = |name: &Value| name.as_str().map(str::to_owned);
    let shown: Vec<_> = python.iter().map(|f| names(&f["function"])).collect();
    let expected: Vec<_> = truth.threads[0]
        .frames
        .iter()
        .map(|f| Some(f.function.clone()))
        .collect();
    if shown != expected || thread["matched"] != true {
        return Err(format!("matched {}: {shown:?}", thread["matched"]));
    }
    for between in list(&truth.expect["between"]) {
        let at = |name: &Value| {
            frames
                .iter()
                .position(|f| f["type"] == "python" && f["function"] == *name)
        };
        let (Some(inner), Some(outer)) = (at(&between["inner"]), at(&between["outer"])) else {
            return Err(format!("{between} are not there"));
        };
        // Symbol tables may know a function by an internal alias alone, such as __GI___qsort_r.
        let plain = |name: &str| {
            let name = name.trim_start_matches("__GI_");
            name.trim_start_matches('_').to_owned()
        };
        let there = frames.iter().take(outer).skip(inner + 1).any(|f| {
            let function = f["function"].as_str().map(plain);
            list(&between["native"])
                .iter()
                .any(|n| function.as_deref() == n.as_str())
        });
        if !there {
            return Err(format!("{between} is not so in {}", sketch(frames)));
        }
    }
    Ok(())
}

#[test]
fn c_functions_lie_between_the_python_functions_they_were_called_by() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "ctypes_callback", &[]);
        for (view, answers) in views(&mut fixture, interpreter, &["bt"]) {
            let what = format!("{} {view}", interpreter.id);
            for answer in answers {
                failures.check(
                    &what,
                    answer.and_then(|d| order_is_true(&fixture.truth, &d)),
                );
            }
        }
    }
    failures.finish();
}
