//! Descriptors with their owners and what keeps these alive, against what a process says of itself from
//! inside.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use pydbg::Addr;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who keeps most descriptors open, by turns on the interpreters.
const SHAPES: [&str; 5] = ["registry", "tracer", "exception", "shared", "unowned"];

/// Descriptors of one shape, and of each other shape.
const MOST: usize = 600;

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(i64::MIN)
}

fn address(value: &Value) -> String {
    Addr(value.as_u64().unwrap_or(0)).to_string()
}

/// The descriptors that the kernel tells of a process.
fn open(pid: i32) -> BTreeSet<i64> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    let names = folder.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// Each descriptor of the truth; in a core those with an owner, and no kind but what the owner tells.
fn compare_rows(truth: &Value, data: &Value, live: bool) -> Result<(), String> {
    let rows: BTreeMap<i64, &Value> = list(&data["descriptors"])
        .iter()
        .map(|row| (number(&row["fd"]), row))
        .collect();
    let mut wrong = Vec::new();
    for told in list(&truth["rows"]) {
        let owned = !told["owner"].is_null();
        let Some(row) = rows.get(&number(&told["fd"])) else {
            if live || owned {
                wrong.push(format!("{told}: not there"));
            }
            continue;
        };
        let owners = list(&row["owners"]);
        let fits = match owned {
            true => {
                let path = &owners.first().map_or(&Value::Null, |owner| &owner["path"]);
                let owner = address(&told["owner"]);
                owners.len() == 1
                    && owners[0]["object"]["address"] == owner
                    && list(&path["objects"])
                        .last()
                        .is_some_and(|last| *last == owner)
                    && path["root"]["certain"] == true
                    && owners[0]["doubt"].is_null()
            }
            false => owners.is_empty() && live,
        };
        let kind = row["kind"] == told["kind"] || (!live && row["kind"] == "unknown");
        let numbered = |target: &str| target.starts_with("socket:");
        let target = match told["target"].as_str() {
            Some(target) if live && !numbered(target) => row["target"] == target,
            _ => true,
        };
        if !fits || !kind || !target {
            wrong.push(format!("{told}: {row}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{}: {}", wrong.len(), wrong.join("; "))),
    }
}

/// What keeps many open, and what is said of it.
fn compare_holders(truth: &Value, data: &Value, shape: &str, live: bool) -> Result<(), String> {
    for (name, told) in truth["groups"].as_object().into_iter().flatten() {
        let ids: Vec<String> = list(&told["holders"]).iter().map(address).collect();
        if ids.is_empty() {
            continue;
        }
        let holders = list(&data["holders"]).iter();
        let mut fitting =
            holders.filter(|holder| ids.iter().any(|id| holder["object"]["address"] == *id));
        let Some(holder) = fitting.next() else {
            return Err(format!("{name}: no holder {ids:?} in {}", data["holders"]));
        };
        let hold = if ids.len() > 1 { "among" } else { "alone" };
        let path = holder["path"]["text"].as_str().unwrap_or_default();
        let expression = told["expression"].as_str().unwrap_or_default();
        if holder["fds"] != told["fds"]
            || holder["hold"] != hold
            || !path.starts_with(expression)
            || holder["exception"].is_null() != (name != "exception")
            || holder["constants"] != (name == "tracer")
        {
            return Err(format!("{name}: {told} is not {holder}"));
        }
    }
    let kinds: Vec<&str> = list(&data["verdicts"])
        .iter()
        .filter_map(|verdict| verdict["verdict"].as_str())
        .collect();
    let wanted: &[&str] = match (shape, live) {
        ("healthy", _) | ("unowned", false) => &[],
        ("unowned", true) => &["near-limit", "unowned"],
        (_, true) => &["near-limit", "held"],
        (_, false) => &["held"],
    };
    if kinds != wanted {
        return Err(format!("verdicts {}, not {wanted:?}", data["verdicts"]));
    }
    let held = list(&data["verdicts"])
        .iter()
        .find(|v| v["verdict"] == "held");
    if let Some(held) = held {
        let position = usize::try_from(number(&held["holder"])).unwrap_or(usize::MAX);
        let holder = list(&data["holders"]).get(position);
        let fds = &truth["groups"][shape]["fds"];
        if holder.is_none_or(|holder| holder["fds"] != *fds) || held["count"] != MOST {
            return Err(format!("{held} is not of {shape}"));
        }
    }
    Ok(())
}

fn check(interpreter: &Interpreter, shape: &str, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "descriptors", &[shape]);
    let id = format!("{} {shape}", interpreter.id);
    let truth = fixture.truth.expect.clone();
    let mut compare = |data: Result<Value, String>, live: bool| {
        let what = format!("{id} {}", if live { "live" } else { "core" });
        match data {
            Ok(document) => {
                let data = &document["data"];
                failures.check(&what, compare_rows(&truth, data, live));
                failures.check(&what, compare_holders(&truth, data, shape, live));
            }
            Err(why) => failures.check(&what, Err(why)),
        }
    };
    let before = open(fixture.pid());
    let live = Pydbg::live(fixture.pid(), &interpreter.sysroot(), "fds -n 0");
    compare(live.clone(), true);
    let core = fixture.kernel_core();
    let of_core = Pydbg::core(&core, &interpreter.sysroot(), "fds -n 0");
    compare(of_core.clone(), false);
    let fds = |document: &Value| -> BTreeSet<i64> {
        let rows = list(&document["data"]["descriptors"]).iter();
        rows.map(|row| number(&row["fd"])).collect()
    };
    if let (Ok(live), Ok(core)) = (&live, &of_core) {
        let soft = &live["data"]["limit"]["soft"];
        let all = fds(live) == before && *soft == truth["limit"] && live["data"]["stale"] == 0;
        let result = match all {
            true => Ok(()),
            false => Err(format!("{:?} are not {before:?}; limit {soft}", fds(live))),
        };
        failures.check(&id, result);
        let told = core["data"]["source"] == "objects" && core["data"]["limit"].is_null();
        let result = match told && fds(core).is_subset(&before) {
            true => Ok(()),
            false => Err(format!("of the core: {:?}", fds(core).difference(&before))),
        };
        failures.check(&id, result);
    }
}

/// On each interpreter the healthy process, and one that has too many in one of the ways; all ways are
/// in all of these.
#[test]
fn owners_and_holders_are_those_that_the_process_knows() {
    let all = interpreters().iter().enumerate();
    let runs: Vec<(&Interpreter, &str)> = all
        .flat_map(|(at, one)| [(one, SHAPES[at % SHAPES.len()]), (one, "healthy")])
        .collect();
    Failures::together(&runs, |(one, shape), failures| check(one, shape, failures)).finish();
}

/// The command, in words.
#[test]
fn the_command_tells_what_keeps_descriptors_open() {
    let Some(interpreter) = interpreters().first() else {
        return;
    };
    let fixture = Fixture::start(interpreter, "descriptors", &["registry"]);
    let rows = list(&fixture.truth.expect["rows"]);
    let pid = fixture.pid().to_string();
    let one = format!("fds {}", number(&rows[0]["fd"]));
    let lines = [
        "fds",
        &one,
        "fds --by kind",
        "fds --by owner",
        "fds --by target",
        "fds 9999",
    ];
    let run = Pydbg::run(&["attach", &pid, "-q"], &lines);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    for wanted in [
        "descriptors are open; the limit (RLIMIT_NOFILE) is 1024: ",
        "open() fails with \"Too many open files\"",
        "are kept open by the list at ",
        ": sys.modules['app'].registry.connections. For example fd ",
        "more; see -n\n",
        "from module app\n",
        "Count Kind\n",
        "   600 list at ",
        "no owner known\n",
        "opened.txt\n",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(
        complaint.contains("Descriptor 9999 is not open."),
        "{complaint}"
    );
}
