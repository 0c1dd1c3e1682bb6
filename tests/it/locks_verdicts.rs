//! The verdicts of `locks` against the truth: waits that nobody is left to end, knots of many
//! threads, and a busy server in good health, of which nothing is to be said.

use crate::harness::list;
use crate::harness::locks::{check, check_all};
use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::sync::Locks;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::sync::Arc;

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
    let counts = [
        locks.deadlocks.len(),
        locks.orphaned.len(),
        locks.lost.len(),
    ];
    match counts {
        [0, 0, 0] => Ok(()),
        _ => Err(format!(
            "{:?}, orphaned {:?}, lost {:?}, waits {:?}",
            locks.deadlocks, locks.orphaned, locks.lost, locks.waits
        )),
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

#[test]
fn nothing_is_wrong_with_a_busy_server_in_good_health() {
    const SNAPSHOTS: usize = 7;
    const COMMANDS: usize = 3;
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "healthy_server", &[]);
        for _ in 0..SNAPSHOTS {
            failures.check(&interpreter.id, attached(&fixture));
        }
        for _ in 0..COMMANDS {
            let locks = Pydbg::live(fixture.pid(), &[], "locks");
            failures.check(&format!("{} live", interpreter.id), silent(locks));
        }
        let core = fixture.kernel_core();
        let root = interpreter.root.display().to_string();
        let sysroot: Vec<&str> = match interpreter.is_chroot() {
            true => vec!["--sysroot", &root],
            false => Vec::new(),
        };
        let locks = Pydbg::core(&core, &sysroot, "locks");
        failures.check(&format!("{} core", interpreter.id), silent(locks));
    }
    failures.finish();
}

#[test]
fn knots_of_random_threads_are_found_and_none_is_invented() {
    const SEEDS: usize = 45;
    let mut failures = Failures::default();
    let interpreters: Vec<_> = interpreters().iter().collect();
    for seed in 0..SEEDS {
        if let Some(interpreter) = interpreters.get(seed % interpreters.len().max(1)) {
            let shape = [seed.to_string()];
            check(interpreter, "lock_graphs", &shape, false, &mut failures);
        }
    }
    failures.finish();
}
