//! Waits for locks on files: which one, and of a live process who holds it. A core does not tell.

use crate::harness::list;
use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use serde_json::Value;

/// Holds what `locks` says of the threads of `file_locks` against what they know themselves.
fn compare(expect: &Value, data: &Value, live: bool) -> Result<(), String> {
    let empty = serde_json::Map::new();
    for (name, owner) in expect["owners"].as_object().unwrap_or(&empty) {
        let mut threads = list(&data["threads"]).iter();
        let thread = threads.find(|thread| thread["name"] == name.as_str());
        let thread = thread.ok_or_else(|| format!("{name} is missing"))?;
        let mut waits = list(&data["waits"]).iter();
        let wait = waits.find(|wait| wait["thread"] == thread["id"]);
        let wait = wait.ok_or_else(|| format!("{name} does not wait"))?;
        let lock = &data["all"][wait["lock"].as_u64().unwrap_or(u64::MAX) as usize];
        let fd = format!("fd {}", expect["fds"][name]);
        let named = lock["name"].as_str().unwrap_or_default();
        let told = &lock["owner"];
        let why = told["why"].as_str().unwrap_or_default();
        let right = match (live, owner[0].as_str()) {
            (false, _) => told["certainty"] == "unknown" && why.contains("a core does not tell"),
            (true, Some("process")) => {
                told["certainty"] == "process"
                    && told["pid"] == owner[1]
                    && told["name"].as_str().is_some_and(|name| !name.is_empty())
            }
            _ => told["certainty"] == "unknown" && why.contains(owner[1].as_str().unwrap_or("?")),
        };
        if !right || lock["kind"] != "file-lock" || !named.starts_with(&fd) {
            return Err(format!("{name}: {lock}, truth {owner} through {fd}"));
        }
    }
    Ok(())
}

#[test]
fn another_process_or_this_one_holds_a_lock_on_a_file() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "file_locks", &[]);
        let expect = fixture.truth.expect.clone();
        let live = Pydbg::live(fixture.pid(), &[], "locks");
        failures.check(
            &format!("{} live", interpreter.id),
            live.and_then(|answer| compare(&expect, &answer["data"], true)),
        );
        let core = Pydbg::core(&fixture.kernel_core(), &interpreter.sysroot(), "locks");
        failures.check(
            &format!("{} core", interpreter.id),
            core.and_then(|answer| compare(&expect, &answer["data"], false)),
        );
    }
    failures.finish();
}
