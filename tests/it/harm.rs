//! Attaching harms nobody: a busy process that counts what must not happen to it (fixtures/self_check.c)
//! while pydbg comes, goes, and is killed. benches/harm.py does the same thousands of times.

use crate::harness::{fixtures, interpreters};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that is only waited for; generous, because machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// Threads that compute and wait.
const WORKERS: &str = "40";

/// What must stay 0 whoever attaches.
const FAULTS: [&str; 11] = [
    "lost",
    "doubled",
    "foreign",
    "ticks_off",
    "early",
    "wrong",
    "corrupt",
    "expirations_off",
    "stream",
    "misborn",
    "miswaited",
];

/// A process that notices when it is harmed.
struct SelfCheck {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl SelfCheck {
    /// Python with the C library in it.
    fn start() -> SelfCheck {
        let mut usable = interpreters().iter().filter(|i| !i.is_chroot());
        let interpreter = usable.rfind(|i| i.has("shared")).expect("an interpreter");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = folder.path().join("self_check.so");
        let status = Command::new("cc")
            .args(["-O1", "-pthread", "-fPIC", "-shared", "-o"])
            .arg(&library)
            .arg(fixtures().join("self_check.c"))
            .status();
        assert!(status.expect("cc is not installed").success());
        let mut child = Command::new(&interpreter.python)
            .arg(fixtures().join("self_check.py"))
            .arg(&library)
            .arg(WORKERS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cannot start the interpreter");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut started = SelfCheck {
            child,
            input,
            output,
            _folder: folder,
        };
        assert_eq!(started.line(), "ready\n");
        started
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// The states of all threads that are stopped or traced, when nobody holds them any more.
    fn still_held(&self) -> Vec<String> {
        let start = Instant::now();
        loop {
            let held = self.held();
            if held.is_empty() || start.elapsed() > PATIENCE {
                return held;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn held(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it lives");
        let status = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("status")).ok()?;
            let telling =
                |line: &&str| line.starts_with("State:") || line.starts_with("TracerPid:");
            let lines: Vec<&str> = text.lines().filter(telling).collect();
            let is_free = lines.iter().all(|line| {
                *line == "TracerPid:\t0" || line.contains('(') && !line.contains("top")
            });
            (!is_free).then(|| lines.join(" "))
        };
        tasks.flatten().filter_map(status).collect()
    }

    /// What it has to say.
    fn verdict(&mut self) -> Value {
        writeln!(self.input, "verdict").expect("it lives");
        serde_json::from_str(&self.line()).expect("a verdict")
    }

    /// Fails if anything has happened to it that must not.
    fn check(&mut self) -> Value {
        assert_eq!(self.still_held(), [""; 0]);
        let verdict = self.verdict();
        let python = &verdict["python"];
        for fault in FAULTS {
            assert_eq!(verdict[fault], 0, "{fault}: {verdict}");
        }
        for entry in [
            &verdict["stuck"],
            &python["stuck"],
            &python["wrong"],
            &python["early"],
        ] {
            assert_eq!(*entry, 0, "{verdict}");
        }
        // These are repeated by the kernel however they were interrupted.
        for call in [
            "nanosleep",
            "clock_nanosleep",
            "poll",
            "select",
            "read_timerfd",
        ] {
            assert_eq!(verdict["eintr"][call], 0, "{call}: {verdict}");
        }
        // And Python repeats the others.
        let eintr = python["eintr"].as_object().expect("an object");
        assert!(eintr.values().all(|count| *count == 0), "{verdict}");
        verdict
    }

    /// Starts pydbg on it.
    fn pydbg(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_pydbg"))
            .args(["attach", &self.pid(), "-nx"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pydbg cannot be run")
    }
}

impl Drop for SelfCheck {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers that look random (Knuth's generator), the same in each run.
fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    *state >> 33
}

#[test]
fn attached_again_and_again_nothing_is_lost() {
    let mut target = SelfCheck::start();
    target.check();
    for _ in 0..10 {
        for command in ["py-bt all", "bt all"] {
            let mut pydbg = target.pydbg(&["--batch", "-ex", command]);
            let status = pydbg.wait().expect("it ends").code();
            assert!(status == Some(0) || status == Some(3), "{status:?}");
        }
        let mut prompt = target.pydbg(&[]);
        let mut input = prompt.stdin.take().expect("piped");
        writeln!(input, "py-bt\ncontinue\npy-bt\ninterrupt\nquit").expect("it reads");
        let status = prompt.wait().expect("it ends").code();
        assert!(status == Some(0) || status == Some(3), "{status:?}");
    }
    let verdict = target.check();
    assert!(verdict["sent"].as_u64() > Some(100), "{verdict}");
}

#[test]
fn killed_at_any_moment_it_lets_go() {
    let mut target = SelfCheck::start();
    let ways = [
        Signal::SIGKILL,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
    ];
    let mut state = 7;
    let start = Instant::now();
    let mut whole = target.pydbg(&["--batch", "-ex", "py-bt all"]);
    whole.wait().expect("it ends");
    let life = start.elapsed().as_micros() as u64;
    for number in 0..52 {
        // Half of them hold the process until they are killed.
        let mut pydbg = match number % 2 {
            0 => target.pydbg(&["--batch", "-ex", "py-bt all"]),
            _ => target.pydbg(&[]),
        };
        std::thread::sleep(Duration::from_micros(random(&mut state) % life));
        let id = Pid::from_raw(pydbg.id() as i32);
        kill(id, ways[number / 2 % ways.len()]).expect("it is ours");
        drop(pydbg.stdin.take());
        pydbg.wait().expect("it ends");
        assert_eq!(target.still_held(), [""; 0], "kill {number}");
    }
    target.check();
}
