//! Bytecode of every kind is shown as Python's own `dis` shows it, live and from a kernel core.

use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::dis::{Argument, Instruction};
use pydbg::python::value::Limits;
use pydbg::target::{self, Options, Target};
use serde_json::{Value, json};
use std::sync::Arc;

/// Holds one instruction against `[offset, name, argument, value]`.
fn compare(python: &Python, seen: &Instruction, truth: &Value) -> Result<(), String> {
    let shown = json!([seen.offset, seen.name, seen.argument]);
    if shown.as_array().map(Vec::as_slice) != truth.as_array().and_then(|truth| truth.get(..3)) {
        return Err(format!("{shown} is {truth}"));
    }
    let value = match &seen.meaning {
        Argument::Number => Value::Null,
        Argument::Constant(at) => python.objects.show(*at, Limits::NONE).text.into(),
        Argument::Word(word) => word.clone().into(),
        Argument::Target(target) => (*target).into(),
    };
    match truth[3].is_null() || truth[3] == value {
        true => Ok(()),
        false => Err(format!("{shown} with {value} is {truth}")),
    }
}

fn check(target: Target, truth: &Value, how: &str, failures: &mut Failures) {
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = match Python::find(process) {
        Ok(python) => python,
        Err(why) => return failures.check(how, Err(why.to_string())),
    };
    let objects = &python.objects;
    let codes = python
        .module("__main__")
        .and_then(|namespace| objects.dict_get(namespace, "CODES").ok()?)
        .and_then(|codes| objects.dict_items(codes).ok())
        .unwrap_or_default();
    let all = truth.as_object().map_or(0, serde_json::Map::len);
    let result = (codes.len() == all && all > 50).then_some(());
    failures.check(how, result.ok_or(format!("{} of {all} codes", codes.len())));
    for (name, code) in codes {
        let name = objects
            .text(name, 200)
            .map_or(String::new(), |text| text.value);
        let result = python.disassemble(code, -1).and_then(|shown| {
            let truth = truth[&name].as_array().cloned().unwrap_or_default();
            for (seen, truth) in shown.instructions.iter().zip(&truth) {
                compare(&python, seen, truth)?;
            }
            match (shown.instructions.len() == truth.len(), shown.problem) {
                (true, None) => Ok(()),
                (_, why) => Err(format!(
                    "{} of {}: {why:?}",
                    shown.instructions.len(),
                    truth.len()
                )),
            }
        });
        failures.check(&format!("{how} {name}"), result);
    }
}

/// What `py-dis` says of the frame that waits: it is at one instruction, of its current line.
fn check_command(pid: i32, how: &str, failures: &mut Failures) {
    let result = Pydbg::live(pid, &[], "py-dis").and_then(|answer| {
        let listed = answer["data"]["instructions"].as_array();
        let listed = listed.ok_or_else(|| format!("no instructions: {answer}"))?;
        let current = listed.iter().filter(|one| one["current"] == true);
        let current: Vec<&Value> = current.collect();
        match current.as_slice() {
            [one] if one["line"].is_number() && one["opcode"].is_string() => Ok(()),
            other => Err(format!("current: {other:?}")),
        }
    });
    failures.check(how, result);
}

#[test]
fn bytecode_is_shown_as_dis_shows_it() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "bytecode", &[]);
        let truth = fixture.truth.probes["bytecode"].clone();
        let id = &interpreter.id;
        match target::live::attach(fixture.pid(), &Options::default()) {
            Ok(live) => check(live, &truth, &format!("{id} live"), &mut failures),
            Err(why) => failures.check(id, Err(why.to_string())),
        }
        check_command(fixture.pid(), &format!("{id} py-dis"), &mut failures);
        match target::core::open(&fixture.kernel_core(), &interpreter.options()) {
            Ok(core) => check(core, &truth, &format!("{id} kernel"), &mut failures),
            Err(why) => failures.check(id, Err(why.to_string())),
        }
    }
    failures.finish();
}
