//! The verdicts of `locks` against the truth: waits that nobody is left to end, knots of many
//! threads, and a busy server in good health, of which nothing is to be said.

use crate::harness::list;
use crate::harness::locks::{Cores, check, check_all};
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::sync::Locks;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn waits_that_nobody_can_end_are_told_and_others_are_not() {
    check_all("lost_wakeups", &["join-global", "bare", "deep"]);
}

/// What the library says of a process that is stopped.
fn attached(fixture: &Fixture) -> Result<(), String> {
    let target = target::live::attach(fixture.pid(), &Options::default());
    let target = target.map_err(|why| why.to_string())?;
    let python = Python::find(Arc::new(Process::new(Arc::new(target))));
    let locks = Locks::of(&python.map_err(|why| why.to_string())?);
    let rings = locks.deadlocks.iter().flat_map(|deadlock| &deadlock.waits);
    let rings = rings.filter_map(|at| locks.waits.get(*at)).map(|wait| {
        let lock = locks.all.get(wait.lock);
        format!("{wait:?} for {lock:?}")
    });
    let lock = |at: &usize| format!("{:?}", locks.all.get(*at));
    let orphaned = locks
        .orphaned
        .iter()
        .map(|at| format!("orphaned {}", lock(at)));
    let lost = locks
        .lost
        .iter()
        .map(|lost| format!("lost {}", lock(&lost.lock)));
    match rings.chain(orphaned).chain(lost).next() {
        None => Ok(()),
        Some(first) => Err(first),
    }
}

/// That a document of `locks` has no verdict.
fn silent(locks: Result<Value, String>) -> Result<(), String> {
    let data = &locks?["data"];
    let mut verdicts = ["deadlocks", "orphaned", "lost"].iter();
    let said = verdicts.find(|verdict| !list(&data[**verdict]).is_empty());
    match said {
        None if list(&data["threads"]).len() < 200 => Err("not all threads are there".into()),
        None => Ok(()),
        Some(verdict) => Err(format!("{verdict}: {}", data[*verdict])),
    }
}

/// What is said of one run of the busy server, with what was asked.
fn watch(interpreter: &Interpreter) -> Vec<(String, Result<(), String>)> {
    const SNAPSHOTS: usize = 7;
    const COMMANDS: usize = 3;
    let mut fixture = Fixture::start(interpreter, "healthy_server", &[]);
    // Its threads begin to work when the truth is written.
    std::thread::sleep(Duration::from_millis(300));
    let mut said = Vec::new();
    for _ in 0..SNAPSHOTS {
        said.push((interpreter.id.clone(), attached(&fixture)));
    }
    for _ in 0..COMMANDS {
        let locks = Pydbg::live(fixture.pid(), &[], "locks");
        said.push((format!("{} live", interpreter.id), silent(locks)));
    }
    let core = fixture.kernel_core();
    let locks = Pydbg::core(&core, &interpreter.sysroot(), "locks");
    said.push((format!("{} core", interpreter.id), silent(locks)));
    said
}

#[test]
fn nothing_is_wrong_with_a_busy_server_in_good_health() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        for (what, said) in watch(interpreter) {
            failures.check(&what, said);
        }
    }
    failures.finish();
}

#[test]
fn knots_of_random_threads_are_found_and_none_is_invented() {
    const SEEDS: usize = 45;
    let interpreters = interpreters();
    let seeds: Vec<usize> = (0..SEEDS).collect();
    let failures = Failures::together(&seeds, |seed, failures| {
        if let Some(interpreter) = interpreters.get(seed % interpreters.len().max(1)) {
            let shape = [seed.to_string()];
            let (kernel, gcore) = (true, false);
            let cores = Cores { kernel, gcore };
            check(interpreter, "lock_graphs", &shape, cores, failures);
        }
    });
    failures.finish();
}
