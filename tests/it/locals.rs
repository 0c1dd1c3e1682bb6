//! The variables of every frame equal what Python's own `f_locals` and code objects say: on each
//! interpreter, live, on a gcore core and on a kernel core.

use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use serde_json::{Map, Value};

/// Nothing is cut, so that values can be compared as they are.
const WHOLE: [&str; 3] = [
    "set print repr-limit 0",
    "set print elements 0",
    "set print attributes off",
];

const COMMAND: &str = "py-bt -l all";

fn answer(target: &[&str]) -> Result<Value, String> {
    let args = [target, &["--json", "-q"]].concat();
    Pydbg::run(&args, &[&WHOLE[..], &[COMMAND]].concat()).document(COMMAND)
}

#[test]
fn variables_are_those_that_python_has() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(&interpreter.for_gcore(), "locals", &[]);
        let truth = fixture.truth.probes["locals"].clone();
        let sysroot = interpreter.sysroot();
        let mut check = |how: &str, answer: Result<Value, String>| {
            let wrong = answer.map_or_else(|why| vec![why], |answer| compare(&answer, &truth));
            let what = format!("{} {how}", interpreter.id);
            failures.check(&what, Ok(()));
            for why in wrong {
                failures.check(&what, Err(why));
            }
        };
        let pid = fixture.pid().to_string();
        check("live", answer(&["attach", &pid]));
        // Without other settings the process runs on while its copy is looked at.
        check("copied", Pydbg::live(fixture.pid(), &[], COMMAND));
        for (how, core) in [
            ("gcore", fixture.gcore()),
            ("kernel", fixture.kernel_core()),
        ] {
            let core = core.display().to_string();
            let target = [&["core", core.as_str()], sysroot.as_slice()].concat();
            check(how, answer(&target));
        }
    }
    failures.finish();
}

/// What differs. A gcore core may lack frames; those that are shown must be in the truth.
fn compare(answer: &Value, truth: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let threads = answer["data"]["threads"].as_array();
    let (mut frames_seen, mut values_seen) = (0, 0);
    for thread in threads.into_iter().flatten() {
        let ident = thread["ident"].as_str().unwrap_or_default();
        let ident = u64::from_str_radix(ident.trim_start_matches("0x"), 16).unwrap_or(0);
        let mut truths = truth[ident.to_string()].as_array().into_iter().flatten();
        for frame in thread["frames"].as_array().into_iter().flatten() {
            let function = &frame["function"];
            let Some(truth) = truths.find(|truth| truth["function"] == *function) else {
                wrong.push(format!("{} {function} is not in the truth", thread["name"]));
                break;
            };
            frames_seen += 1;
            for why in compare_frame(frame, truth, &mut values_seen) {
                wrong.push(format!("{} {function}: {why}", thread["name"]));
            }
        }
    }
    if frames_seen < 60 || values_seen < 100 {
        wrong.push(format!(
            "only {frames_seen} frames, {values_seen} values were seen"
        ));
    }
    wrong
}

fn compare_frame(frame: &Value, truth: &Value, values_seen: &mut usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let empty = Map::new();
    let truths = truth["variables"].as_object().unwrap_or(&empty);
    let shown = frame["variables"].as_array().cloned().unwrap_or_default();
    for name in truths.keys() {
        let left_out = truth["module"] == true && name.starts_with("__");
        if !left_out && !shown.iter().any(|variable| variable["name"] == **name) {
            wrong.push(format!("{name} is missing"));
        }
    }
    let mut locals = false;
    for variable in &shown {
        let name = variable["name"].as_str().unwrap_or_default();
        let Some(known) = truths.get(name) else {
            if truth["whole"] == true || variable["kind"] != "namespace" {
                wrong.push(format!("{name} is not in the truth"));
            }
            continue;
        };
        for key in ["kind", "argument", "bound"] {
            if !known[key].is_null() && variable[key] != known[key] {
                wrong.push(format!(
                    "{name}: {key} is {}, not {}",
                    variable[key], known[key]
                ));
            }
        }
        if let Some(expected) = known["address"].as_str() {
            let address = &variable["value"]["address"];
            if address != expected {
                wrong.push(format!("{name} is at {address}, not {expected}"));
            }
        }
        let whole = variable["value"]["cut"] == false;
        if let Some(expected) = known["repr"].as_str().filter(|_| whole) {
            *values_seen += 1;
            let repr = &variable["value"]["repr"];
            if repr != expected {
                wrong.push(format!("{name} = {repr}, not {expected}"));
            }
        }
        let argument = variable["argument"] == true;
        if argument && locals {
            wrong.push(format!("{name} stands behind a local variable"));
        }
        locals |= !argument;
    }
    if let Some(problem) = frame["variables_problem"].as_str() {
        wrong.push(problem.to_owned());
    }
    wrong
}
