//! What `signal` says of each way to die, against what the fixture `crash` did; and that there is
//! nothing to say where no signal ended the process.

use crate::harness::fixture::header;
use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use serde_json::Value;

/// Ways that depend on the interpreter, or on the C library that it runs with, and are tried on
/// every one. Each other way is tried on every third interpreter.
const EVERYWHERE: &[&str] = &[
    "",
    "recursion-thread",
    "recursion-python",
    "recursion-callback",
    "assertion",
    "killed",
];

/// The kinds of truth that are one value each.
fn facts(crash: &Value, truth: &Value) -> Vec<(&'static str, Value, Value)> {
    let address = &truth["address"];
    let by_call = !crash["caller"].is_null();
    let location = if by_call { "caller" } else { "location" };
    let accesses = crash["instruction"]["accesses"].as_array();
    let access = accesses
        .into_iter()
        .flatten()
        .find(|access| access["address"] == crash["address"]);
    let access = access.unwrap_or(&Value::Null);
    let did = match (access["reads"].as_bool(), access["writes"].as_bool()) {
        (Some(true), Some(false)) => "reads",
        (Some(false), Some(true)) => "writes",
        _ => "neither",
    };
    let mut facts = vec![(
        "kind",
        crash["meaning"]["kind"].clone(),
        truth["kind"].clone(),
    )];
    let mut fact = |name, shown: Value, truth: &Value| {
        if !truth.is_null() {
            facts.push((name, shown, truth.clone()));
        }
    };
    fact("address", crash["address"].clone(), address);
    fact(
        "function",
        crash[location]["function"].clone(),
        &truth["function"],
    );
    fact("access", did.into(), &truth["access"]);
    fact("size", access["size"].clone(), &truth["size"]);
    fact(
        "sender",
        crash["signal"]["sender"].clone(),
        &truth["sender"],
    );
    fact("uid", crash["signal"]["sender_uid"].clone(), &truth["uid"]);
    facts
}

fn is_true(answer: &Value, truth: &Value) -> Result<(), String> {
    let crash = &answer["data"]["crash"];
    for (name, shown, truth) in facts(crash, truth) {
        if shown != truth {
            return Err(format!("{name}: shown {shown}, truth {truth}; {crash}"));
        }
    }
    let holds = |text: &Value, part: &Value| match part.as_str() {
        Some(part) => text.to_string().contains(part),
        None => true,
    };
    if !holds(&crash["message"], &truth["message"]) || !holds(&crash["hints"], &truth["hint"]) {
        return Err(format!("message or hint: {crash}"));
    }
    for function in truth["recursion"].as_array().into_iter().flatten() {
        let repeated = crash["recursion"]["functions"].as_array();
        let is_it = |shown: &&Value| {
            // Before 3.11 code has no qualified name.
            let name = function[0].as_str().unwrap_or_default();
            let short = name.rsplit('.').next();
            let named = shown["name"] == name || shown["name"].as_str() == short;
            named && shown["python"] == function[1]
        };
        let found = repeated.into_iter().flatten().find(is_it);
        if found.is_none_or(|found| found["count"].as_u64() < Some(20)) {
            return Err(format!("{function} is not in {}", crash["recursion"]));
        }
    }
    Ok(())
}

#[test]
fn each_way_to_die_is_told_apart() {
    let mut failures = Failures::default();
    let ways = header("crash").expect("a fixture").variants;
    for (turn, way) in ways.iter().enumerate() {
        let name = way.first().map_or("", String::as_str);
        for (index, interpreter) in interpreters().iter().enumerate() {
            if !EVERYWHERE.contains(&name) && index % 3 != turn % 3 && interpreters().len() > 5 {
                continue;
            }
            let Some(mut fixture) = Fixture::start_or_skip(interpreter, "crash", way) else {
                continue;
            };
            let core = fixture.kernel_core();
            let answer = Pydbg::core(&core, &interpreter.sysroot(), "signal");
            let result = answer.and_then(|answer| is_true(&answer, &fixture.truth.expect));
            failures.check(&format!("{way:?} on {}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn where_there_is_no_signal_nothing_is_explained() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().take(2) {
        let fixture = Fixture::start(interpreter, "deep_recursion", &["3"]);
        let live = Pydbg::live(fixture.pid(), &[], "signal");
        let core = Pydbg::core(&fixture.gcore(), &[], "signal");
        for (how, answer, is_live) in [("live", live, true), ("gcore", core, false)] {
            let result = answer.and_then(|answer| {
                let data = &answer["data"];
                let right = data["crash"].is_null() && data["live"] == is_live;
                right.then_some(()).ok_or(data.to_string())
            });
            failures.check(&format!("{} {how}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn the_text_has_the_instruction_in_either_syntax() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().take(1) {
        let mut fixture = Fixture::start(interpreter, "crash", &[]);
        let core = fixture.kernel_core();
        let path = core.to_str().expect("UTF-8");
        let run = Pydbg::run(&["core", path, "-q"], &["signal", "info signal --intel"]);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        for wanted in [
            "Program terminated with signal SIGSEGV, Segmentation fault.",
            "mov 0x18(%rax),%eax",
            "mov eax,[rax+0x18]",
            "reads 4 bytes at 0x18 (rax + 0x18)",
            "Meaning: a read of 0x18: a NULL pointer's field at offset 24.",
        ] {
            let there = text.contains(wanted);
            let result = there
                .then_some(())
                .ok_or(format!("{wanted} missing in:\n{text}"));
            failures.check(&interpreter.id, result);
        }
    }
    failures.finish();
}
