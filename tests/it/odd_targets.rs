//! Processes in odd circumstances: each is answered, with Python frames where there are any, or with one clear
//! sentence. What the engine does with them is in src/target/live_tests.rs.

use crate::harness::{Interpreter, interpreters};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whatever takes longer hangs. An answer takes less than three seconds, but tests share their machine and
/// are not optimised.
const LIMIT: Duration = Duration::from_secs(45);

/// How long a target may take to be what it is to be.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Python program that says its id when it is ready.
pub(crate) struct Odd {
    child: Child,
    pub(crate) pid: i32,
    _folder: TempDir,
}

impl Odd {
    /// Runs `program` on an interpreter, behind the words of a `launcher`. It has `ready()`, which says its id,
    /// and a thread in the function `beside`.
    pub(crate) fn start(interpreter: &Interpreter, launcher: &[&str], program: &str) -> Odd {
        Odd::run(&interpreter.python, launcher, program)
    }

    fn run(python: &str, launcher: &[&str], program: &str) -> Odd {
        const BEFORE: &str = "\
import ctypes, os, signal, sys, threading, time
signal.alarm(120)
def beside():
    while True:
        time.sleep(1)
def ready():
    os.write(1, ('%d\\n' % os.getpid()).encode())
def background():
    thread = threading.Thread(target=beside)
    thread.daemon = True
    thread.start()
background()
";
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("odd.py");
        fs::write(&script, format!("{BEFORE}{program}")).expect("written");
        let mut words: Vec<&str> = launcher.to_vec();
        words.push(python);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(&script);
        command.current_dir(folder.path()).process_group(0);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        let own: i32 = line.trim().parse().expect("a process id");
        let pid = outside(child.id() as i32, own);
        Odd {
            child,
            pid,
            _folder: folder,
        }
    }

    /// Waits until its threads have these states.
    fn settle(&self, wanted: &str) {
        let start = Instant::now();
        while self.states() != wanted {
            assert!(
                start.elapsed() < PATIENCE,
                "{}, not {wanted}",
                self.states()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn states(&self) -> String {
        let mut tasks: Vec<_> = fs::read_dir(format!("/proc/{}/task", self.pid))
            .map(|tasks| tasks.flatten().map(|task| task.path()).collect())
            .unwrap_or_default();
        tasks.sort();
        let state = |task: &std::path::PathBuf| {
            let stat = fs::read_to_string(task.join("stat")).ok()?;
            stat.rsplit(')').next()?.trim().chars().next()
        };
        tasks.iter().filter_map(state).collect()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("it lives");
    }

    /// What `py-bt all` answers, within the limit; the text and the complaint.
    fn answer(&self) -> (String, String) {
        answer(self.pid)
    }

    /// Its answer has the frames of these functions.
    fn shows(&self, functions: &[&str]) -> String {
        let (text, complaint) = self.answer();
        for function in functions {
            let frame = format!(", in {function}\n");
            assert!(text.contains(&frame), "{function}: {text}{complaint}");
        }
        text
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(-(self.child.id() as i32)), Signal::SIGKILL);
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// The id here of the process that calls itself `own`: `started`, or a descendant in a namespace.
fn outside(started: i32, own: i32) -> i32 {
    if own == started {
        return own;
    }
    let mut at = started;
    loop {
        let children = fs::read_to_string(format!("/proc/{at}/task/{at}/children"));
        let child = children
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse().ok());
        match child {
            Some(child) => at = child,
            None => return at,
        }
    }
}

fn pydbg(pid: i32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pydbg"));
    command.args([
        "-batch",
        "-nx",
        "-q",
        "-ex",
        "py-bt all",
        "-p",
        &pid.to_string(),
    ]);
    command.stdin(Stdio::null());
    command
}

pub(crate) fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn answer(pid: i32) -> (String, String) {
    let start = Instant::now();
    let output = pydbg(pid).output().expect("pydbg cannot be run");
    assert!(output.status.code().is_some(), "it died: {output:?}");
    assert!(start.elapsed() < LIMIT, "no answer within {LIMIT:?}");
    texts(&output)
}

/// One version is enough for what the kernel does.
pub(crate) fn interpreter() -> &'static Interpreter {
    let mut usable = interpreters().iter().filter(|i| !i.is_chroot());
    usable
        .rfind(|i| i.version >= (3, 8) && i.has("gil"))
        .expect("an interpreter of 3.8 or later")
}

/// Whether this can be had; says so if not.
pub(crate) fn as_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        println!("skipped: needs root");
    }
    is_root
}

#[test]
fn a_process_that_is_stopped_stays_so() {
    let odd = Odd::start(
        interpreter(),
        &[],
        "def main():\n    ready()\n    time.sleep(60)\nmain()\n",
    );
    odd.settle("SS");
    odd.signal(Signal::SIGSTOP);
    odd.settle("TT");
    let text = odd.shows(&["main", "beside"]);
    assert!(text.contains("was stopped (SIGSTOP) before"), "{text}");
    odd.settle("TT");
    odd.signal(Signal::SIGCONT);
    odd.settle("SS");
}

#[test]
fn a_stopped_process_that_is_continued_while_it_is_held_goes_on() {
    let odd = Odd::start(
        interpreter(),
        &[],
        "def main():\n    ready()\n    time.sleep(60)\nmain()\n",
    );
    odd.settle("SS");
    odd.signal(Signal::SIGSTOP);
    odd.settle("TT");
    let mut prompt = Command::new(env!("CARGO_BIN_EXE_pydbg"))
        .args(["attach", &odd.pid.to_string(), "-nx"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("pydbg cannot be run");
    odd.settle("tt");
    odd.signal(Signal::SIGCONT);
    drop(prompt.stdin.take());
    assert!(prompt.wait().expect("it ends").success());
    odd.settle("SS");
}

#[test]
fn the_parent_of_a_vfork_does_not_hold_up_the_answer() {
    // The child waits before its execve() until somebody writes to the pipe.
    let program = "
def main():
    os.mkfifo('fifo')
    ready()
    os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, 'fifo', os.O_RDONLY, 0)])
    time.sleep(60)
main()
";
    let odd = Odd::start(interpreter(), &[], program);
    odd.settle("DS");
    let text = odd.shows(&["main", "beside"]);
    assert!(text.contains("did not stop in time"), "{text}");
    odd.settle("DS");
    // The child goes on, and so does the parent.
    fs::write(odd._folder.path().join("fifo"), "").expect("the child reads");
    odd.settle("SS");
}

#[test]
fn a_main_thread_that_has_ended_hides_no_other() {
    let program = "
def main():
    ready()
    ctypes.CDLL(None).syscall(60, 0)
main()
";
    let odd = Odd::start(interpreter(), &[], program);
    odd.settle("ZS");
    let text = odd.shows(&["beside"]);
    assert!(text.contains("the main thread has ended"), "{text}");
}

#[test]
fn a_process_on_its_way_out_is_answered() {
    let interpreter = interpreter();
    for _ in 0..5 {
        let odd = Odd::start(
            interpreter,
            &[],
            "ready()\nx = bytearray(1 << 26)\ntime.sleep(60)\n",
        );
        odd.signal(Signal::SIGKILL);
        let (text, complaint) = odd.answer();
        let why = ["beside", "has ended", "has just ended", "no such process"];
        let said = why
            .iter()
            .any(|words| text.contains(words) || complaint.contains(words));
        assert!(said, "{text}{complaint}");
        assert!(complaint.lines().count() <= 1, "{complaint}");
    }
}

#[test]
fn another_debugger_is_named() {
    let odd = Odd::start(interpreter(), &[], "ready()\ntime.sleep(60)\n");
    let mut other = Command::new(env!("CARGO_BIN_EXE_pydbg"))
        .args(["attach", &odd.pid.to_string(), "-nx"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("pydbg cannot be run");
    odd.settle("tt");
    let (text, complaint) = odd.answer();
    let whom = format!("process {} (pydbg) traces it already", other.id());
    assert!(
        complaint.contains(&whom) && complaint.lines().count() == 1,
        "{text}{complaint}"
    );
    drop(other.stdin.take());
    other.wait().expect("it ends");
}

/// What runs a program as nobody.
pub(crate) fn as_nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command
}

/// pydbg where every user can run it.
pub(crate) fn for_all() -> (TempDir, PathBuf) {
    let copy = tempfile::Builder::new()
        .prefix("pydbg-odd-")
        .tempdir_in("/tmp")
        .expect("a folder");
    let program = copy.path().join("pydbg");
    fs::copy(env!("CARGO_BIN_EXE_pydbg"), &program).expect("copied");
    run(Command::new("chmod").arg("-R").arg("a+rx").arg(copy.path()));
    (copy, program)
}

#[test]
fn a_process_of_another_user() {
    let readable = |i: &&Interpreter| i.python.starts_with("/usr/") && !i.is_chroot();
    let Some(interpreter) = interpreters().iter().find(readable).filter(|_| as_root()) else {
        return;
    };
    // pydbg as nobody, and a process that is root's.
    let mine = Odd::start(interpreter, &[], "ready()\ntime.sleep(60)\n");
    let (_copy, program) = for_all();
    let output = as_nobody()
        .arg(&program)
        .args([
            "-batch",
            "-nx",
            "-ex",
            "py-bt all",
            "-p",
            &mine.pid.to_string(),
        ])
        .stdin(Stdio::null())
        .output()
        .expect("setpriv");
    let (text, complaint) = texts(&output);
    assert!(
        complaint.contains("runs as user 0 and pydbg as user 65534"),
        "{text}{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    // pydbg as root, and a process that is nobody's.
    let script = "import os, time, signal\nsignal.alarm(120)\ndef main():\n    os.write(1, b'%d\\n' % os.getpid())\n    time.sleep(60)\nmain()\n";
    let mut child = as_nobody()
        .args([&interpreter.python, "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("setpriv");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("a line");
    let (text, complaint) = answer(child.id() as i32);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    assert!(text.contains(", in main\n"), "{text}{complaint}");
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program is not installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn a_process_in_another_pid_namespace() {
    if as_root() {
        let odd = Odd::start(
            interpreter(),
            &["unshare", "--pid", "--fork", "--kill-child"],
            "def main():\n    ready()\n    time.sleep(60)\nmain()\n",
        );
        odd.shows(&["main", "beside"]);
    }
}

#[test]
fn a_process_in_another_mount_namespace() {
    if as_root() {
        // The interpreter lies where this machine has an empty folder.
        let interpreter = interpreter();
        let prefix = Path::new(&interpreter.python)
            .ancestors()
            .nth(2)
            .expect("PREFIX/bin/python");
        let empty = tempfile::tempdir().expect("a temporary folder");
        let python = empty.path().join(
            Path::new(&interpreter.python)
                .strip_prefix(prefix)
                .expect("inside"),
        );
        let mount = format!(
            "mount --make-rprivate / && mount --bind {} {} && export LD_LIBRARY_PATH={}/lib && exec \"$@\"",
            prefix.display(),
            empty.path().display(),
            empty.path().display()
        );
        let launcher = ["unshare", "--mount", "sh", "-c", &mount, "sh"];
        let python = python.to_str().expect("UTF-8");
        let odd = Odd::run(
            python,
            &launcher,
            "def main():\n    ready()\n    time.sleep(60)\nmain()\n",
        );
        assert!(!Path::new(python).exists());
        odd.shows(&["main", "beside"]);
    }
}

#[test]
fn a_program_without_python_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("plain.c");
    fs::write(
        &source,
        "#include <unistd.h>\nint main(void) { alarm(60); for (;;) pause(); }\n",
    )
    .expect("written");
    let program = folder.path().join("plain");
    run(Command::new("cc")
        .arg("-static")
        .arg("-o")
        .arg(&program)
        .arg(&source));
    let mut child = Command::new(&program).spawn().expect("it runs");
    let (text, complaint) = answer(child.id() as i32);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    assert!(
        text.is_empty() && complaint.lines().count() == 1,
        "{text}{complaint}"
    );
    assert!(complaint.contains("Python"), "{complaint}");
}

#[test]
fn a_thousand_threads() {
    let program = "
threading.stack_size(128 << 10)
for _ in range(999):
    background()
def main():
    ready()
    time.sleep(60)
main()
";
    let odd = Odd::start(interpreter(), &[], program);
    let text = odd.shows(&["main", "beside"]);
    assert_eq!(text.matches(", in beside\n").count(), 1000);
}

#[test]
fn threads_that_come_and_go() {
    let program = "
def churn():
    while True:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
for _ in range(3):
    thread = threading.Thread(target=churn)
    thread.daemon = True
    thread.start()
def main():
    ready()
    time.sleep(60)
main()
";
    let odd = Odd::start(interpreter(), &[], program);
    for _ in 0..5 {
        odd.shows(&["main", "beside", "churn"]);
    }
}

#[test]
fn a_program_that_replaces_itself_all_the_time() {
    // It is another thread than the main one that does it, so that all others must die first.
    let program = "
threading.stack_size(128 << 10)
for _ in range(20):
    background()
def again():
    time.sleep(0.02)
    os.environ['AGAIN'] = '1'
    os.execv(sys.executable, [sys.executable] + sys.argv)
threading.Thread(target=again).start()
if 'AGAIN' not in os.environ:
    ready()
time.sleep(60)
";
    let odd = Odd::start(interpreter(), &[], program);
    let mut whole = 0;
    for _ in 0..20 {
        let (text, complaint) = odd.answer();
        whole += usize::from(text.contains(", in beside\n"));
        assert!(complaint.lines().count() <= 1, "{complaint}");
    }
    println!("{whole} of 20 had frames");
    // It is at it still.
    let seen = |odd: &Odd| fs::metadata(format!("/proc/{}/task", odd.pid)).is_ok();
    assert!(seen(&odd));
}
