//! `locks` against the truth of fixtures: who waits for what, who holds it, and the verdicts, live
//! and from cores; and no owner is invented.

use crate::harness::locks::check_all;
use crate::harness::{Failures, Fixture, interpreters, list};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::sync::Locks;
use pydbg::target::{self, Options};
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn owners_waiters_and_deadlocks_are_the_true_ones() {
    check_all("deadlocks", &["abba", "mixed"]);
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

/// Snapshots of a fixture on every interpreter, held against what it logs.
fn snapshots(name: &str, count: usize) -> Tally {
    let mut failures = Failures::default();
    let mut tally = Tally::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, name, &[]);
        for _ in 0..count {
            let result = hold_against_log(&fixture, &mut tally);
            failures.check(&interpreter.id, result);
        }
    }
    println!(
        "{} owners claimed, {} logged, {} of them not claimed",
        tally.claimed, tally.logged, tally.missed
    );
    assert!(tally.claimed > 0);
    failures.finish();
    tally
}

#[test]
fn no_owner_is_claimed_that_the_log_contradicts_in_more_shapes() {
    snapshots("lock_log_shapes", 22);
}

#[test]
fn no_owner_is_claimed_that_the_log_contradicts() {
    let tally = snapshots("lock_log", 46);
    // A quarter of the locks is taken without `with`.
    assert!(tally.missed * 2 < tally.logged, "most owners are found");
}

/// The addresses that the fixture wrote down.
fn addresses(list: &serde_json::Value) -> BTreeSet<u64> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_u64)
        .collect()
}

#[test]
fn all_locks_are_listed_and_none_that_were_thrown_away() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let fixture = Fixture::start(interpreter, "many_locks", &[]);
        let expect = &fixture.truth.expect;
        let target = target::live::attach(fixture.pid(), &Options::default()).unwrap();
        let python = Python::find(Arc::new(Process::new(Arc::new(target)))).unwrap();
        let every = Locks::every(&python).all;
        let listed: BTreeSet<u64> = every.iter().map(|lock| lock.address.0).collect();
        let held = every.iter().filter(|lock| lock.locked == Some(true));
        let held: BTreeSet<u64> = held.map(|lock| lock.address.0).collect();
        let alive = addresses(&expect["alive"]);
        let judge = |what: &str, wrong: Vec<&u64>| match wrong.is_empty() {
            true => Ok(()),
            false => Err(format!("{} {what}: {wrong:x?}", wrong.len())),
        };
        let truly = addresses(&expect["held"]);
        let gone = addresses(&expect["thrown_away"]);
        // In 2.7 an RLock is made of a Lock, which is listed as well.
        let own: BTreeSet<u64> = held.intersection(&alive).copied().collect();
        for result in [
            judge("not listed", alive.difference(&listed).collect()),
            judge("listed, but gone", gone.intersection(&listed).collect()),
            judge("of other state", truly.symmetric_difference(&own).collect()),
        ] {
            failures.check(&interpreter.id, result);
        }
    }
    failures.finish();
}
