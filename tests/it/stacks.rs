//! Every thread's Python stack equals the truth: each fixture, on each interpreter, live, on a
//! gcore core and on a kernel core.

use crate::harness::fixture::header;
use crate::harness::{
    Failures, Fixture, Interpreter, Pydbg, Truth, every_core, fixtures, interpreters,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// The versions whose stacks are claimed to be right; `docs/support.md` says the same.
const SUPPORTED: std::ops::RangeInclusive<(u8, u8)> = (2, 7)..=(3, 15);

/// What is asked beside the stacks, and how its answer is held against the truth.
pub(crate) struct Also<'a> {
    /// The command.
    pub(crate) command: &'a str,
    /// Judges the data of its document.
    pub(crate) check: &'a dyn Fn(&Interpreter, &Truth, &Value) -> Result<(), String>,
}

/// Runs `name` with each of its argument lists on each interpreter, and holds all views against
/// the truth; of argument lists but the first one kind of core is made of each, by turns.
pub(crate) fn check(name: &str, also: Option<&Also>) {
    let header = header(name).expect("a fixture");
    let mut failures = Failures::default();
    for (turn, interpreter) in interpreters().iter().enumerate() {
        let supported = SUPPORTED.contains(&interpreter.version);
        if !supported || interpreter.version < header.minimum {
            continue;
        }
        for (number, arguments) in header.variants.iter().enumerate() {
            if number > 0 && name == IN_SHAPES {
                break;
            }
            let cores = match (number, every_core(), (number + turn) % 2) {
                (0, _, _) | (_, true, _) => Cores::Both,
                (_, _, 0) => Cores::Kernel,
                _ => Cores::Gcore,
            };
            let interpreter = &interpreter.for_gcore();
            let run = Run {
                name,
                interpreter,
                also,
            };
            run.check(arguments, cores, &mut failures);
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

/// One fixture on one interpreter.
struct Run<'a> {
    name: &'a str,
    interpreter: &'a Interpreter,
    also: Option<&'a Also<'a>>,
}

impl Run<'_> {
    fn check(&self, arguments: &[String], cores: Cores, failures: &mut Failures) {
        let (name, id) = (self.name, &self.interpreter.id);
        let Some(mut fixture) = Fixture::start_or_skip(self.interpreter, name, arguments) else {
            let may = NEEDS_HEADERS.contains(&name);
            assert!(may, "{name} skipped itself on {id}");
            println!("{name} cannot run on {id}");
            return;
        };
        let waits = fixture.truth.exit == "wait";
        let mut judge = |view: &str, target: &[&str]| {
            let what = format!("{name} {} {id} {view}", arguments.join(" "));
            self.judge(&what, view, target, &fixture.truth, failures);
        };
        if waits {
            judge("live", &["attach", &fixture.pid().to_string()]);
        }
        if waits && cores != Cores::Kernel {
            let core = fixture.gcore();
            judge("gcore", &["core", core.to_str().expect("UTF-8")]);
            let _ = std::fs::remove_file(core);
        }
        if !waits || cores != Cores::Gcore {
            let core = fixture.kernel_core();
            let truth = &fixture.truth;
            let target = ["core", core.to_str().expect("UTF-8")];
            let what = format!("{name} {} {id} kernel core", arguments.join(" "));
            self.judge(&what, "kernel core", &target, truth, failures);
        }
    }

    /// Asks one pydbg for everything.
    fn judge(
        &self,
        what: &str,
        view: &str,
        target: &[&str],
        truth: &Truth,
        failures: &mut Failures,
    ) {
        let mut words = [target, &["--json", "-q"]].concat();
        if target.first() == Some(&"core") {
            words.extend(self.interpreter.sysroot());
        }
        let mut commands = vec!["py-bt all"];
        commands.extend(self.also.map(|also| also.command));
        let ran = Pydbg::run(&words, &commands);
        let without_stacks = view == "gcore" && self.interpreter.is_chroot();
        if !ELSEWHERE.contains(&self.name) {
            let result = ran
                .document("py-bt all")
                .and_then(|d| match without_stacks {
                    true => truth.compare_without_stacks(&d),
                    false => truth.compare(&d["data"]),
                });
            failures.check(what, result);
        }
        if let Some(also) = self.also.filter(|_| !without_stacks) {
            let answer = ran.document(also.command);
            let result = answer.and_then(|d| (also.check)(self.interpreter, truth, &d["data"]));
            failures.check(&format!("{what}, {}", also.command), result);
        }
    }
}

/// Fixtures that skip themselves where there is no Python.h for an interpreter, or no module that
/// they need.
const NEEDS_HEADERS: &[&str] = &["embedded", "in_c", "subinterpreters"];

macro_rules! fixtures {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name), None); })*
        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

fixtures! {
    asyncio_tasks ctypes_callback dead_thread deadlocks deep_recursion except_finally exceptions
    exec_code fork_child fresh_frames gdb_cases generators hostile_files inlined_calls jit
    linecache_only locals lock_log long_lines many_threads native_thread raising
    surrogate_names tracing unhandled unicode_names values yield_from
}

/// Fixtures whose stacks are looked at together with what their threads do, in `doing.rs`.
const IN_DOING: &[&str] = &[
    "collecting",
    "embedded",
    "exiting",
    "in_c",
    "signal_handler",
    "spin",
    "subinterpreters",
    "subprocess_wait",
    "threads",
];

/// Fixtures that crash, whose stacks are looked at in `native_truth.rs`.
const IN_NATIVE_TRUTH: &[&str] = &["segv", "segv_extension"];

/// The fixture whose further argument lists `harness/shapes.rs` starts, and looks at the stacks.
const IN_SHAPES: &str = "deadlocks";

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
    "families_servers",
    "families_waits",
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
    "confidential",
    "large",
    "sizes",
    "sizes_packages",
    "tracked_collecting",
    "waits_buffered",
    "waits_glibc",
    "waits_imports",
    "waits_jemalloc",
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
    // One that is called like a module of the standard library is imported in its place by others.
    let recent = interpreters()
        .iter()
        .find(|i| i.version >= (3, 10) && !i.is_chroot());
    if let Some(recent) = recent {
        let print = "import sys; print('\\n'.join(sys.stdlib_module_names))";
        let output = Command::new(&recent.python).args(["-c", print]).output();
        let names = String::from_utf8(output.expect("python").stdout).expect("UTF-8");
        let hidden = names.lines().find(|name| found.contains(*name));
        assert_eq!(hidden, None, "a fixture hides a module");
    }
    let together = IN_DOING.iter().chain(IN_NATIVE_TRUTH);
    let listed = LISTED.iter().chain(together).chain(ELSEWHERE);
    let listed: BTreeSet<String> = listed.map(|&name| name.to_owned()).collect();
    assert_eq!(found, listed);
}
