//! What every object of a process refers to, with most of the standard library imported, against
//! what the garbage collector is told of each (fixtures/census.py).

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many differences of one type are shown.
const SHOWN: usize = 3;

/// Types of which not all is known, each with the reason; how many differ is printed.
const KNOWN: &[(&str, &str)] = &[
    (
        "PyCapsule",
        "a function of its maker tells the rest (3.13+)",
    ),
    ("_pickle.Pickler", "its memo is memory of its own"),
    ("_pickle.Unpickler", "its memo is memory of its own"),
    (
        "census_library.pickles.<locals>.Sub",
        "a subclass of _pickle.Pickler",
    ),
    ("module", "some of the state of a module in C is not told"),
    (
        "sqlite3.Cache",
        "its list is not followed, while that has objects of its own (3.10)",
    ),
    (
        "sqlite3.Node",
        "is in the struct of another without being told (3.10)",
    ),
    (
        "sqlite3.Connection",
        "types are in its struct without being told",
    ),
    (
        "sqlite3.Cursor",
        "types are in its struct without being told",
    ),
    (
        "xml.etree.ElementTree.XMLParser",
        "its module is in its struct",
    ),
];

/// An object, and what it refers to.
type Row = (Addr, BTreeSet<u64>);

/// The rows of the fixture's file: address, count, and that many addresses.
fn rows(fixture: &Fixture) -> Vec<Row> {
    let name = fixture.truth.expect["edges"].as_str().expect("a file");
    let raw = std::fs::read(fixture.dir().join(name)).expect("the file");
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    let mut words = raw.chunks_exact(8).map(word);
    let mut rows = Vec::new();
    while let (Some(addr), Some(count)) = (words.next(), words.next()) {
        let referents = words.by_ref().take(count as usize).collect();
        rows.push((Addr(addr), referents));
    }
    rows
}

/// What is wrong with the objects of one type.
#[derive(Default)]
struct Wrong {
    count: usize,
    shown: Vec<String>,
}

/// What an object may be for the reader of a failure.
fn describe(python: &Python, base: Addr, addrs: &[u64]) -> String {
    let one = |addr: &u64| {
        let name = python.objects.type_of(Addr(*addr));
        let name = name.map(|ty| python.objects.full_name(&ty).to_string());
        let words = (0..64).map(|word| (word, python.objects.memory.u64(base.add(word * 8))));
        let place = words.into_iter().find(|(_, word)| *word == Ok(*addr));
        let place = place.map_or("elsewhere".to_owned(), |(word, _)| format!("word {word}"));
        format!("{} at {place}", name.unwrap_or_else(|_| "?".into()))
    };
    addrs.iter().take(6).map(one).collect::<Vec<_>>().join(", ")
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "census", &["stdlib"]);
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let rows = rows(&fixture);
    let mut types: BTreeMap<String, Option<Wrong>> = BTreeMap::new();
    for (addr, told) in &rows {
        let mut found = BTreeSet::new();
        let complete = python.objects.referents(*addr, &mut |referent| {
            found.insert(referent.0);
            ControlFlow::Continue(())
        });
        let ty = python.objects.type_of(*addr).expect("a type");
        let name = python.objects.full_name(&ty).to_string();
        let wrong = types.entry(name).or_default();
        let missing: Vec<u64> = told.difference(&found).copied().collect();
        let more: Vec<u64> = found.difference(told).copied().collect();
        if complete.is_ok() && missing.is_empty() && more.is_empty() {
            continue;
        }
        let wrong = wrong.get_or_insert_with(Wrong::default);
        wrong.count += 1;
        if wrong.shown.len() < SHOWN {
            let missing = describe(&python, *addr, &missing);
            let more = describe(&python, *addr, &more);
            let line = format!("{addr}: missing [{missing}], too much [{more}], {complete:?}");
            wrong.shown.push(line);
        }
    }
    let total = types.len();
    let lines = types.into_iter().filter_map(|(name, wrong)| {
        let wrong = wrong?;
        if let Some((_, why)) = KNOWN.iter().find(|(known, _)| *known == name) {
            println!(
                "{}: {} of {name} differ: {why}",
                interpreter.id, wrong.count
            );
            return None;
        }
        Some(format!(
            "{} of {name}: {}",
            wrong.count,
            wrong.shown.join("; ")
        ))
    });
    let lines: Vec<String> = lines.collect();
    println!(
        "{}: {} objects of {total} types",
        interpreter.id,
        rows.len()
    );
    failures.check(&interpreter.id, Ok(()));
    for line in lines {
        failures.check(&interpreter.id, Err(line));
    }
}

#[test]
fn every_object_refers_to_what_the_collector_is_told() {
    Failures::together(interpreters(), check).finish();
}
