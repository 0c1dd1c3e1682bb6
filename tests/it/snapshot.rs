//! Snapshots: what one answers is the truth and what the process answered while it was held; the
//! process runs on meanwhile, traced by nobody, and may end without being missed.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the process may take to use some more time of a processor; generous, because machines
/// are shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of a snapshot and of the process while it is held.
const QUESTIONS: [&str; 5] = [
    "py-bt all",
    "locks",
    "fds -n 0",
    "info threads",
    "info proc",
];

/// What is asked once more when the process has ended.
const AFTERWARDS: [&str; 7] = [
    "py-bt all",
    "bt all",
    "locks",
    "heap -n 5",
    "fds",
    "memory",
    "info threads",
];

/// A prompt that is asked by lines and answers by documents.
struct Prompt {
    pydbg: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Prompt {
    fn at_snapshot(pid: i32) -> Prompt {
        let mut pydbg = Command::new(env!("CARGO_BIN_EXE_pydbg"))
            .args(["attach", "--snapshot", &pid.to_string(), "-nx", "--json"])
            .env_remove("DEBUGINFOD_URLS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("pydbg cannot be run");
        let input = pydbg.stdin.take().expect("piped");
        let output = BufReader::new(pydbg.stdout.take().expect("piped")).lines();
        Prompt {
            pydbg,
            input,
            output,
        }
    }

    fn answer(&mut self) -> Result<Value, String> {
        let line = self.output.next().ok_or("pydbg has ended")?;
        let line = line.map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))
    }

    fn ask(&mut self, line: &str) -> Result<Value, String> {
        writeln!(self.input, "{line}").map_err(|error| error.to_string())?;
        self.answer()
    }

    /// The data of an answer.
    fn data(&mut self, line: &str) -> Result<Value, String> {
        let mut answer = self.ask(line)?;
        match answer["data"].take() {
            Value::Null => Err(format!("{line}: {answer}")),
            data => Ok(data),
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        let _ = self.pydbg.kill();
        let _ = self.pydbg.wait();
    }
}

/// The texts of a file of all threads of a process.
fn of_threads(pid: i32, file: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let read = |thread: fs::DirEntry| fs::read_to_string(thread.path().join(file)).ok();
    threads.flatten().filter_map(read).collect()
}

/// Whether some thread is stopped or traced, in words.
pub(crate) fn harm(pid: i32) -> Option<String> {
    let all = of_threads(pid, "status");
    let harmed = |status: &&String| {
        !status.contains("TracerPid:\t0\n")
            || status.contains("State:\tT")
            || status.contains("State:\tt")
    };
    match all.iter().find(harmed) {
        _ if all.is_empty() => Some("it has no threads".to_owned()),
        found => found.cloned(),
    }
}

/// The time of processors that a process has used, in clock ticks.
fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let tail = stat.rsplit(')').next().unwrap_or_default();
    let mut times = tail.split_whitespace().skip(11).take(2);
    let mut time = || times.next().and_then(|time| time.parse().ok()).unwrap_or(0);
    time() + time()
}

/// A process that spins is copied, goes on while it is looked at, and is killed.
fn goes_on(interpreter: &Interpreter) -> Result<(), String> {
    let fixture = Fixture::start(interpreter, "spin", &[]);
    let pid = fixture.pid();
    let mut prompt = Prompt::at_snapshot(pid);
    let banner = prompt.answer()?;
    let (target, told) = (&banner["target"], &banner["data"]["snapshot"]);
    if target["kind"] != "snapshot" || target["pid"] != pid || told["pid"] != pid {
        return Err(format!("the banner is {banner}"));
    }
    if told["pause_us"].as_u64() < Some(1) || told["taken_us"].as_u64() < Some(1) {
        return Err(format!("when: {told}"));
    }
    if let Some(harm) = harm(pid) {
        return Err(harm);
    }
    let (before, start) = (ticks(pid), Instant::now());
    let stacks = prompt.data("py-bt all")?;
    fixture.truth.compare(&stacks)?;
    while ticks(pid) < before + 20 {
        if start.elapsed() > PATIENCE {
            return Err("the process does not go on".to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    if prompt.data("py-bt all")? != stacks {
        return Err("the snapshot has changed".to_owned());
    }
    let origin = &prompt.data("info target")?["origin"]["snapshot"];
    if origin != told {
        return Err(format!("info target: {origin}, banner {told}"));
    }
    for line in ["continue", "interrupt", "watch py-bt", "gcore"] {
        let answer = prompt.ask(line)?;
        let error = answer["error"].as_str().unwrap_or_default();
        if !error.contains("snapshot") {
            return Err(format!("{line}: {answer}"));
        }
    }
    if let Some(harm) = harm(pid) {
        return Err(harm);
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|errno| errno.to_string())?;
    drop(fixture);
    for line in AFTERWARDS {
        prompt.data(line)?;
    }
    if prompt.data("py-bt all")? != stacks {
        return Err("the snapshot changed when the process ended".to_owned());
    }
    let left = prompt.data("detach")?.to_string();
    let none = prompt.ask("py-bt")?;
    match left.contains("No snapshot now") && none["error"].is_string() {
        true => Ok(()),
        false => Err(format!("{left}, then {none}")),
    }
}

#[test]
fn the_process_runs_on_and_may_end() {
    let all = interpreters();
    Failures::together(all, |interpreter, failures| {
        failures.check(&interpreter.id, goes_on(interpreter));
    })
    .finish();
}

/// Leaves out what is of the moment of the answer.
fn at_any_time(mut data: Value) -> Value {
    if let Some(data) = data.as_object_mut() {
        data.remove("live");
        data.remove("snapshot");
    }
    for thread in data["threads"].as_array_mut().into_iter().flatten() {
        let text = &mut thread["doing"]["text"];
        if text
            .as_str()
            .is_some_and(|text| text.starts_with("sleeping"))
        {
            *text = "sleeping".into();
        }
    }
    data
}

/// Bytes in RAM by /proc.
fn resident(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.trim().parse::<u64>().ok())
        .unwrap_or(0)
        << 10
}

fn same_answers(interpreter: &Interpreter) -> Result<(), String> {
    let fixture = Fixture::start(interpreter, "file_locks", &[]);
    let pid = fixture.pid().to_string();
    let lines = [&QUESTIONS[..], &["heap -n 5", "memory"]].concat();
    let ask = |words: &[&str]| Pydbg::run(&[words, &["--json", "-q"]].concat(), &lines);
    let before = resident(fixture.pid());
    let copied = ask(&["attach", "--snapshot", &pid]);
    let held = ask(&["-p", &pid]);
    for question in QUESTIONS {
        let copied = at_any_time(copied.document(question)?["data"].take());
        let held = at_any_time(held.document(question)?["data"].take());
        if copied != held {
            return Err(format!("{question}: snapshot {copied}\nheld {held}"));
        }
    }
    fixture
        .truth
        .compare(&copied.document("py-bt all")?["data"])?;
    let both = |question| Ok::<_, String>((copied.document(question)?, held.document(question)?));
    let (copy, live) = both("heap -n 5")?;
    let rows = |document: &Value| list(&document["data"]["rows"]).to_vec();
    if rows(&copy).len() != 5 || rows(&copy) != rows(&live) {
        return Err(format!("snapshot {copy}, held {live}"));
    }
    // What reads a live process brings pages of its files into RAM, so /proc is asked, and before.
    let (copy, _) = both("memory")?;
    let total = copy["data"]["total"].as_u64().unwrap_or_default();
    match before.abs_diff(total) < before / 50 && copy["data"]["basis"] == "resident" {
        true => Ok(()),
        false => Err(format!("resident: {before} by /proc, snapshot {total}")),
    }
}

#[test]
fn a_snapshot_answers_as_the_held_process_does() {
    let all = interpreters();
    Failures::together(all, |interpreter, failures| {
        failures.check(&interpreter.id, same_answers(interpreter));
    })
    .finish();
}

#[test]
fn a_process_that_is_held_already_is_let_go() {
    let Some(interpreter) = interpreters().first() else {
        return;
    };
    let fixture = Fixture::start(interpreter, "threads", &[]);
    let pid = fixture.pid().to_string();
    let lines = [
        "py-bt",
        &format!("attach --snapshot {pid}"),
        &format!("shell grep TracerPid /proc/{pid}/status"),
        "py-bt all",
        &format!("attach --snapshot --fork {pid}"),
        "info target",
    ];
    let answers = Pydbg::run(&["attach", &pid, "-q"], &lines);
    let text = String::from_utf8_lossy(&answers.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&answers.stderr).into_owned();
    assert_eq!(answers.status, Some(0), "{text}{complaint}");
    assert!(text.contains("TracerPid:\t0\n"), "{text}");
    assert_eq!(text.matches("taken at 2").count(), 3, "{text}");
    assert!(harm(fixture.pid()).is_none());
}
