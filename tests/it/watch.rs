//! `continue`, `interrupt` and `watch`: a live process is let run on, looked at, held again.

use crate::harness::{Pydbg, interpreters, list};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that is only waited for; generous, because machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// A Python process that is in `first`, and after SIGUSR1 in `second`.
struct Target(Child);

impl Target {
    fn start() -> Target {
        const PROGRAM: &str = "
import os, signal, time
signal.alarm(60)
def second(signum, frame):
    os.write(1, b'second\\n')
    time.sleep(60)
def first():
    os.write(1, b'first\\n')
    while True:
        time.sleep(1)
signal.signal(signal.SIGUSR1, second)
first()
";
        let mut usable = interpreters().iter().filter(|i| !i.is_chroot());
        let interpreter = usable
            .rfind(|i| i.version >= (3, 0) && i.has("gil"))
            .expect("an interpreter");
        let child = Command::new(&interpreter.python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cannot start the interpreter");
        let mut target = Target(child);
        assert_eq!(target.line(), "first\n");
        target
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().expect("piped");
        // Each line is written when the one before has been read.
        BufReader::with_capacity(64, stdout)
            .read_line(&mut line)
            .expect("a line");
        line
    }

    fn id(&self) -> i32 {
        self.0.id() as i32
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).expect("it lives");
    }

    fn is_held(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|tail| tail.trim().starts_with('t'))
    }

    fn settle(&self, held: bool) {
        let start = Instant::now();
        while self.is_held() != held {
            assert!(start.elapsed() < PATIENCE, "held: {}", !held);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn documents(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).collect()
}

/// The function of the innermost Python frame.
fn innermost(document: &Value) -> &str {
    let frames = list(&document["data"]["threads"][0]["frames"]);
    let mut named = frames.iter().filter_map(|frame| frame["function"].as_str());
    named.next().unwrap_or_else(|| panic!("{document}"))
}

#[test]
fn a_process_that_is_let_run_is_seen_as_it_is() {
    let mut target = Target::start();
    let mut prompt = Command::new(env!("CARGO_BIN_EXE_pydbg"))
        .args(["attach", &target.id().to_string(), "-nx", "-q", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pydbg cannot be run");
    let mut input = prompt.stdin.take().expect("piped");
    let mut output = BufReader::new(prompt.stdout.take().expect("piped"));
    let mut ask = |line: &str| -> Value {
        writeln!(input, "{line}").expect("it reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("a line");
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
    };
    let banner = ask("py-bt");
    let held = match banner["command"].as_str() {
        Some("py-bt") => banner,
        _ => ask("py-bt"),
    };
    assert_eq!(innermost(&held), "first");
    assert!(target.is_held());
    let answer = ask("continue");
    assert!(answer["data"]["stopped_us"].as_u64() > Some(0), "{answer}");
    target.settle(false);
    target.signal(Signal::SIGUSR1);
    assert_eq!(target.line(), "second\n");
    assert_eq!(innermost(&ask("py-bt")), "second");
    assert!(!target.is_held());
    let answer = ask("interrupt");
    assert_eq!(answer["data"]["stopped"], true, "{answer}");
    assert!(target.is_held());
    assert_eq!(innermost(&ask("py-bt")), "second");
    assert!(target.is_held());
    drop(input);
    assert!(prompt.wait().expect("it ends").success());
    target.settle(false);
}

#[test]
fn a_command_is_watched_so_many_times() {
    let target = Target::start();
    let id = target.id().to_string();
    let args = ["attach", &id, "--json", "-q"];
    let answers = Pydbg::run(&args, &["watch -n 0.1 -c 3 py-bt", "info threads"]);
    let documents = documents(&String::from_utf8_lossy(&answers.stdout));
    let names: Vec<&str> = documents
        .iter()
        .filter_map(|d| d["command"].as_str())
        .collect();
    assert_eq!(names, ["py-bt", "py-bt", "py-bt", "watch", "info threads"]);
    assert!(
        documents[..3]
            .iter()
            .all(|document| innermost(document) == "first")
    );
    assert_eq!(documents[3]["data"]["rounds"], 3);
    assert_eq!(documents[3]["data"]["end"], "count");
    assert_eq!(answers.status, Some(0));
    for (line, words) in [
        ("watch", "specify a command"),
        ("watch -n 0 py-bt", "the interval is"),
        ("watch nosuch", "Undefined command"),
        ("watch quit", "does not repeat"),
        ("watch watch py-bt", "does not repeat"),
    ] {
        let answers = Pydbg::run(&["attach", &id, "-q"], &[line]);
        let complaint = String::from_utf8_lossy(&answers.stderr);
        assert!(complaint.contains(words), "{line}: {complaint}");
    }
}

#[test]
fn watching_ends_with_the_process_or_by_ctrl_c() {
    for (is_target, end) in [(true, "target"), (false, "interrupt")] {
        let target = Target::start();
        let mut pydbg = Command::new(env!("CARGO_BIN_EXE_pydbg"))
            .args([
                "attach",
                &target.id().to_string(),
                "-nx",
                "-q",
                "--json",
                "--batch",
            ])
            .args(["-ex", "watch -n 10 py-bt"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("pydbg cannot be run");
        let mut output = BufReader::new(pydbg.stdout.take().expect("piped"));
        let mut line = || {
            let mut line = String::new();
            output.read_line(&mut line).expect("a line");
            line
        };
        assert_eq!(innermost(&documents(&line())[0]), "first");
        std::thread::sleep(Duration::from_millis(100));
        if is_target {
            target.signal(Signal::SIGKILL);
        } else {
            kill(Pid::from_raw(pydbg.id() as i32), Signal::SIGINT).expect("it lives");
        }
        let last = &documents(&line())[0];
        assert_eq!(last["data"]["end"], end, "{last}");
        assert_eq!(pydbg.wait().expect("it ends").code(), Some(0));
    }
}
