//! What an object refers to against what the garbage collector is told of it.

use crate::harness::list;
use crate::harness::{Failures, Fixture, interpreters};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::object::Completeness;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One object: nothing is missing, and nothing is too much but its class.
fn compare(python: &Python, told: &Value) -> Result<(), String> {
    let name = told[0].as_str().unwrap_or_default();
    let mut found = BTreeSet::new();
    let addr = Addr(told[1].as_u64().unwrap_or(0));
    let complete = python.objects.referents(addr, &mut |referent| {
        found.insert(referent.0);
        ControlFlow::Continue(())
    });
    if complete != Ok(Completeness::Whole) {
        return Err(format!("{name}: {complete:?}"));
    }
    let truth: BTreeSet<u64> = list(&told[2]).iter().filter_map(Value::as_u64).collect();
    let missing: Vec<_> = truth.difference(&found).collect();
    let mut more = found.difference(&truth);
    let known = |addr: &u64| Some(*addr) == told[3].as_u64();
    // The collector is not told of what has no references, and some values are shared.
    let idle = |addr: &u64| {
        let ty = python.objects.type_of(Addr(*addr));
        ty.is_ok_and(|ty| python.objects.is_leaf(&ty))
    };
    let strict = !name.ends_with('+');
    match more.find(|addr| strict && !known(addr) && !idle(addr)) {
        _ if !missing.is_empty() => Err(format!("{name}: {missing:x?} are missing")),
        Some(extra) => Err(format!("{name}: {extra:#x} is too much")),
        None => Ok(()),
    }
}

#[test]
fn referents_are_those_that_the_collector_is_told() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "referents", &[]);
        let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
        let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
        for told in list(&fixture.truth.expect["referents"]) {
            failures.check(&interpreter.id, compare(&python, told));
        }
    }
    failures.finish();
}
