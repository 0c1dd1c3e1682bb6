//! Families that do not keep still, that are of several users, and whose waits lead out of one process; and the
//! names of threads of several processes.

use crate::harness::{Interpreter, Pydbg, interpreters, list};
use crate::odd_targets::{Odd, as_nobody, as_root, for_all, interpreter, texts};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// How long a process that goes on may show nothing of it on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The state and the tracer of a process; nothing when it has ended.
fn state(pid: i64) -> Option<(char, bool)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().to_owned())
    };
    let traced = value("TracerPid:")? != "0";
    Some((value("State:")?.chars().next()?, traced))
}

/// The children of a process now.
fn children(pid: i32) -> Vec<i64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.collect()
}

fn pids(rows: &Value) -> Vec<i64> {
    let rows = list(rows).iter();
    rows.filter_map(|row| row["pid"].as_i64()).collect()
}

/// A process that has 100 children a second, each of which lives for 30 ms.
const BIRTHS: &str = "
for _ in range(2):
    if os.fork() == 0:
        signal.alarm(120)
        time.sleep(100)
ready()
while True:
    if os.fork() == 0:
        time.sleep(0.03)
        os._exit(0)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except OSError:
        pass
    time.sleep(0.01)
";

#[test]
fn children_that_are_born_and_die_meanwhile() {
    let odd = Odd::start(interpreter(), &[], BIRTHS);
    let pid = odd.pid.to_string();
    let attach = format!("attach --tree {pid}");
    for stop in [&["--json"][..], &["--json", "--no-stop"]] {
        let lines = [&*attach, "stacks", "locks --tree", "fds --shared"];
        let run = Pydbg::run(stop, &lines);
        let family = run.document(&attach).unwrap();
        assert!(list(&family["data"]["inferiors"]).len() >= 3, "{family}");
        for line in &lines[1..] {
            let answer = run.document(line).unwrap();
            for note in list(&answer["notes"]) {
                let text = note["text"].as_str().unwrap_or_default();
                assert!(!text.contains("not looked at"), "{line}: {note}");
            }
        }
        assert_eq!(
            run.document("locks --tree").unwrap()["data"]["verdicts"],
            json!([])
        );
        std::thread::sleep(Duration::from_millis(100));
        let all = [&[i64::from(odd.pid)], &*children(odd.pid)].concat();
        for pid in &all {
            if let Some((state, traced)) = state(*pid) {
                assert!(!traced && !"Tt".contains(state), "{pid} is {state}");
            }
        }
        let before = children(odd.pid);
        let start = Instant::now();
        while before == children(odd.pid) {
            assert!(start.elapsed() < PATIENCE, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_family_of_several_users() {
    let readable = |i: &&Interpreter| i.python.starts_with("/usr/") && !i.is_chroot();
    let Some(interpreter) = interpreters().iter().find(readable).filter(|_| as_root()) else {
        return;
    };
    let script = "
for own in (True, False):
    if os.fork() == 0:
        signal.alarm(120)
        if own:
            time.sleep(100)
        os.setgid(65534)
        os.setuid(65534)
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(100)'])
time.sleep(0.5)
ready()
time.sleep(100)
";
    let odd = Odd::start(interpreter, &[], script);
    let pid = odd.pid.to_string();
    let [own, other] = *children(odd.pid) else {
        panic!("no children");
    };
    let (_copy, program) = for_all();
    let ask = |args: &[&str]| {
        let mut command = as_nobody();
        command.arg(&program).args(args).args(["--batch", "-nx"]);
        let output = command.output().expect("setpriv");
        let (text, complaint) = texts(&output);
        (text, complaint, output.status.code())
    };
    let (text, complaint, status) = ask(&["ps", &pid, "--json"]);
    assert_eq!(status, Some(0), "{complaint}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    for row in list(&answer["data"]["processes"]) {
        let known = row["pid"] == other;
        assert_eq!(row["verdict"]["kind"] != "unknown", known, "{row}");
        assert_eq!(row["version"].is_string(), known, "{row}");
        assert_eq!(row["uid"], if known { 65534 } else { 0 }, "{row}");
        let why = row["verdict"]["doing"].as_str().unwrap_or_default();
        assert_eq!(why.contains("runs as user 0"), !known, "{row}");
    }
    assert_eq!(pids(&answer["data"]["processes"]).len(), 3);
    let tree = ["--json", "-ex", "attach --tree PID", "-ex", "stacks"];
    let tree = tree.map(|word| word.replace("PID", &pid));
    let (text, complaint, _) = ask(&tree.each_ref().map(String::as_str));
    let documents: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [family, stacks] = documents.as_slice() else {
        panic!("{text}{complaint}");
    };
    assert_eq!(pids(&family["data"]["inferiors"]), [other]);
    assert_eq!(pids(&family["data"]["refused"]), [i64::from(odd.pid), own]);
    assert_eq!(stacks["data"]["groups"][0]["count"], 1, "{stacks}");
    // root has them all.
    let answer = Pydbg::run(&["ps", &pid, "--json"], &[]).document(&format!("ps {pid}"));
    for row in list(&answer.unwrap()["data"]["processes"]) {
        assert!(row["version"].is_string(), "{row}");
    }
}

/// A process whose child waits for what it says, and that waits for a lock meanwhile.
const WAITS: &str = "
lock = threading.Lock()
lock.acquire()
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    signal.alarm(120)
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
def wait():
    os.waitpid(child, 0)
waiter = threading.Thread(target=wait)
waiter.daemon = True
waiter.start()
time.sleep(0.3)
ready()
lock.acquire()
";

#[test]
fn a_wait_that_other_processes_explain_is_told() {
    let odd = Odd::start(interpreter(), &[], WAITS);
    let [child] = *children(odd.pid) else {
        panic!("one child");
    };
    // Thread 3 waits for the child, thread 1 for a lock of its own.
    let elsewhere = |pid: i32| {
        let answer = Pydbg::live(pid, &[], "locks").unwrap();
        answer["data"]["elsewhere"].clone()
    };
    let expected = json!({ "waits": [{ "thread": 3, "pids": [child] }], "ask": ["locks --tree"] });
    assert_eq!(elsewhere(odd.pid), expected);
    // What the child waits for is above it.
    let ask = [format!("attach --tree {}", odd.pid), "locks --tree".into()];
    let expected = json!({ "waits": [{ "thread": 1, "pids": [odd.pid] }], "ask": ask });
    assert_eq!(elsewhere(child as i32), expected);
    let run = Pydbg::run(&["attach", &child.to_string(), "-q"], &["locks"]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        text.contains("Thread 1 waits for what other processes may do: ")
            && text.contains(" That may explain it: \"attach --tree "),
        "{text}"
    );
    // A thread that only sleeps explains nothing.
    let alone = Odd::start(interpreter(), &[], "ready()\ntime.sleep(60)\n");
    assert_eq!(elsewhere(alone.pid), Value::Null);
}

#[test]
fn threads_of_several_processes_have_names_of_two_numbers() {
    let odd = Odd::start(interpreter(), &[], WAITS);
    let pid = odd.pid.to_string();
    let asked = |lines: &[&str]| {
        let run = Pydbg::run(&["attach", "--tree", &pid, "-q"], lines);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&run.stdout), text(&run.stderr))
    };
    let (text, complaint) = asked(&["thread 2.1", "thread", "inferior", "thread 1.2", "inferior"]);
    for line in [
        "[Switching to thread 2.1 (Thread 0x",
        "[Current thread is 2.1 (Thread 0x",
        "[Current inferior is 2 ",
        "[Switching to thread 1.2 (Thread 0x",
        "[Current inferior is 1 ",
    ] {
        assert!(text.contains(line), "{line}: {text}{complaint}");
    }
    for (line, error) in [
        ("thread 2.9", "Unknown thread 2.9."),
        ("thread 9", "Unknown thread 9."),
        ("thread 3.1", "No inferior number '3'"),
        ("thread 1.x", "Invalid thread ID: 1.x"),
        ("thread apply 2.9 py-bt", "Unknown thread 2.9."),
    ] {
        let (text, complaint) = asked(&[line]);
        assert!(complaint.contains(error), "{line}: {text}{complaint}");
    }
    let (text, _) = asked(&[
        "thread apply 1.1 2.1 2.* py-bt",
        "thread",
        "inferior 2",
        "thread",
    ]);
    for line in [
        "\nThread 1.1 (Thread 0x",
        "\nThread 2.1 (Thread 0x",
        "[Current thread is 1.1 (",
        "[Current thread is 2.1 (",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(text.matches("\nThread 2.1 (Thread 0x").count(), 2, "{text}");
    let (text, _) = asked(&["complete thread 2."]);
    assert_eq!(text.trim_end().lines().last(), Some("thread 2.1"), "{text}");
    let args = ["attach", "--tree", &*pid, "-q", "--json"];
    let line = "thread apply 1.1 2.1 py-bt";
    let answer = Pydbg::run(&args, &[line]).document(line).unwrap();
    let threads = list(&answer["data"]["threads"]).iter();
    let names: Vec<_> = threads
        .map(|thread| (&thread["inferior"], &thread["id"]))
        .collect();
    assert_eq!(names, [(&json!(1), &json!(1)), (&json!(2), &json!(1))]);
}
