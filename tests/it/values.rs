//! Every value of the fixture `values` is written as Python itself writes it, live and from cores.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::value::Limits;
use pydbg::target::{self, Options, Target};
use serde_json::Value;
use std::sync::Arc;

/// Holds each value of `__main__.VALUES` against the fixture's truth.
fn compare(target: Target, truth: &Value, how: &str, failures: &mut Failures) {
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = match Python::find(process) {
        Ok(python) => python,
        Err(why) => return failures.check(how, Err(why.to_string())),
    };
    let objects = &python.objects;
    let values = python
        .module("__main__")
        .and_then(|namespace| objects.dict_get(namespace, "VALUES").ok()?)
        .and_then(|values| objects.dict_items(values).ok());
    let Some(values) = values else {
        return failures.check(how, Err("VALUES is not found".into()));
    };
    let limits = Limits {
        attributes: false,
        ..Limits::NONE
    };
    let mut seen = 0;
    for (name, value) in values {
        let Ok(name) = objects.text(name, 200) else {
            failures.check(how, Err("the name of a value cannot be read".into()));
            continue;
        };
        let Some(expected) = truth[&name.value].as_str() else {
            continue;
        };
        seen += 1;
        let shown = objects.show(value, limits);
        let result = match shown.text == expected {
            true => Ok(()),
            false => Err(format!("{}\n    Python: {expected}", shown.text)),
        };
        failures.check(&format!("{how} {}", name.value), result);
    }
    let all = truth.as_object().map_or(0, serde_json::Map::len);
    let result = (seen == all && all > 0).then_some(());
    failures.check(
        how,
        result.ok_or(format!("{seen} of {all} values were seen")),
    );
}

/// Holds what a fixture with `VALUES` leaves against its truth, live and from both kinds of core.
pub(crate) fn check_all(interpreter: &Interpreter, fixture: &str, failures: &mut Failures) {
    let mut fixture = Fixture::start(&interpreter.for_gcore(), fixture, &[]);
    let truth = fixture.truth.probes["values"].clone();
    let options = interpreter.options();
    let id = &interpreter.id;
    match target::live::attach(fixture.pid(), &Options::default()) {
        Ok(live) => compare(live, &truth, &format!("{id} live"), failures),
        Err(why) => failures.check(id, Err(why.to_string())),
    }
    for (how, core) in [
        ("gcore", fixture.gcore()),
        ("kernel", fixture.kernel_core()),
    ] {
        match target::core::open(&core, &options) {
            Ok(core) => compare(core, &truth, &format!("{id} {how}"), failures),
            Err(why) => failures.check(id, Err(why.to_string())),
        }
    }
}

#[test]
fn every_value_is_written_as_python_writes_it() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        check_all(interpreter, "values", &mut failures);
    }
    failures.finish();
}
