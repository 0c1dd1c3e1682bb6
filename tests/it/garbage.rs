//! What is garbage, against what the collector then finds in the same process.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use crate::heap_paths::heap;
use pydbg::heap::Garbage;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lets the process collect, and what it then tells.
fn collected(fixture: &Fixture) -> Value {
    fs::write(fixture.dir().join("continue"), "").expect("continue");
    let path = fixture.dir().join("collected.json");
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    serde_json::from_str(&fs::read_to_string(path).expect("read")).expect("JSON")
}

/// The addresses of what the collector named.
fn named(fixture: &Fixture) -> BTreeSet<u64> {
    let said = fs::read_to_string(fixture.dir().join("stderr")).expect("stderr");
    let lines = said.lines().filter(|line| line.contains("collectable"));
    let address = |line: &str| {
        let digits = line.rsplit_once("0x")?.1;
        u64::from_str_radix(digits.trim_end_matches('>'), 16).ok()
    };
    lines.filter_map(address).collect()
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    for args in [&["build"][..], &[]] {
        let fixture = Fixture::start(interpreter, "garbage", args);
        let heap = heap(&fixture);
        let heap = Arc::new(heap);
        let garbage = Garbage::of(&heap).expect("garbage");
        let found: Vec<u32> = garbage.ids().collect();
        if !args.is_empty() { eprintln!("{:#?}", garbage.summary(50)); }
        let ids: BTreeSet<u64> = found.iter().map(|id| heap.address(*id).0).collect();
        let names: BTreeMap<u64, String> = (0..heap.count()).map(|id| (heap.address(id).0, format!("{:?}", heap.thing(id)))).collect();
        // A live process stands still while it is looked at.
        drop((heap, garbage));
        let told = collected(&fixture);
        let truth = named(&fixture);
        let result = match ids == truth {
            true => Ok(()),
            false => {
                let name = |address: &u64| names.get(address);
                let missing: Vec<_> = truth.difference(&ids).map(name).collect();
                let extra: Vec<_> = ids.difference(&truth).map(name).collect();
                Err(format!("{args:?}: {} of {}, missing {missing:#?}, too much {extra:#?}", ids.len(), truth.len()))
            }
        };
        failures.check(&interpreter.id, result);
        let freed = told["freed"].as_u64().unwrap_or(0);
        let result = match (ids.len() as u64).checked_sub(freed) {
            // The finalizer of a generator frees its frame.
            Some(0) => Ok(()),
            Some(1..=3) if !args.is_empty() => Ok(()),
            _ => Err(format!("{args:?}: {} objects, {freed} freed", ids.len())),
        };
        failures.check(&interpreter.id, result);
    }
}

#[test]
fn garbage_is_what_the_collector_finds() {
    Failures::together(interpreters(), check).finish();
}
