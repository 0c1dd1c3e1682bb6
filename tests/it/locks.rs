//! `locks` against the truth of the fixture `deadlocks`: which threads wait for each other, who
//! holds each lock and who waits for it, live and from cores; and no owner is invented.

use crate::harness::fixture::header;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The elements of a JSON array; none when it is no array.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The names of threads by gdb number.
fn names(threads: &Value) -> BTreeMap<u64, String> {
    let name = |thread: &Value| {
        let name = thread["name"].as_str()?.to_owned();
        Some((thread["id"].as_u64()?, name))
    };
    list(&threads["data"]["threads"])
        .iter()
        .filter_map(name)
        .collect()
}

/// Holds the answer of `locks` against what the fixture expects. Where a core `lacks` the stacks of
/// threads, waits may be missing; what is said must still be true.
fn compare(expect: &Value, locks: &Value, threads: &Value, lacks: bool) -> Result<(), String> {
    let data = &locks["data"];
    let names = names(threads);
    let named = |id: &Value| names.get(&id.as_u64()?).cloned();
    let thread_of = |at: &Value| named(&data["waits"][at.as_u64()? as usize]["thread"]);
    let found: BTreeSet<BTreeSet<String>> = list(&data["deadlocks"])
        .iter()
        .map(|cycle| list(&cycle["waits"]).iter().filter_map(thread_of).collect())
        .collect();
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let expected: BTreeSet<BTreeSet<String>> = list(&expect["deadlocks"])
        .iter()
        .map(|cycle| list(cycle).iter().filter_map(text).collect())
        .collect();
    if found != expected && !(lacks && found.is_subset(&expected)) {
        return Err(format!("deadlocks {found:?}, truth {expected:?}"));
    }
    let empty = serde_json::Map::new();
    let truth = expect["locks"].as_object().unwrap_or(&empty);
    let mut seen = BTreeSet::new();
    for lock in list(&data["all"]) {
        let name = lock["name"].as_str().unwrap_or_default();
        let Some(expected) = truth.get(name) else {
            continue;
        };
        seen.insert(name.to_owned());
        let owner = named(&lock["owner"]["thread"]);
        if owner != text(&expected[0]) {
            return Err(format!("{name}: owner {owner:?}, truth {}", expected[0]));
        }
        let waiters: BTreeSet<String> = list(&lock["waiters"]).iter().filter_map(named).collect();
        let awaited: BTreeSet<String> = list(&expected[1]).iter().filter_map(text).collect();
        if waiters != awaited && !(lacks && waiters.is_subset(&awaited)) {
            return Err(format!("{name}: waiters {waiters:?}, truth {awaited:?}"));
        }
    }
    // A lock that nobody holds and nobody waits for need not be listed.
    let idle = |expected: &Value| expected[0].is_null() && list(&expected[1]).is_empty();
    let missing = (truth.iter().filter(|_| !lacks))
        .find(|(name, expected)| !seen.contains(*name) && !idle(expected));
    missing.map_or(Ok(()), |(name, _)| Err(format!("{name} is not listed")))
}

/// One shape on one interpreter.
fn check(interpreter: &Interpreter, shape: &[String], failures: &mut Failures) {
    let Some(mut fixture) = Fixture::start_or_skip(interpreter, "deadlocks", shape) else {
        return;
    };
    let expect = fixture.truth.expect.clone();
    let root = interpreter.root.display().to_string();
    let sysroot: Vec<&str> = match interpreter.is_chroot() {
        true => vec!["--sysroot", &root],
        false => Vec::new(),
    };
    // gdb's gcore leaves zeros for thread stacks of glibc 2.42 and later, on which from 3.13 on
    // the waiting thread's entry names the lock.
    let mut judge = |how: &str, run: &dyn Fn(&str) -> Result<Value, String>| {
        let result = run("locks").and_then(|locks| {
            let lacks = how == "gcore" && interpreter.is_chroot();
            compare(&expect, &locks, &run("info threads")?, lacks)
        });
        failures.check(&format!("{} {shape:?} {how}", interpreter.id), result);
    };
    let pid = fixture.pid();
    judge("live", &|command| Pydbg::live(pid, &[], command));
    let gcore = fixture.gcore();
    judge("gcore", &|command| Pydbg::core(&gcore, &sysroot, command));
    let kernel = fixture.kernel_core();
    judge("kernel core", &|command| {
        Pydbg::core(&kernel, &sysroot, command)
    });
}

#[test]
fn owners_waiters_and_deadlocks_are_the_true_ones() {
    let mut failures = Failures::default();
    let variants = header("deadlocks").map_or(Vec::new(), |header| header.variants);
    for interpreter in interpreters() {
        for shape in &variants {
            check(interpreter, shape, &mut failures);
        }
    }
    failures.finish();
}
