//! Cores that pydbg writes: what they answer is what the process answered while it was held, other
//! debuggers read them, and where one cannot be written the process goes on and nothing is left.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Nothing is cut, so that values can be compared as they are.
const WHOLE: [&str; 2] = ["set print repr-limit 0", "set print elements 0"];

/// What is asked of the process and of its core.
const QUESTIONS: [&str; 4] = [
    "bt all",
    "py-bt -l all",
    "thread apply all info registers",
    "info auxv",
];

/// A core of a fixture, and what the process answered in the very hold in which it was written.
struct Dumped {
    fixture: Fixture,
    core: PathBuf,
    answers: Pydbg,
}

fn dumped(interpreter: &Interpreter, name: &str) -> Dumped {
    let fixture = Fixture::start(interpreter, name, &[]);
    let core = fixture.dir().join("own.core");
    let save = format!("generate-core-file {}", core.display());
    let commands = [&WHOLE[..], &QUESTIONS, &[save.as_str()]].concat();
    let pid = fixture.pid().to_string();
    let answers = Pydbg::run(&["attach", &pid, "--json", "-q"], &commands);
    Dumped {
        fixture,
        core,
        answers,
    }
}

/// The first place where two answers differ, in words. What a core does not tell is left out: the
/// kernel's names of threads.
fn difference(at: &str, live: &Value, core: &Value) -> Option<String> {
    const UNTOLD: [&str; 1] = ["os_name"];
    match (live, core) {
        (Value::Object(live), Value::Object(core)) => {
            let keys = live.keys().chain(core.keys());
            let mut keys = keys.filter(|key| !UNTOLD.contains(&key.as_str()));
            keys.find_map(|key| {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(key).cloned().unwrap_or_default()
                };
                difference(&format!("{at}.{key}"), &of(live), &of(core))
            })
        }
        (Value::Array(live), Value::Array(core)) if live.len() == core.len() => {
            let mut pairs = live.iter().zip(core).enumerate();
            pairs.find_map(|(n, (live, core))| difference(&format!("{at}[{n}]"), live, core))
        }
        // How long it still sleeps is of the moment of the answer.
        (Value::String(live), Value::String(core))
            if live.starts_with("sleeping ") && core.starts_with("sleeping ") =>
        {
            None
        }
        _ => (live != core).then(|| format!("{at}: live {live}, core {core}")),
    }
}

fn same_answers(interpreter: &Interpreter, name: &str) -> Result<(), String> {
    let Dumped {
        fixture,
        core,
        answers,
    } = dumped(interpreter, name);
    let path = core.display().to_string();
    let saved = answers.document(&format!("generate-core-file {path}"))?;
    if saved["data"]["threads"] != fixture_threads(&fixture) {
        return Err(format!(
            "{} threads are in the core",
            saved["data"]["threads"]
        ));
    }
    let args = [
        &["core", &path, "--json", "-q"],
        interpreter.sysroot().as_slice(),
    ]
    .concat();
    let of_core = Pydbg::run(&args, &[&WHOLE[..], &QUESTIONS].concat());
    for question in QUESTIONS {
        let (live, core) = (answers.document(question)?, of_core.document(question)?);
        if let Some(differs) = difference(question, &live["data"], &core["data"]) {
            return Err(differs);
        }
    }
    match list(&of_core.document("bt all")?["notes"]) {
        [] => Ok(()),
        notes => Err(format!("notes on the core: {notes:?}")),
    }
}

fn fixture_threads(fixture: &Fixture) -> usize {
    fs::read_dir(format!("/proc/{}/task", fixture.pid())).map_or(0, Iterator::count)
}

#[test]
fn a_core_answers_as_the_process_did() {
    let all: Vec<_> = interpreters().iter().enumerate().collect();
    let failures = Failures::together(&all, |(turn, interpreter), failures| {
        let name = if turn % 2 == 0 { "threads" } else { "locals" };
        let what = format!("{} {name}", interpreter.id);
        failures.check(&what, same_answers(interpreter, name));
    });
    failures.finish();
}

/// The registers that gdb prints of each thread, by LWP.
fn gdb_registers(text: &str) -> BTreeMap<i64, BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some((_, rest)) = line
            .strip_prefix("Thread ")
            .and_then(|l| l.split_once("LWP "))
        {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            current = digits
                .parse()
                .ok()
                .map(|tid: i64| all.entry(tid).or_default());
            continue;
        }
        let mut words = line.split_whitespace();
        if let (Some(registers), Some(name), Some(value)) =
            (&mut current, words.next(), words.next())
            && let Some(Ok(value)) = value.strip_prefix("0x").map(|v| u64::from_str_radix(v, 16))
        {
            let registers: &mut BTreeMap<String, u64> = registers;
            registers.insert(name.to_owned(), value);
        }
    }
    all
}

fn gdb(program: &str, core: &Path, commands: &[&str]) -> String {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch"]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let output = gdb.arg(program).arg(core).stdin(Stdio::null()).output();
    let Output { stdout, stderr, .. } = output.expect("gdb is not installed");
    format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    )
}

fn gdb_reads(interpreter: &Interpreter) -> Result<(), String> {
    let Dumped {
        fixture: _fixture,
        core,
        answers,
    } = dumped(interpreter, "threads");
    let live = answers.document("thread apply all info registers")?;
    let text = gdb(
        &interpreter.python,
        &core,
        &[
            "thread apply all info registers",
            "thread apply all p $ymm0.v8_int32",
        ],
    );
    let theirs = gdb_registers(&text);
    let threads = list(&live["data"]["results"]);
    if threads.len() != theirs.len() || threads.is_empty() {
        return Err(format!(
            "{} threads, gdb {}: {text}",
            threads.len(),
            theirs.len()
        ));
    }
    for thread in threads {
        let tid = thread["tid"].as_i64().unwrap_or_default();
        let theirs = theirs.get(&tid).ok_or(format!("gdb has no LWP {tid}"))?;
        let ours = thread["data"]["registers"]
            .as_object()
            .ok_or("no registers")?;
        for (name, value) in ours {
            let value = value.as_str().unwrap_or_default().trim_start_matches("0x");
            let value = u64::from_str_radix(value, 16).ok();
            // gdb 13 shows neither for a core.
            if matches!(name.as_str(), "fs_base" | "orig_rax") && !theirs.contains_key(name) {
                continue;
            }
            if value != theirs.get(name).copied() {
                return Err(format!(
                    "{tid} {name}: {value:x?}, gdb {:x?}",
                    theirs.get(name)
                ));
            }
        }
        if ours.len() < 18 {
            return Err(format!("only {} registers", ours.len()));
        }
    }
    let vectors = text
        .lines()
        .filter(|line| line.starts_with("$") && line.contains("= {"))
        .count();
    if vectors != threads.len() || text.contains("unavailable") {
        return Err(text);
    }
    let text = gdb(
        &interpreter.python,
        &core,
        &["info all-registers st0", "p $mxcsr", "bt"],
    );
    let whole = text.contains("st0 ") && text.contains(" IM ") && text.contains("#0 ");
    if whole && !text.contains("program terminated") {
        return Ok(());
    }
    Err(text)
}

#[test]
fn gdb_reads_the_same_registers() {
    let mut failures = Failures::default();
    let plain = interpreters()
        .iter()
        .filter(|interpreter| !interpreter.is_chroot());
    for interpreter in plain.rev().take(2) {
        failures.check(&interpreter.id, gdb_reads(interpreter));
    }
    failures.finish();
}

/// A process that sleeps, and is ended with the test.
pub(crate) struct Sleeper(Child);

impl Sleeper {
    /// Python code that ends by printing a line, which is given back.
    pub(crate) fn start(code: &str) -> (Sleeper, String) {
        use std::io::{BufRead, BufReader};
        let interpreter = interpreters()
            .iter()
            .rfind(|i| !i.is_chroot() && i.version >= (3, 6));
        let python = &interpreter.expect("an interpreter").python;
        let code = format!("{code}\nimport sys, time\nsys.stdout.flush()\ntime.sleep(1000)");
        let mut command = Command::new(python);
        let command = command.args(["-c", &code]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        (Sleeper(child), line.trim().to_owned())
    }

    pub(crate) fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Whether it runs on, traced by nobody.
    pub(crate) fn goes_on(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let status = status.unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        let state = state.and_then(|state| state.trim().chars().next());
        state.is_some_and(|state| "RSD".contains(state)) && status.contains("TracerPid:\t0\n")
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `pydbg dump`, in the words of a shell that may set limits before; exit status and complaint.
pub(crate) fn dump(words: &str) -> (Option<i32>, String) {
    let words = words.replace("pydbg", env!("CARGO_BIN_EXE_pydbg"));
    let output = Command::new("sh")
        .args(["-c", &words])
        .stdin(Stdio::null())
        .output();
    let output = output.expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What is in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<_> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn where_no_core_can_be_written_the_process_goes_on() {
    let (sleeper, _) = Sleeper::start("print(1)");
    let pid = sleeper.pid();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let refused = |words: &str, status: i32, why: &str| {
        let (ended, text) = dump(words);
        assert!(
            ended == Some(status) && text.contains(why),
            "{words}: {ended:?} {text}"
        );
        assert!(sleeper.goes_on(), "{words}");
    };
    fs::write(path("there"), "theirs").expect("written");
    symlink("nowhere", path("link")).expect("a link");
    let (there, link) = (path("there"), path("link"));
    refused(
        &format!("pydbg dump {pid} -o {there}"),
        1,
        "exists already; --force",
    );
    refused(
        &format!("pydbg dump {pid} -o {link}"),
        1,
        "exists already; --force",
    );
    refused(
        &format!("ulimit -f 64; pydbg dump {pid} -o {there} --force"),
        1,
        "ulimit -f",
    );
    refused(
        &format!("pydbg dump {pid} -o {}", path("no/core")),
        1,
        "no such folder",
    );
    refused(
        &format!("pydbg dump 4194305 -o {}", path("x")),
        4,
        "no such process",
    );
    refused(&format!("pydbg dump 2 -o {}", path("x")), 4, "");
    refused(
        &format!("pydbg dump {pid} --force -ex bt"),
        2,
        "no commands",
    );
    let full = format!("mount -t tmpfs -o size=2m none {} && exec", path("."));
    let (mounts, _) = dump(&format!("unshare -m sh -c '{full} true'"));
    if mounts == Some(0) {
        let words = format!(
            "unshare -m sh -c '{full} pydbg dump {pid} -o {}'",
            path("core")
        );
        refused(&words, 1, "are free; name a file on another");
    }
    let open = folder.path().join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).expect("permitted");
    refused(
        &format!("pydbg dump {pid} -o {}", path("open/core")),
        1,
        "no sticky bit",
    );
    assert_eq!(names(&open), [""; 0]);
    assert_eq!(fs::read(path("there")).expect("there"), b"theirs");
    assert_eq!(names(folder.path()), ["link", "open", "there"]);

    let (status, text) = dump(&format!("umask 0; pydbg dump {pid} -o {link} --force"));
    assert_eq!(status, Some(0), "{text}");
    let written = fs::symlink_metadata(&link).expect("written");
    assert!(written.is_file() && written.mode() & 0o7777 == 0o600);
    let (status, text) = dump(&format!(
        "umask 0777; pydbg --json dump {pid} -o {there} --force"
    ));
    assert_eq!(status, Some(0), "{text}");
    let document: Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(document["data"]["written"], there);
    assert!(document["data"]["pause_us"].as_u64() > Some(0));
    assert_eq!(
        fs::metadata(&there).expect("written").mode() & 0o7777,
        0o600
    );
    assert_eq!(names(folder.path()), ["link", "open", "there"]);
    assert!(sleeper.goes_on());

    // It is killed while it is held.
    let core = path("core");
    let lines = [
        format!("shell kill -9 {pid}; sleep 0.1"),
        format!("gcore {core}"),
    ];
    let lines = lines.each_ref().map(String::as_str);
    let answers = Pydbg::run(&["attach", &pid, "-q"], &lines);
    let complaint = String::from_utf8_lossy(&answers.stderr).into_owned();
    assert!(
        complaint.contains("ended") || complaint.contains("no such process"),
        "{complaint}"
    );
    assert_eq!(names(folder.path()), ["link", "open", "there"]);
}

#[test]
fn packed_cores_open_as_they_are() {
    let (sleeper, _) = Sleeper::start("def waits():\n  print(1)\nwaits()");
    let folder = tempfile::tempdir().expect("a folder");
    let size = |name: &str| {
        fs::metadata(folder.path().join(name))
            .expect("written")
            .blocks()
    };
    let here = folder.path().display();
    for (kind, suffix) in [("zstd", "zst"), ("lz4", "lz4"), ("", "")] {
        let option = if kind.is_empty() {
            String::new()
        } else {
            format!("--compress {kind}")
        };
        let (status, text) = dump(&format!("cd {here}; pydbg dump {} {option}", sleeper.pid()));
        assert_eq!(status, Some(0), "{text}");
        let name = format!("core.{}.{suffix}", sleeper.pid());
        let core = folder.path().join(name.trim_end_matches('.'));
        let answer = Pydbg::core(&core, &[], "py-bt").expect("an answer");
        let frames = list(&answer["data"]["threads"][0]["frames"]);
        assert_eq!(frames[0]["function"], "<module>", "{answer}");
        if !kind.is_empty() && Command::new(kind).arg("-h").output().is_ok() {
            let tested = Command::new(kind)
                .arg("-tq")
                .arg(&core)
                .status()
                .expect("runs");
            assert!(tested.success(), "{kind}");
        }
    }
    let pid = sleeper.pid();
    assert!(size(&format!("core.{pid}.zst")) * 2 < size(&format!("core.{pid}")));
}

#[test]
fn a_process_that_is_made_to_fork_goes_on_as_it_was() {
    // The waits take so long that a busy machine has its core before they end.
    let code = "
import os, select, signal, threading, time
caught = []
for number in (signal.SIGUSR1, signal.SIGCHLD):
    signal.signal(number, lambda *a: caught.append(a[0]))
read, write = os.pipe()
held = threading.Lock()
held.acquire()
results = []
def sleeps(): time.sleep(20); results.append('slept')
def selects(): results.append(select.select([read], [], [], 20)[0])
def locks(): results.append(held.acquire(timeout=20))
threads = [threading.Thread(target=t) for t in (sleeps, selects, locks)]
start = time.time()
for t in threads: t.start()
print(threading.current_thread().name)
import sys; sys.stdout.flush()
os.kill(os.getpid(), signal.SIGUSR1)
for t in threads: t.join()
elapsed = time.time() - start
try:
    child = os.waitpid(-1, os.WNOHANG | 0x40000000)
except ChildProcessError:
    child = None
results.sort(key=str)
with open(os.environ['OUT'] + '.tmp', 'w') as out:
    out.write(repr((results, child, [int(n) for n in caught], elapsed > 19.9)))
os.rename(os.environ['OUT'] + '.tmp', os.environ['OUT'])";
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let code = format!("import os\nos.environ['OUT'] = '{}'\n{code}", out.display());
    let (sleeper, _) = Sleeper::start(&code);
    let pid = sleeper.pid();
    for turn in 0..2 {
        let core = folder.path().join(format!("core{turn}"));
        let (status, text) = dump(&format!("pydbg dump {pid} --fork -o {}", core.display()));
        assert_eq!(status, Some(0), "{text}");
        assert!(sleeper.goes_on());
        let answer = Pydbg::core(&core, &[], "py-bt all").expect("an answer");
        let functions: Vec<_> = list(&answer["data"]["threads"])
            .iter()
            .flat_map(|thread| list(&thread["frames"]).first())
            .map(|frame| frame["function"].as_str().unwrap_or_default().to_owned())
            .collect();
        for wanted in ["sleeps", "selects", "locks"] {
            let there = functions.iter().any(|f| f == wanted);
            assert!(there || turn > 0, "{functions:?}");
        }
    }
    let start = std::time::Instant::now();
    while !out.exists() && start.elapsed().as_secs() < 90 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let told = fs::read_to_string(&out).expect("the process went on");
    assert_eq!(told, "([False, [], 'slept'], None, [10], True)");
}

/// Bytes in RAM by /proc.
fn resident(pid: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("readable");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .expect("Rss");
    let number = line.trim().trim_end_matches(" kB").trim();
    number.parse::<u64>().expect("a number") << 10
}

#[test]
fn what_was_never_touched_stays_so_and_what_others_wrote_is_there() {
    let code = "
import ctypes, mmap, os
big = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
big[500 << 20] = 7
shared = mmap.mmap(-1, 4 << 20)
if os.fork() == 0:
    shared[3 << 20:(3 << 20) + 5] = b'child'
    os._exit(0)
os.wait()
at = lambda m: ctypes.addressof(ctypes.c_char.from_buffer(m))
print(at(big), at(shared))";
    let (sleeper, line) = Sleeper::start(code);
    let at: Vec<u64> = line
        .split(' ')
        .map(|n| n.parse().expect("a number"))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let core = folder.path().join("core");
    let before = resident(&sleeper.pid());
    let (status, text) = dump(&format!(
        "pydbg dump {} -o {}",
        sleeper.pid(),
        core.display()
    ));
    assert_eq!(status, Some(0), "{text}");
    let after = resident(&sleeper.pid());
    assert!(after < before + (1 << 20), "{before} {after}");
    let on_disk = fs::metadata(&core).expect("written").blocks() * 512;
    assert!(on_disk < before + before / 20, "{on_disk} of {before}");
    let byte = |at: u64| {
        let command = format!("x/5xb {at:#x}");
        Pydbg::core(&core, &[], &command).expect("an answer")["data"].to_string()
    };
    assert!(
        byte(at[0] + (500 << 20)).contains("\"0x07\""),
        "{}",
        byte(at[0] + (500 << 20))
    );
    let child = byte(at[1] + (3 << 20));
    assert!(
        ["0x63", "0x68", "0x69"].iter().all(|b| child.contains(b)),
        "{child}"
    );
    assert!(!byte(at[0] + (900 << 20)).contains("\"0x07\""));
}
