//! Families of processes: `ps` finds them and says what keeps each, `attach --tree` holds all that
//! run Python, commands reach each of them, and all are let go.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// The processes that the fixture told of, by id.
fn told(fixture: &Fixture) -> BTreeMap<i64, &Value> {
    let processes = list(&fixture.truth.expect["processes"]).iter();
    processes
        .map(|process| (process["pid"].as_i64().unwrap(), process))
        .collect()
}

fn pids<'v>(rows: impl IntoIterator<Item = &'v Value>) -> Vec<i64> {
    let pid = |row: &Value| row["pid"].as_i64().unwrap_or(0);
    let mut pids: Vec<i64> = rows.into_iter().map(pid).collect();
    pids.sort_unstable();
    pids
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, truth: T) -> Result<(), String> {
    match found == truth {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, truth {truth:?}")),
    }
}

/// Whether none of the processes is stopped or traced.
fn all_run(fixture: &Fixture) -> Result<(), String> {
    for pid in told(fixture).keys() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|e| e.to_string())?;
        let state = stat.rsplit(')').next().unwrap_or_default().trim();
        if state.starts_with(['T', 't', 'Z']) {
            return Err(format!("process {pid} was left so: {state}"));
        }
    }
    Ok(())
}

/// Holds what `ps` says of a family against what its members know.
fn compare_ps(interpreter: &Interpreter, fixture: &Fixture) -> Result<(), String> {
    let line = format!("ps {}", fixture.pid());
    let answer = Pydbg::run(&["ps", &fixture.pid().to_string(), "--json"], &[]).document(&line)?;
    let truth = told(fixture);
    let ended = fixture.truth.expect["ended"].as_i64().unwrap_or(0);
    let mut all: Vec<i64> = truth.keys().copied().chain([ended]).collect();
    all.sort_unstable();
    let rows = list(&answer["data"]["processes"]);
    same("processes", pids(rows), all)?;
    for row in rows {
        let pid = row["pid"].as_i64().unwrap_or(0);
        let kind = row["verdict"]["kind"].as_str().unwrap_or_default();
        if pid == ended {
            same("the one that has ended", kind, "zombie")?;
            continue;
        }
        let process = truth[&pid];
        let about = format!("{} {row}", process["role"]);
        same(&about, &row["ppid"], &process["ppid"])?;
        same(&about, &row["threads"], &process["threads"])?;
        let version = row["version"].as_str().unwrap_or_default();
        let (major, minor) = interpreter.version;
        if !version.starts_with(&format!("{major}.{minor}.")) {
            return Err(format!("{about}: version {version}"));
        }
        same(&about, json!(kind), process["verdict"].clone())?;
        let waits = row["verdict"]["text"].as_str().unwrap_or_default();
        if kind == "waits-for-child" && !waits.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("{about}: for which child? {waits}"));
        }
    }
    Ok(())
}

/// The same of `attach --tree` and of the commands that ask several processes.
fn compare_tree(fixture: &Fixture) -> Result<(), String> {
    let pid = fixture.pid().to_string();
    // As a command it has a document of its own.
    let attach = format!("attach --tree {pid}");
    let lines = [
        &*attach,
        "info inferiors",
        "process apply all py-bt",
        "stacks",
        "process apply all -m info python",
        "inferior 2",
        "py-bt",
        "detach inferiors 2",
    ];
    let run = Pydbg::run(&["--json"], &lines);
    compare_relatives(fixture, &run.document(&attach)?)?;
    let truth = told(fixture);
    let answer = run.document("info inferiors")?;
    let rows = list(&answer["data"]["inferiors"]);
    same("inferiors", pids(rows), truth.keys().copied().collect())?;
    for row in rows {
        let process = truth[&row["pid"].as_i64().unwrap_or(0)];
        let about = format!("{} {row}", process["role"]);
        same(&about, &row["ppid"], &process["ppid"])?;
        same(&about, &row["threads"], &process["threads"])?;
        let first = row["pid"] == fixture.pid();
        same(&about, row["current"].as_bool(), Some(first))?;
    }
    same("the document's inferior", &answer["inferior"], &json!(1))?;
    let answer = run.document("process apply all py-bt")?;
    for row in list(&answer["data"]["inferiors"]) {
        let process = truth[&row["pid"].as_i64().unwrap_or(0)];
        let frames = list(&row["data"]["threads"][0]["frames"]);
        let role = process["role"].as_str().unwrap_or_default();
        let wanted = if role == "parent" { "main" } else { role };
        if !frames.iter().any(|frame| frame["function"] == wanted) {
            return Err(format!("{role}: no such function in {row}"));
        }
    }
    let answer = run.document("stacks")?;
    let groups = list(&answer["data"]["groups"]);
    let total: u64 = truth.values().filter_map(|p| p["threads"].as_u64()).sum();
    let counted = groups.iter().filter_map(|group| group["count"].as_u64());
    same("threads in stacks", counted.sum(), total)?;
    let first = &groups[0];
    let what = (
        &first["count"],
        &first["processes"],
        &first["frames"][0]["function"],
    );
    same("the workers", what, (&json!(7), &json!(3), &json!("work")))?;
    let answer = run.document("process apply all -m info python")?;
    same("pythons", list(&answer["data"]["groups"]).is_empty(), false)?;
    let (second, third) = (&rows[1]["pid"], &rows[2]["pid"]);
    let answer = run.document("py-bt")?;
    let about = (&answer["inferior"], &answer["target"]["pid"]);
    same("the selected one", about, (&json!(2), second))?;
    let answer = run.document("detach inferiors 2")?;
    same("detached", &answer["data"]["detached"][0], second)?;
    same("the others stay", third.is_number(), true)?;
    all_run(fixture)
}

/// What becomes of those that are not attached to.
fn compare_relatives(fixture: &Fixture, answer: &Value) -> Result<(), String> {
    let others = list(&fixture.truth.expect["others"]).iter();
    let others: Vec<i64> = others.filter_map(Value::as_i64).collect();
    let passed_over = pids(list(&answer["data"]["passed_over"]));
    same("passed over", passed_over, others)?;
    let ended = fixture.truth.expect["ended"].as_i64().unwrap_or(0);
    same(
        "ended",
        pids(list(&answer["data"]["vanished"])),
        vec![ended],
    )
}

#[test]
fn a_family_is_found_and_held_and_let_go() {
    Failures::together(interpreters(), |interpreter, failures| {
        let fixture = Fixture::start(interpreter, "family", &[]);
        let about = |what| format!("{} {what}", interpreter.id);
        failures.check(&about("ps"), compare_ps(interpreter, &fixture));
        failures.check(&about("tree"), compare_tree(&fixture));
    })
    .finish();
}
