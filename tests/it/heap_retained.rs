//! What objects retain, against a process that takes each of them out of its graph and looks what is
//! still reached.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use crate::heap_paths::heap;
use pydbg::Addr;
use pydbg::heap::{Heap, TreeBounds, TypeMatch, Who};
use serde_json::Value;
use std::collections::BTreeSet;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(u64::MAX)
}

/// Each object of a graph: bytes and number of those that die with it.
fn graph(heap: &Heap, told: &Value) -> Result<(), String> {
    let bounds = TreeBounds { most: 0, depth: 0 };
    let rows = list(&told["rows"]);
    let mut wrong = Vec::new();
    for row in rows {
        let address = Addr(number(&row[0]));
        let Some(id) = heap.id(address) else {
            wrong.push(format!("{address} is not known"));
            continue;
        };
        let owner = heap.owner(id, bounds);
        let found = (owner.retained, owner.objects);
        let truth = (number(&row[1]), number(&row[2]));
        if found != truth {
            let class = heap.class(id);
            let paths = heap.paths_to(id, 3, false).map(|found| found.paths);
            let paths = paths.unwrap_or_default();
            let paths: Vec<&str> = paths.iter().map(|p| &*p.chain.text).collect();
            wrong.push(format!(
                "{class} at {address}: {found:?}, truth {truth:?}; {paths:?}"
            ));
        }
    }
    if !wrong.is_empty() {
        let known: BTreeSet<u64> = rows.iter().map(|row| number(&row[0])).collect();
        for id in known.iter().filter_map(|at| heap.id(Addr(*at))) {
            let found = heap.referrers_of(id, 100);
            let others = found.all.iter();
            let mut others = others.filter(|other| !known.contains(&other.thing.address.0));
            let other = others.next().map(|other| (&other.thing, &other.ways));
            wrong.push(format!(
                "{}: {:?}, {other:?}",
                heap.address(id),
                found.roots
            ));
        }
    }
    match wrong.is_empty() && rows.len() > 10 {
        true => Ok(()),
        false => Err(format!("{} of {}: {wrong:?}", wrong.len(), rows.len())),
    }
}

/// All instances of a class together.
fn class(heap: &Heap, graphs: &[&Value]) -> Result<(), String> {
    let sum = |key: &str| graphs.iter().map(|told| number(&told[key])).sum::<u64>();
    let truth = (sum("instances"), sum("together"));
    let TypeMatch::Found(types) = heap.types_named("__main__.Node") else {
        return Err("no such type".to_owned());
    };
    let kept = heap.kept_by_instances(&types, "Node", 5);
    let found = (kept.count, kept.retained);
    match found == truth {
        true => Ok(()),
        false => Err(format!("instances: {found:?}, truth {truth:?}")),
    }
}

/// What only one thread holds is the largest of what it keeps alive.
fn thread(heap: &Heap, ident: &Value, held: &Value) -> Result<(), String> {
    let owner = heap.python.threads().find(|t| t.ident == ident.as_u64());
    let tid = owner.and_then(|thread| thread.tid).ok_or("no thread")?;
    let id = heap.python.process.id_of(tid).ok_or("no number")?;
    let kept = heap.kept_by_thread(id, 5).map_err(|e| e.to_string())?;
    let kept = kept.ok_or("no thread of that number")?;
    let entry = Addr(number(&held[0]));
    let rows = list(&held[1]["rows"]).iter();
    let truth = rows
        .filter(|row| number(&row[0]) == entry.0)
        .map(|row| number(&row[1]))
        .next();
    let found = kept.owners.iter().find(|owner| match &owner.who {
        Who::Object { object, .. } => object.address == entry,
        _ => false,
    });
    match found.map(|owner| owner.retained) {
        Some(retained) if Some(retained) == truth && kept.retained >= retained => Ok(()),
        found => Err(format!("{}: {found:?}, truth {truth:?}", kept.words)),
    }
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "retained", &[]);
    let heap = heap(&fixture);
    let id = &interpreter.id;
    let expect = &fixture.truth.expect;
    let held = &expect["held"];
    let graphs: Vec<&Value> = list(&expect["graphs"]).iter().chain([&held[1]]).collect();
    for told in &graphs {
        failures.check(id, graph(&heap, told));
    }
    failures.check(id, class(&heap, &graphs));
    failures.check(id, thread(&heap, &expect["ident"], held));
    let module = heap.kept_by_module("app", 5).expect("not stopped");
    let least: u64 = list(&expect["graphs"])
        .iter()
        .filter_map(|told| list(&told["rows"]).last().map(|row| number(&row[1])))
        .sum();
    let result = match module {
        Some(module) if module.retained > least => Ok(()),
        module => Err(format!("module app: {module:?}, at least {least}")),
    };
    failures.check(id, result);
}

#[test]
fn retained_sizes_are_those_of_a_naive_algorithm() {
    Failures::together(interpreters(), check).finish();
}

/// The commands, in words and in JSON.
#[test]
fn commands_tell_paths_and_owners() {
    let Some(interpreter) = interpreters().first() else {
        return;
    };
    let fixture = Fixture::start(interpreter, "retained", &[]);
    let rows = list(&fixture.truth.expect["graphs"][0]["rows"]);
    let entry = Addr(number(&rows[rows.len() - 1][0]));
    let pid = fixture.pid().to_string();
    let lines = [
        format!("path {entry}"),
        format!("referrers {entry}"),
        format!("refs {entry} -n 2"),
        format!("retained {entry}"),
        "retained module app".to_owned(),
        "dominators -n 3 --depth 1".to_owned(),
        "retained Node -n 1".to_owned(),
        format!("path {entry}+8"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let run = Pydbg::run(&["attach", &pid, "-q"], &lines);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    for wanted in [
        "sys.modules['app'].entry_0\n",
        "from module app\n",
        "value of 'entry_0'",
        "more objects left out; see -n",
        "It dies with dict at",
        "Kept alive by module app alone:",
        "Owners by what dies with them:",
        "Kept alive by the instances of Node alone:",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    let wanted = format!("{} is no object", entry.add(8));
    assert!(complaint.contains(&wanted), "{complaint}");
    assert!(complaint.contains(&format!("try {entry}")), "{complaint}");
    let document = Pydbg::live(fixture.pid(), &[], &format!("path {entry}")).expect("JSON");
    let path = &document["data"]["paths"][0];
    assert_eq!(path["expression"], "sys.modules['app'].entry_0");
    assert_eq!(path["root"]["kind"], "module");
}
