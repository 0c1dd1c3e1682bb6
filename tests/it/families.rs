//! Waits across processes: one fixture with a family for each shape, held against what the processes say
//! of themselves. Nothing may be said of those that are healthy.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, every_core, interpreters, list};
use serde_json::Value;
use std::collections::BTreeSet;

/// The processes of some waits.
fn pids(data: &Value, positions: &Value) -> BTreeSet<i64> {
    let wait = |at: &Value| data["waits"][at.as_u64()? as usize]["pid"].as_i64();
    list(positions).iter().filter_map(wait).collect()
}

fn numbers(all: &Value) -> BTreeSet<i64> {
    list(all).iter().filter_map(Value::as_i64).collect()
}

/// One verdict for each shape that has one, and none besides.
pub(crate) fn compare_verdicts(expect: &Value, data: &Value) -> Result<(), String> {
    let verdicts = list(&data["verdicts"]);
    let mut wrong = Vec::new();
    let mut explained = 0;
    for (shape, told) in expect["verdicts"].as_object().into_iter().flatten() {
        let head = told["head"].as_i64().unwrap_or(0);
        let concerns = |verdict: &&Value| numbers(&verdict["pids"]).contains(&head);
        let about: Vec<&Value> = verdicts.iter().filter(concerns).collect();
        explained += about.len();
        let [one] = about.as_slice() else {
            wrong.push(format!("{shape}: {} verdicts: {about:?}", about.len()));
            continue;
        };
        let (bottom, behind) = (pids(data, &one["waits"]), pids(data, &one["behind"]));
        // Threads of one process may be both.
        let behind: BTreeSet<i64> = behind.difference(&bottom).copied().collect();
        let truth = (numbers(&told["bottom"]), numbers(&told["behind"]));
        if one["verdict"] != told["verdict"] || (bottom, behind) != truth {
            wrong.push(format!("{shape}: {one}, truth {told}"));
        }
    }
    if explained < verdicts.len() {
        wrong.push(format!(
            "{} verdicts, {explained} of them true: {verdicts:?}",
            verdicts.len()
        ));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("; ")),
    }
}

/// What is said of the files of two processes.
fn compare_files(expect: &Value, data: &Value) -> Result<(), String> {
    let folder = expect["folder"].as_str().unwrap_or("?");
    let [mine, other] = list(&expect["pids"]) else {
        return Err(format!("no truth: {expect}"));
    };
    let ours = |verdict: &&Value| {
        let at = verdict["file"].as_u64().unwrap_or(u64::MAX) as usize;
        let path = data["files"][at]["path"].as_str();
        path.is_some_and(|path| path.contains(folder))
    };
    let verdicts: Vec<&Value> = list(&data["verdicts"]).iter().filter(ours).collect();
    let said = |kind: &str, name: &str| {
        verdicts.iter().find(|verdict| {
            let at = verdict["file"].as_u64().unwrap_or(u64::MAX) as usize;
            // In a root folder of its own the process knows another path.
            let path = data["files"][at]["path"].as_str().unwrap_or_default();
            verdict["verdict"] == kind && path.ends_with(&format!("{folder}/{name}"))
        })
    };
    let both = said("overwritten", "both");
    let both = both.is_some_and(|verdict| numbers(&verdict["pids"]) == numbers(&expect["pids"]));
    let gone = said("replaced", "gone");
    let gone = gone.is_some_and(|verdict| {
        verdict["pids"][0] == serde_json::json!([mine])
            && verdict["pids"][1] == serde_json::json!([other])
    });
    match both && gone && verdicts.len() == 2 {
        true => Ok(()),
        false => Err(format!("{verdicts:?}, truth {expect}")),
    }
}

/// The shapes of the fixture by turns on the interpreters: those of the locks of processes, of ends of
/// pipes, of forks and pools, of descriptors that are handed over. The first interpreter has all.
const SHAPES: [&[&str]; 4] = [
    &["pool", "locks", "held_lock"],
    &["loader", "pipe", "talk", "busy_child"],
    &["forked", "executor", "busy_pool"],
    &["sharer", "abandoned", "crowded", "unanswered", "lending"],
];

fn check(turn: usize, interpreter: &Interpreter, failures: &mut Failures) {
    let shapes: Vec<String> = match turn {
        0 => Vec::new(),
        _ if every_core() => Vec::new(),
        turn => SHAPES[turn % SHAPES.len()]
            .iter()
            .map(|&shape| shape.to_owned())
            .collect(),
    };
    let Some(fixture) = Fixture::start_or_skip(interpreter, "families_waits", &shapes) else {
        return;
    };
    let expect = &fixture.truth.expect;
    let mut judge = |what: &str, result: Result<(), String>| {
        failures.check(&format!("{} {shapes:?} {what}", interpreter.id), result);
    };
    let pid = fixture.pid().to_string();
    // Whether the processes are held or only looked at makes no difference.
    let attach: &[&str] = match (turn / SHAPES.len()) % 2 {
        0 => &["attach", &pid],
        _ => &["attach", "--tree", &pid],
    };
    let args = [attach, &["--json", "-q"]].concat();
    let run = Pydbg::run(&args, &["locks --tree", "fds --shared"]);
    let answer = run.document("locks --tree");
    judge(
        "waits",
        answer.and_then(|answer| compare_verdicts(expect, &answer["data"])),
    );
    let answer = run.document("fds --shared");
    let files = &expect["files"];
    judge(
        "files",
        answer.and_then(|answer| compare_files(files, &answer["data"])),
    );
}

#[test]
fn every_family_has_its_verdict() {
    let turns: Vec<(usize, &Interpreter)> = interpreters().iter().enumerate().collect();
    let check = |(turn, interpreter): &(usize, &Interpreter), failures: &mut Failures| {
        check(*turn, interpreter, failures);
    };
    Failures::together(&turns, check).finish();
}
