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

/// What is not told as the collector is: interpreters, the type, how many of its objects, and why.
const KNOWN: &[(&[&str], &str, usize, &str)] = &[
    (
        &["debian-3.11", "debian-3.11d"],
        "_pickle.Pickler",
        3,
        "3.11.2 does not tell its memo yet, as 3.11.7 does",
    ),
    (
        &["debian-3.11", "debian-3.11d"],
        "_pickle.Unpickler",
        3,
        "3.11.2 does not tell its memo yet, as 3.11.7 does",
    ),
    (
        &["debian-3.11", "debian-3.11d"],
        "census_library.pickles.<locals>.Sub",
        3,
        "a subclass of _pickle.Pickler",
    ),
    (
        &["pyenv-3.6"],
        "module",
        2,
        "_curses_panel and _pickle do not tell one type in their state",
    ),
    (
        &["pyenv-3.7", "pyenv-3.8", "pyenv-3.9"],
        "module",
        1,
        "_curses_panel does not tell one type in its state",
    ),
    (
        &["pyenv-3.10"],
        "sqlite3.Cache",
        3,
        "its list is not followed, while that has objects of its own",
    ),
    (
        &["pyenv-3.10"],
        "sqlite3.Node",
        12,
        "is in the struct of another without being told",
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
    println!(
        "{}: {} objects of {} types",
        interpreter.id,
        rows.len(),
        types.len()
    );
    for (_, name, count, why) in KNOWN.iter().filter(|row| row.0.contains(&&*interpreter.id)) {
        let wrong = types.remove(*name).flatten().unwrap_or_default();
        let result = match wrong.count == *count {
            true => Ok(()),
            false => Err(format!(
                "{} of {name} instead of {count} ({why}): {}",
                wrong.count,
                wrong.shown.join("; ")
            )),
        };
        failures.check(&interpreter.id, result);
    }
    let wrong = types.into_iter().filter_map(|(name, wrong)| {
        let wrong = wrong?;
        let shown = wrong.shown.join("; ");
        Some(format!("{} of {name}: {shown}", wrong.count))
    });
    let wrong: Vec<String> = wrong.collect();
    let result = match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    };
    failures.check(&interpreter.id, result);
}

#[test]
fn every_object_refers_to_what_the_collector_is_told() {
    Failures::together(interpreters(), check).finish();
}
