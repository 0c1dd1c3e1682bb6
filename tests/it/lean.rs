//! Cores with only what Python analysis needs: smaller by what large buffers have, and all that is asked
//! about objects, frames, locks and memory is answered as from the whole core.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What both cores are asked, and which part of the answer shall be the same.
const QUESTIONS: [(&str, &str); 7] = [
    ("bt all", "/data"),
    ("py-bt all", "/data/threads"),
    ("info threads", "/data"),
    ("locks", "/data"),
    ("heap -n 1000", "/data/rows"),
    ("memory", "/data"),
    ("py-print small", "/data"),
];

/// What the fixture's large buffers have.
const LARGE: u64 = (64 + 8 + 8 + 4) << 20;

/// The room that a file takes up.
fn on_disk(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.blocks() * 512)
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let id = &interpreter.id;
    let fixture = Fixture::start(interpreter, "large", &[]);
    let (plain, lean) = (fixture.dir().join("plain"), fixture.dir().join("lean"));
    let pid = fixture.pid().to_string();
    let mut args = vec!["attach", &pid, "--json", "-q"];
    args.extend(interpreter.sysroot());
    let lines = [
        // To read the memory brings pages of files into it, so the first core is not compared.
        format!("generate-core-file {}", plain.display()),
        format!("generate-core-file --force {}", plain.display()),
        format!("generate-core-file --filter python {}", lean.display()),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let run = Pydbg::run(&args, &lines);
    let written = match run.document(lines[2]) {
        Ok(document) => document["data"].clone(),
        Err(why) => return failures.check(id, Err(why)),
    };
    let less = on_disk(&plain).saturating_sub(on_disk(&lean));
    let told = written["left_out"].as_u64().unwrap_or(0);
    let right = less > LARGE / 100 * 98 && told >= less && written["filter"] == "0x33,python";
    failures.check(
        &format!("{id}: the size"),
        right
            .then_some(())
            .ok_or_else(|| format!("{less} bytes less: {written}")),
    );
    let sysroot = interpreter.sysroot();
    let ask = |core, command| Pydbg::core(core, &sysroot, command);
    for (command, part) in QUESTIONS {
        let compare = || -> Result<(), String> {
            let (before, after) = (ask(&plain, command)?, ask(&lean, command)?);
            let (before, after) = (before.pointer(part), after.pointer(part));
            let same = before.is_some() && before == after;
            let pair = || format!("{:.2000} is now {:.2000}", text(before), text(after));
            same.then_some(()).ok_or_else(pair)
        };
        failures.check(&format!("{id}: {command}"), compare());
    }
    let unread = ask(&lean, "py-print numbers").and_then(|document| {
        let says = document["data"]
            .to_string()
            .contains("the core leaves it out");
        says.then_some(()).ok_or(document["data"].to_string())
    });
    failures.check(&format!("{id}: what was left out"), unread);
}

fn text(value: Option<&Value>) -> String {
    value.map_or("nothing".into(), Value::to_string)
}

#[test]
fn only_what_python_needs() {
    Failures::together(interpreters(), check).finish();
}
