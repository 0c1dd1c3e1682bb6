//! A dump or a snapshot that does not come to its end: the process goes on, and there is the whole
//! core or none.

use crate::dump::{Sleeper, dump, names};
use crate::harness::Pydbg;
use crate::snapshot::harm;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pydbg::target::{Options, core, smaps};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How many moments are tried of each sort.
const ROUNDS: u32 = 8;

/// How long the kernel may take to let the threads go of a pydbg that is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of some threads with something to copy.
const LARGE: &str = "
import os, threading
blocks = [os.urandom(1 << 20) for n in range(80)]
never = threading.Event()
for n in range(4):
    thread = threading.Thread(target=never.wait)
    thread.daemon = True
    thread.start()
print(len(blocks))";

/// How many threads it has.
const THREADS: usize = 5;

fn pydbg(words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pydbg"));
    let command = command.args(words).args(["-nx"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().expect("pydbg runs")
}

/// Waits for a process, which may be sent a signal after a while; how it ended.
fn ended(child: Child, after: Duration, target: i32, signal: Signal) -> Output {
    std::thread::sleep(after);
    // It may have ended by now.
    let _ = kill(Pid::from_raw(target), signal);
    child.wait_with_output().expect("it ends")
}

/// How long pydbg takes for it when nobody interferes.
fn undisturbed(words: &[&str]) -> Duration {
    let start = Instant::now();
    let output = pydbg(words).wait_with_output().expect("it ends");
    assert!(output.status.success(), "{words:?}: {output:?}");
    start.elapsed()
}

fn goes_on(pid: i32, what: &str) {
    let start = Instant::now();
    while let Some(harm) = harm(pid) {
        assert!(start.elapsed() < PATIENCE, "{what}: {harm}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Either there is nothing in a folder or a core that is whole, which is taken away.
fn nothing_or_all(folder: &Path, what: &str) {
    let found = names(folder);
    if found.is_empty() {
        return;
    }
    assert_eq!(found, ["core"], "{what}");
    let path = folder.join("core");
    let answer = Pydbg::core(&path, &[], "py-bt all").expect("an answer");
    let threads = answer["data"]["threads"].as_array().map_or(0, Vec::len);
    let notes = &answer["notes"];
    assert_eq!(
        (threads, notes),
        (THREADS, &Value::Array(Vec::new())),
        "{what}"
    );
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn a_dump_that_is_interrupted_leaves_nothing() {
    let (sleeper, _) = Sleeper::start(LARGE);
    let pid = sleeper.pid();
    let number: i32 = pid.parse().expect("a number");
    let folder = tempfile::tempdir().expect("a folder");
    let core = folder.path().join("core").display().to_string();
    let plain = ["dump", &pid, "-o", &core];
    let forked = ["dump", &pid, "-o", &core, "--fork"];
    let snapshot = ["attach", "--snapshot", &pid, "-batch", "-ex", "py-bt all"];
    // To be killed within the fork itself is another matter: see docs/dump.md.
    let sorts: [(&[&str], Signal); 5] = [
        (&plain, Signal::SIGINT),
        (&plain, Signal::SIGTERM),
        (&forked, Signal::SIGINT),
        (&snapshot, Signal::SIGINT),
        (&snapshot, Signal::SIGTERM),
    ];
    let mut interrupted = 0;
    for (words, signal) in sorts {
        let whole = undisturbed(words);
        nothing_or_all(folder.path(), "undisturbed");
        for round in 0..ROUNDS {
            let what = format!("{words:?}, {signal} in round {round}");
            let child = pydbg(words);
            let own = child.id() as i32;
            let output = ended(child, whole * round / ROUNDS, own, signal);
            interrupted += u32::from(!output.status.success());
            goes_on(number, &what);
            nothing_or_all(folder.path(), &what);
            let complaint = String::from_utf8_lossy(&output.stderr);
            let quit = complaint
                .trim()
                .lines()
                .last()
                .unwrap_or("Quit")
                .contains("Quit");
            assert!(quit || output.status.success(), "{what}: {complaint}");
        }
    }
    assert!(interrupted > ROUNDS, "only {interrupted} were interrupted");
    assert!(sleeper.goes_on());
}

#[test]
fn a_process_that_ends_meanwhile_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let core = folder.path().join("core").display().to_string();
    let mut failed = 0;
    for round in 0..ROUNDS {
        let (sleeper, _) = Sleeper::start(LARGE);
        let pid = sleeper.pid();
        let number = pid.parse().expect("a number");
        let plain = ["dump", &pid, "-o", &core];
        let snapshot = ["attach", "--snapshot", &pid, "-batch", "-ex", "py-bt all"];
        let words: &[&str] = if round % 2 == 0 { &plain } else { &snapshot };
        let whole = undisturbed(words);
        let _ = std::fs::remove_file(&core);
        let output = ended(
            pydbg(words),
            whole * round / ROUNDS,
            number,
            Signal::SIGKILL,
        );
        let complaint = String::from_utf8_lossy(&output.stderr);
        let told = ["ended", "no such process", "zombie", "exited"];
        let told = told.iter().any(|word| complaint.contains(word));
        assert!(
            told || output.status.success(),
            "{words:?} {round}: {complaint}"
        );
        failed += usize::from(!output.status.success());
        let found = names(folder.path());
        assert_eq!(
            found.is_empty(),
            !output.status.success() || round % 2 == 1,
            "{found:?}"
        );
        let _ = std::fs::remove_file(&core);
    }
    assert!(failed > 0);
}

/// Room for the core, and not for the core and the packed one.
#[test]
fn a_disk_that_becomes_full_leaves_nothing() {
    let (sleeper, _) = Sleeper::start(LARGE);
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().display();
    let mounted = format!("mount -t tmpfs -o size=120m none {here}");
    let (can_mount, _) = dump(&format!("unshare -m sh -c '{mounted}'"));
    if can_mount != Some(0) {
        println!("not root: nothing was mounted");
        return;
    }
    let pid = sleeper.pid();
    let (status, text) = dump(&format!(
        "unshare -m sh -c '{mounted} && pydbg dump {pid} --compress lz4 -o {here}/core; \
         echo status $?; ls -A {here}'"
    ));
    // What was printed, then what was complained about: no name of a file, and why.
    let told = text.strip_prefix("status 1\ncannot write");
    let told = told.is_some_and(|why| why.contains("no room left on that file system"));
    assert!(told && status == Some(0), "{text}");
    assert!(sleeper.goes_on());
}

/// What was read of /proc before the stop is not that of the stop.
#[test]
fn a_process_that_maps_all_the_time_has_the_mappings_of_the_stop() {
    let code = "
import mmap, threading
def maps():
    while True:
        several = [mmap.mmap(-1, n << 14) for n in range(1, 30)]
        for one in several:
            one.close()
thread = threading.Thread(target=maps)
thread.daemon = True
thread.start()
print(1)";
    let (sleeper, _) = Sleeper::start(code);
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..ROUNDS {
        let core = folder.path().join(format!("core.{round}"));
        let (status, text) = dump(&format!(
            "pydbg dump {} -o {}",
            sleeper.pid(),
            core.display()
        ));
        assert_eq!(status, Some(0), "{text}");
        let answer = Pydbg::core(&core, &[], "memory").expect("an answer");
        let told = (&answer["data"]["basis"], &answer["notes"]);
        assert_eq!(told, (&"resident".into(), &Value::Array(Vec::new())));
    }
    assert!(sleeper.goes_on());
}

/// What is in RAM by the note of a core: resident, proportional, private and dirty.
fn in_ram(core: &Path) -> [u64; 3] {
    let target = core::open(core, &Options::default()).expect("a core");
    let files = target.proc_files().expect("a note");
    let all = smaps::parse(&files.read("smaps").expect("smaps"));
    let sum = |of: fn(&smaps::Smap) -> u64| all.iter().map(of).sum();
    [
        sum(|smap| smap.resident),
        sum(|smap| smap.proportional),
        sum(|smap| smap.private_dirty),
    ]
}

/// While the copy lives, each page has two owners.
#[test]
fn what_is_in_ram_is_not_halved_by_the_fork() {
    let (sleeper, _) = Sleeper::start(LARGE);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, option: &str| {
        let core = path(name).display().to_string();
        let (status, text) = dump(&format!("pydbg dump {} {option} -o {core}", sleeper.pid()));
        assert_eq!(status, Some(0), "{text}");
    };
    write("fork", "--fork");
    write("plain", "");
    let (fork, plain) = (in_ram(&path("fork")), in_ram(&path("plain")));
    for (fork, plain) in fork.into_iter().zip(plain) {
        assert!(plain > 80 << 20, "{plain}");
        assert!(
            fork.abs_diff(plain) < plain / 100,
            "fork {fork}, plain {plain}"
        );
    }
    let rows = |name: &str| {
        let answer = Pydbg::core(&path(name), &[], "memory --mappings").expect("an answer");
        let rows = answer["data"]["rows"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let resident = |row: Value| row["resident"].as_u64().expect("a number");
        rows.into_iter().map(resident).collect::<Vec<_>>()
    };
    let (fork, plain) = (rows("fork"), rows("plain"));
    let near = |(fork, plain): (&u64, &u64)| fork.abs_diff(*plain) <= plain / 50 + (64 << 10);
    let same = fork.len() == plain.len() && fork.iter().zip(&plain).all(near);
    assert!(same && !plain.is_empty(), "fork {fork:?}, plain {plain:?}");
}
