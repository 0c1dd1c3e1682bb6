//! Every thread's Python stack equals the truth: each fixture, on each interpreter, live, on a
//! gcore core and on a kernel core.

use crate::harness::fixture::header;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, every_core, fixtures, interpreters};
use std::collections::BTreeSet;

/// The versions whose stacks are claimed to be right; `docs/support.md` says the same.
const SUPPORTED: std::ops::RangeInclusive<(u8, u8)> = (2, 7)..=(3, 15);

/// Runs `name` with each of its argument lists on each interpreter, and holds all views against
/// the truth; of argument lists but the first one kind of core is made of each, by turns.
fn check(name: &str) {
    let header = header(name).expect("a fixture");
    let mut failures = Failures::default();
    for (turn, interpreter) in interpreters().iter().enumerate() {
        let supported = SUPPORTED.contains(&interpreter.version);
        if !supported || interpreter.version < header.minimum {
            continue;
        }
        for (number, arguments) in header.variants.iter().enumerate() {
            let cores = match (number, every_core(), (number + turn) % 2) {
                (0, _, _) | (_, true, _) => Cores::Both,
                (_, _, 0) => Cores::Kernel,
                _ => Cores::Gcore,
            };
            check_one(name, interpreter, arguments, cores, &mut failures);
        }
    }
    failures.finish();
}

/// The cores that are made of a fixture that waits.
#[derive(Clone, Copy, PartialEq)]
enum Cores {
    Both,
    Gcore,
    Kernel,
}

fn check_one(
    name: &str,
    interpreter: &Interpreter,
    arguments: &[String],
    cores: Cores,
    failures: &mut Failures,
) {
    let Some(mut fixture) = Fixture::start_or_skip(&interpreter.for_gcore(), name, arguments)
    else {
        assert!(
            NEEDS_HEADERS.contains(&name),
            "{name} skipped itself on {}",
            interpreter.id
        );
        println!("{name} cannot run on {}", interpreter.id);
        return;
    };
    let what = |view: &str| format!("{name} {} {} {view}", arguments.join(" "), interpreter.id);
    let sysroot = interpreter.sysroot();
    if fixture.truth.exit == "wait" {
        let live = Pydbg::live(fixture.pid(), &[], "py-bt all");
        failures.check(
            &what("live"),
            live.and_then(|d| fixture.truth.compare(&d["data"])),
        );
    }
    if fixture.truth.exit == "wait" && cores != Cores::Kernel {
        let core = fixture.gcore();
        let answer = Pydbg::core(&core, &sysroot, "py-bt all");
        failures.check(
            &what("gcore"),
            answer.and_then(|d| match interpreter.is_chroot() {
                true => fixture.truth.compare_without_stacks(&d),
                false => fixture.truth.compare(&d["data"]),
            }),
        );
        let _ = std::fs::remove_file(core);
    }
    if fixture.truth.exit == "wait" && cores == Cores::Gcore {
        return;
    }
    let core = fixture.kernel_core();
    let answer = Pydbg::core(&core, &sysroot, "py-bt all");
    failures.check(
        &what("kernel core"),
        answer.and_then(|d| fixture.truth.compare(&d["data"])),
    );
}

/// Fixtures that skip themselves where there is no Python.h for an interpreter, or no module that
/// they need.
const NEEDS_HEADERS: &[&str] = &["embedded", "in_c", "segv_extension", "subinterpreters"];

macro_rules! fixtures {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*
        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

fixtures! {
    asyncio_tasks collecting ctypes_callback dead_thread deadlocks deep_recursion embedded except_finally exceptions
    exec_code exiting fork_child fresh_frames gdb_cases generators hostile_files in_c inlined_calls jit
    linecache_only locals lock_log long_lines many_threads native_thread raising segv segv_extension
    signal_handler spin subinterpreters
    subprocess_wait surrogate_names threads tracing unhandled unicode_names values yield_from
}

/// Fixtures that only a test of their own starts: with arguments, with packages installed, or on
/// objects of which the stack is no part.
const ELSEWHERE: &[&str] = &[
    "buffers",
    "bytecode",
    "census",
    "guppy_heap",
    "crash",
    "descriptors",
    "expressions",
    "file_locks",
    "garbage",
    "healthy_server",
    "heap_kinds",
    "heap_pictures",
    "kernel_waits",
    "leaking",
    "lock_graphs",
    "lock_log_shapes",
    "lost_wakeups",
    "mallocs",
    "many_locks",
    "memory_shapes",
    "miscounted",
    "packages",
    "paths",
    "referents",
    "repeats",
    "retained",
    "traced",
    "tracked",
    "small_blocks",
    "roots",
    "secrets",
    "sizes",
    "sizes_packages",
    "tracked_collecting",
    "waits_buffered",
    "waits_glibc",
    "waits_imports",
    "waits_native",
    "waits_parking",
    "waits_processes",
    "waits_threading",
    "whatis",
    "with_shapes",
];

#[test]
fn every_fixture_is_listed() {
    let folder = std::fs::read_dir(fixtures()).expect("the fixtures folder");
    let found: BTreeSet<String> = folder
        .flatten()
        .filter_map(|e| {
            e.file_name()
                .to_str()?
                .strip_suffix(".py")
                .map(str::to_owned)
        })
        .filter(|name| header(name).is_some())
        .collect();
    let listed = LISTED.iter().chain(ELSEWHERE);
    let listed: BTreeSet<String> = listed.map(|&name| name.to_owned()).collect();
    assert_eq!(found, listed);
}
