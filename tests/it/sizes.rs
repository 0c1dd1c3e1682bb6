//! The size of every object that the collector leads to against `sys.getsizeof`.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::object::Objects;
use pydbg::target::{self, Options};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types in C extensions that are not known have a `__sizeof__` of their own; nobody guesses.
const UNKNOWN: &str = "pandas._libs.";

/// How many types whose objects differ are told.
const MOST_TYPES: usize = 40;

/// One row of the table: the address, and the size; `None` where Python code computes it.
fn row(text: &str, last: &mut u64) -> Option<(Addr, Option<u64>)> {
    let (distance, size) = text.split_once(' ')?;
    *last = last.checked_add(u64::from_str_radix(distance, 16).ok()?)?;
    Some((Addr(*last), u64::from_str_radix(size, 16).ok()))
}

/// Compares each object; what differs is told by type, with one example.
fn compare(objects: &Objects, table: &str) -> Result<usize, String> {
    let (mut compared, mut last) = (0, 0);
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for text in table.split(',') {
        let (addr, told) = row(text, &mut last).ok_or_else(|| format!("{text:?} is no row"))?;
        compared += 1;
        let found = objects.size_of(addr);
        if found != Ok(told) {
            let ty = objects.type_of(addr).map(|ty| objects.full_name(&ty));
            let ty = ty.map_or_else(|fault| format!("{fault:?}"), |name| name.to_string());
            if found == Ok(None) && ty.starts_with(UNKNOWN) {
                continue;
            }
            let example = format!("{addr:?}: {found:?}, Python: {told:?}");
            wrong.entry(ty).or_insert((0, example)).0 += 1;
        }
    }
    let mut lines = wrong
        .iter()
        .map(|(ty, (count, example))| format!("  {count} {ty}, as {example}"));
    match wrong.len() {
        0 => Ok(compared),
        types => Err(format!(
            "of {compared} objects those of {types} types differ:\n{}",
            lines
                .by_ref()
                .take(MOST_TYPES)
                .collect::<Vec<_>>()
                .join("\n")
        )),
    }
}

/// The census of one interpreter.
pub(crate) fn check(interpreter: &Interpreter, name: &str, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, name, &[]);
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let table = fixture.truth.probes["sizes"].as_str().expect("a table");
    let result = compare(&python.objects, table);
    if let Ok(count) = result {
        println!("{}: {count} objects", interpreter.id);
    }
    if let Err(why) = &result {
        println!("{}: {why}", interpreter.id);
    }
    failures.check(&interpreter.id, result.map(drop));
}

#[test]
fn sizes_are_those_that_getsizeof_tells() {
    let check = |interpreter: &Interpreter, failures: &mut Failures| {
        check(interpreter, "sizes", failures);
    };
    Failures::together(interpreters(), check).finish();
}
