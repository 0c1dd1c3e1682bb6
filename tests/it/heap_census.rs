//! All objects by type against a census that the process took of itself.

use crate::harness::{Failures, Fixture, Interpreter, census_size, interpreters};
use pydbg::Addr;
use pydbg::diag::Cancel;
use pydbg::heap::Census;
use pydbg::heap::pieces::Pieces;
use pydbg::heap::trace::{Follow, Tracer};
use pydbg::heap::tracked;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Target};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many of each kind there are.
const FEW: &str = "20";

/// The interpreter on which there are many, and how many of each kind.
const MANY: (&str, &str) = ("pyenv-3.12", "60");

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
    (counts, census.doubts.dangling)
}

fn compare(truth: &Counts, found: &Counts) -> Result<(), String> {
    let names: BTreeSet<&String> = truth.keys().chain(found.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| truth.get(*name) != found.get(*name));
    let row = |name: &String| {
        let (told, counted) = (truth.get(name), found.get(name));
        format!("{name}: {counted:?}, truth {told:?}")
    };
    let wrong: Vec<String> = differ.map(row).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{} types: {}", wrong.len(), wrong.join("; "))),
    }
}

fn check(interpreter: &Interpreter, each: &str, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "census", &["mixed", each]);
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
    let objects: u64 = counts.values().map(|(count, _)| count).sum();
    println!("{id}: {objects} objects of {} types", counts.len());
}

/// Hundreds of thousands of objects on one interpreter; with PYDBG_CENSUS, so many of each kind on
/// every interpreter.
#[test]
fn hundreds_of_thousands_are_counted_once() {
    let mut failures = Failures::default();
    let asked = census_size();
    for interpreter in interpreters() {
        match &asked {
            Some(each) => check(interpreter, each, &mut failures),
            None if interpreter.id == MANY.0 => check(interpreter, MANY.1, &mut failures),
            None => {}
        }
    }
    failures.finish();
}

#[test]
fn every_object_is_counted_once_with_its_size() {
    let check =
        |interpreter: &Interpreter, failures: &mut Failures| check(interpreter, FEW, failures);
    Failures::together(interpreters(), check).finish();
}

/// Follows all objects in both ways: as `Objects::referents` tells, and at memory speed.
fn follow_both(python: &Python) -> Result<usize, String> {
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let tracer = Tracer::new(&python.objects, &pieces, Follow::Told);
    let mut keepings = HashMap::new();
    let mut stack = Vec::new();
    tracked::each(python, &pieces, &Cancel::default(), &mut |addr, _| {
        stack.push(addr)
    });
    let mut seen: HashSet<Addr> = stack.iter().copied().collect();
    while let Some(addr) = stack.pop() {
        let ty = python
            .objects
            .type_of(addr)
            .map_err(|fault| fault.to_string())?;
        let keeping = keepings
            .entry(ty.addr)
            .or_insert_with(|| python.objects.keeping(&ty));
        let (mut slow, mut fast) = (Vec::new(), Vec::new());
        let mut odd = None;
        let told = python.objects.referents(addr, &mut |referent| {
            odd = odd.or((python.objects.type_of(referent).is_err()).then_some(referent));
            slow.push(referent);
            ControlFlow::Continue(())
        });
        told.map_err(|fault| fault.to_string())?;
        if let Some(odd) = odd {
            let name = python.objects.full_name(&ty);
            return Err(format!(
                "{name} at {addr} refers to {odd}, which is no object"
            ));
        }
        let read = tracer.referents(addr, keeping, &mut |referent| fast.push(referent));
        slow.sort_unstable();
        fast.sort_unstable();
        slow.dedup();
        fast.dedup();
        if read.is_err() || slow != fast {
            let name = python.objects.full_name(&ty);
            return Err(format!(
                "{name} at {addr}: {fast:?}, else {slow:?}; {keeping:?}"
            ));
        }
        stack.extend(slow.into_iter().filter(|referent| seen.insert(*referent)));
    }
    Ok(seen.len())
}

#[test]
fn references_are_the_same_at_any_speed() {
    let check = |interpreter: &Interpreter, failures: &mut Failures| {
        let fixture = Fixture::start(interpreter, "census", &["mixed", "5"]);
        let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
        let python = Python::find(Arc::new(Process::new(Arc::new(live)))).expect("Python");
        let count = follow_both(&python).map(|count| assert!(count > 10_000, "{count}"));
        failures.check(&interpreter.id, count);
    };
    Failures::together(interpreters(), check).finish();
}
