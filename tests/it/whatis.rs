//! What `whatis` says lies at addresses of which the fixture `whatis` knows it, live and on cores.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use serde_json::Value;

/// Freed blocks are used again by whoever comes; that many of them at least must still be free.
const STILL_FREE: usize = 30;

/// Each thing that the truth knows of one place, with what is shown.
fn facts(shown: &Value, truth: &Value) -> Vec<(&'static str, Value)> {
    let block = match shown["chunk"].is_null() {
        true => &shown["pymalloc"],
        false => &shown["chunk"],
    };
    let tid = [&shown["state"]["tid"], &shown["place"]["stack"]["tid"]];
    let tid = tid.into_iter().find(|tid| !tid.is_null());
    let place = &shown["place"];
    let all = [
        ("object", shown["object"]["start"].clone()),
        ("type", shown["object"]["type"].clone()),
        ("part_of", shown["part_of"]["start"].clone()),
        ("offset", shown["object"]["offset"].clone()),
        ("tid", tid.cloned().unwrap_or_default()),
        ("symbol", place["symbol"]["name"].clone()),
        ("function", place["stack"]["function"].clone()),
        ("symbol_offset", place["symbol"]["offset"].clone()),
        ("section", place["symbol"]["section"].clone()),
        ("distance", place["before"]["distance"].clone()),
        ("block", shown["chunk"]["user"].clone()),
        ("state", block["state"].clone()),
    ];
    all.into_iter()
        .filter(|(name, _)| !truth[*name].is_null())
        .collect()
}

fn is_true(shown: &Value, truth: &Value) -> Result<(), String> {
    let kinds = truth["kinds"].as_array();
    if !kinds.is_some_and(|kinds| kinds.contains(&shown["kind"])) {
        return Err(format!("kind {} of {truth}; {shown}", shown["kind"]));
    }
    for (name, value) in facts(shown, truth) {
        // Classes of the fixture itself are shown with their module.
        let plain = value
            .as_str()
            .map(|text| text.trim_start_matches("__main__."));
        let same = value == truth[name] || (name == "type" && plain == truth[name].as_str());
        if !same {
            return Err(format!(
                "{name}: shown {value}, truth {}; {shown}",
                truth[name]
            ));
        }
    }
    Ok(())
}

/// Asks for all places at once.
fn answers(args: &[&str], places: &[Value]) -> Result<Vec<Value>, String> {
    let lines: Vec<String> = places
        .iter()
        .map(|place| format!("whatis {}", place["address"].as_str().unwrap_or_default()))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let run = Pydbg::run(args, &lines);
    let text = String::from_utf8_lossy(&run.stdout);
    let documents: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|document| {
            document["command"]
                .as_str()
                .is_some_and(|c| c.starts_with("whatis"))
        })
        .collect();
    match documents.len() == places.len() {
        true => Ok(documents),
        false => Err(format!(
            "{} answers: {}",
            documents.len(),
            String::from_utf8_lossy(&run.stderr)
        )),
    }
}

fn compare(how: &str, args: &[&str], places: &[Value], failures: &mut Failures) {
    let documents = match answers(args, places) {
        Ok(documents) => documents,
        Err(why) => return failures.check(how, Err(why)),
    };
    let mut free = 0;
    for (document, truth) in documents.iter().zip(places) {
        let result = is_true(&document["data"], truth);
        if truth["name"] == "freed" {
            free += usize::from(result.is_ok());
            continue;
        }
        failures.check(&format!("{how} {}", truth["name"]), result);
    }
    let freed = places.iter().any(|place| place["name"] == "freed");
    let enough = !freed || free >= STILL_FREE;
    failures.check(
        how,
        enough
            .then_some(())
            .ok_or(format!("{free} freed blocks are free")),
    );
}

/// Frames that are no objects are found by the addresses that `py-bt` gives.
fn frames(how: &str, args: &[&str], interpreter: &Interpreter, failures: &mut Failures) {
    let stacks = match Pydbg::run(args, &["py-bt"]).document("py-bt") {
        Ok(stacks) => stacks,
        Err(why) => return failures.check(how, Err(why)),
    };
    let frames = stacks["data"]["threads"][0]["frames"].as_array().cloned();
    let frames = frames.unwrap_or_default();
    let answers = match answers(args, &frames) {
        Ok(answers) => answers,
        Err(why) => return failures.check(how, Err(why)),
    };
    for (frame, answer) in frames.iter().zip(answers) {
        let data = &answer["data"];
        let right = match interpreter.version >= (3, 11) {
            true => {
                data["kind"] == "python-frame" && data["state"]["function"] == frame["qualname"]
            }
            // Without a GIL all objects are found by their first address, which this is.
            false => data["kind"] == "python-object" && data["object"]["type"] == "frame",
        };
        failures.check(how, right.then_some(()).ok_or(format!("{frame}: {data}")));
    }
}

#[test]
fn what_lies_at_known_addresses() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "whatis", &[]);
        let places = fixture.truth.probes["places"].as_array().cloned();
        let places = places.expect("a list");
        let id = &interpreter.id;
        let pid = fixture.pid().to_string();
        let live = ["attach", &pid, "--json", "-q"];
        compare(&format!("{id} live"), &live, &places, &mut failures);
        let core = fixture.kernel_core();
        let mut dead = vec!["core", core.to_str().expect("UTF-8"), "--json", "-q"];
        dead.extend(interpreter.sysroot());
        compare(&format!("{id} core"), &dead, &places, &mut failures);
        frames(&format!("{id} frames"), &dead, interpreter, &mut failures);
    }
    failures.finish();
}
