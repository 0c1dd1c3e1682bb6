//! All objects by type against a census that the process took of itself.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::heap::Census;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects and bytes by the name of the type.
type Counts = BTreeMap<String, (u64, u64)>;

/// What the process counted.
fn truth(expect: &Value) -> Counts {
    let types = expect["types"].as_object().expect("types");
    let row = |(name, row): (&String, &Value)| {
        let number = |at: usize| row[at].as_u64().expect("a number");
        (name.clone(), (number(0), number(1)))
    };
    types.iter().map(row).collect()
}

fn found(target: Target) -> (Counts, u64) {
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let census = Census::of_collector(&python);
    let mut counts = Counts::new();
    for row in &census.types {
        let row_of = counts.entry(row.name.to_string()).or_default();
        row_of.0 += row.count;
        row_of.1 += row.bytes;
    }
    (counts, census.dangling)
}

fn compare(truth: &Counts, found: &Counts) -> Result<(), String> {
    let mut wrong = Vec::new();
    let names: std::collections::BTreeSet<&String> = truth.keys().chain(found.keys()).collect();
    for name in names {
        let (told, counted) = (truth.get(name), found.get(name));
        if told != counted {
            wrong.push(format!("{name}: {counted:?}, truth {told:?}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{} types: {}", wrong.len(), wrong.join("; "))),
    }
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "census", &["mixed"]);
    let truth = truth(&fixture.truth.expect);
    let id = &interpreter.id;
    let options = interpreter.options();
    let live = target::live::attach(fixture.pid(), &options).expect("attach");
    let (counts, dangling) = found(live);
    failures.check(&format!("{id} live"), compare(&truth, &counts));
    failures.check(
        &format!("{id} live"),
        match dangling {
            0 => Ok(()),
            n => Err(format!("{n} dangling")),
        },
    );
    let core = target::core::open(&fixture.kernel_core(), &options).expect("the core");
    let (counts, _) = found(core);
    failures.check(&format!("{id} core"), compare(&truth, &counts));
}

#[test]
fn every_object_is_counted_once_with_its_size() {
    Failures::together(interpreters(), check).finish();
}
