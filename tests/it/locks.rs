//! `locks` against the truth of the fixture `deadlocks`: which threads wait for each other, who
//! holds each lock and who waits for it, live and from cores; and no owner is invented.

use crate::harness::fixture::header;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::sync::Locks;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names of threads by gdb number.
fn names(data: &Value) -> BTreeMap<u64, String> {
    let name = |thread: &Value| {
        let name = thread["name"].as_str()?.to_owned();
        Some((thread["id"].as_u64()?, name))
    };
    list(&data["threads"]).iter().filter_map(name).collect()
}

/// Holds the answer of `locks` against what the fixture expects. Where a core `lacks` the stacks of
/// threads, waits may be missing; what is said must still be true.
fn compare(expect: &Value, locks: &Value, lacks: bool) -> Result<(), String> {
    let data = &locks["data"];
    let names = names(data);
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
    // Every thread of such a cycle is on the same two lines.
    let [waits, took] = list(&expect["lines"]) else {
        return compare_locks(expect, data, &named, lacks);
    };
    for at in list(&data["deadlocks"])
        .iter()
        .flat_map(|cycle| list(&cycle["waits"]))
    {
        let wait = &data["waits"][at.as_u64().unwrap_or(0) as usize];
        let lock = &data["all"][wait["lock"].as_u64().unwrap_or(0) as usize];
        let lines = (&wait["place"]["line"], &lock["owner"]["place"]["line"]);
        if lines != (waits, took) {
            return Err(format!("lines {lines:?}, truth {waits} and {took}"));
        }
    }
    compare_locks(expect, data, &named, lacks)
}

/// Holds the owners and waiters of the locks with a name against what the fixture expects.
fn compare_locks(
    expect: &Value,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    let text = |name: &Value| name.as_str().map(str::to_owned);
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
    let sysroot = interpreter.sysroot();
    // gdb's gcore leaves zeros for thread stacks of glibc 2.42 and later, on which from 3.13 on
    // the waiting thread's entry names the lock.
    let mut judge = |how: &str, locks: Result<Value, String>| {
        let lacks = how == "gcore" && interpreter.is_chroot();
        let result = locks.and_then(|locks| compare(&expect, &locks, lacks));
        failures.check(&format!("{} {shape:?} {how}", interpreter.id), result);
    };
    judge("live", Pydbg::live(fixture.pid(), &[], "locks"));
    // gdb takes a second for each.
    if shape.iter().any(|word| word == "abba" || word == "mixed") {
        judge("gcore", Pydbg::core(&fixture.gcore(), &sysroot, "locks"));
    }
    let core = fixture.kernel_core();
    judge("kernel core", Pydbg::core(&core, &sysroot, "locks"));
}

#[test]
fn owners_waiters_and_deadlocks_are_the_true_ones() {
    let mut failures = Failures::default();
    let variants = header("deadlocks").map_or(Vec::new(), |header| header.variants);
    for interpreter in interpreters() {
        // Without arguments it is one of the others.
        for shape in variants.iter().filter(|shape| !shape.is_empty()) {
            check(interpreter, shape, &mut failures);
        }
    }
    failures.finish();
}

/// What was counted over all snapshots.
#[derive(Default)]
struct Tally {
    claimed: usize,
    logged: usize,
    missed: usize,
}

/// One snapshot of `lock_log`: every owner that is claimed is the one that the process itself wrote
/// down, or nobody is written down, because the owner has not come that far.
fn hold_against_log(fixture: &Fixture, tally: &mut Tally) -> Result<(), String> {
    let target = target::live::attach(fixture.pid(), &Options::default());
    let target = target.map_err(|why| why.to_string())?;
    let python = Python::find(Arc::new(Process::new(Arc::new(target))));
    let python = python.map_err(|why| why.to_string())?;
    let locks = Locks::of(&python);
    let expect = &fixture.truth.expect;
    let log = Addr(expect["log"].as_u64().ok_or("no log")?);
    let name_of = |id: usize| {
        let tid = python.process.threads().get(id - 1)?.tid;
        python.thread_of(tid)?.name.clone()
    };
    for (index, address) in list(&expect["locks"]).iter().enumerate() {
        let written = log.add(index as u64 * 8);
        let written = python.process.target.memory.u64(written);
        let written = written.map_err(|fault| fault.to_string())?;
        let mut all = locks.all.iter();
        let lock = all.find(|lock| Some(lock.address.0) == address.as_u64());
        let owner = lock.and_then(|lock| lock.owner.thread()).and_then(name_of);
        tally.logged += usize::from(written != 0);
        tally.claimed += usize::from(owner.is_some());
        match owner {
            Some(owner) if written != 0 && owner != format!("worker {written}") => {
                return Err(format!(
                    "lock {index}: {owner:?}, but the log says {written}"
                ));
            }
            None if written != 0 => tally.missed += 1,
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn no_owner_is_claimed_that_the_log_contradicts() {
    const SNAPSHOTS: usize = 70;
    let mut failures = Failures::default();
    let mut tally = Tally::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "lock_log", &[]);
        for _ in 0..SNAPSHOTS {
            let result = hold_against_log(&fixture, &mut tally);
            failures.check(&interpreter.id, result);
        }
    }
    println!(
        "{} owners claimed, {} logged, {} of them not claimed",
        tally.claimed, tally.logged, tally.missed
    );
    assert!(tally.claimed > 0);
    // A quarter of the locks is taken without `with`.
    assert!(tally.missed * 2 < tally.logged, "most owners are found");
    failures.finish();
}
