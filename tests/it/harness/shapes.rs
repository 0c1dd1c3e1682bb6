//! Runs the shapes of a fixture of locks, live and from cores, for `locks.rs` beside this file to judge.

use super::fixture::header;
use super::locks::compare;
use super::{Failures, Fixture, Interpreter, Pydbg, every_core, interpreters};
use serde_json::Value;

/// The fixture whose stacks are held against the truth as well, in every shape.
const WITH_STACKS: &str = "deadlocks";

/// What is expected where the overrides of these names apply.
fn with_overrides(expect: &Value, names: &[&str]) -> Value {
    let mut expect = expect.clone();
    for name in names {
        for (key, value) in expect[*name].as_object().cloned().unwrap_or_default() {
            expect[&key] = value;
        }
    }
    expect
}

/// The cores of which one shape of a fixture is looked at on one interpreter.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    /// The kernel's.
    pub(crate) kernel: bool,
    /// gdb's gcore, which takes a second for each.
    pub(crate) gcore: bool,
}

/// One shape of a fixture on one interpreter: live, and from cores.
pub(crate) fn check(
    interpreter: &Interpreter,
    name: &str,
    shape: &[String],
    cores: Cores,
    failures: &mut Failures,
) {
    let Some(mut fixture) = Fixture::start_or_skip(interpreter, name, shape) else {
        return;
    };
    let expect = fixture.truth.expect.clone();
    let mut judge = |fixture: &Fixture, how: &str, target: &[&str]| {
        // gdb's gcore leaves zeros for thread stacks of glibc 2.42 and later, on which from 3.13 on
        // the waiting thread's entry names the lock.
        let lacks = how == "gcore" && interpreter.is_chroot();
        let mut applying = vec![how];
        applying.extend(interpreter.has("stripped").then_some("stripped"));
        let expect = with_overrides(&expect, &applying);
        let mut words = [target, &["--json", "-q"]].concat();
        if how != "live" {
            words.extend(interpreter.sysroot());
        }
        let stacks = name == WITH_STACKS;
        // A note is told once, with the answer that came first.
        let commands: &[&str] = if stacks {
            &["py-bt all", "locks"]
        } else {
            &["locks"]
        };
        let ran = Pydbg::run(&words, commands);
        let what = format!("{} {name} {shape:?} {how}", interpreter.id);
        let locks = ran.document("locks");
        failures.check(
            &what,
            locks.and_then(|locks| compare(&expect, &locks, lacks)),
        );
        if stacks {
            let told = ran.document("py-bt all");
            let result = told.and_then(|told| match lacks {
                true => fixture.truth.compare_without_stacks(&told),
                false => fixture.truth.compare(&told["data"]),
            });
            failures.check(&format!("{what}, stacks"), result);
        }
    };
    judge(&fixture, "live", &["attach", &fixture.pid().to_string()]);
    if cores.gcore {
        let core = fixture.gcore();
        judge(&fixture, "gcore", &["core", core.to_str().expect("UTF-8")]);
    }
    if cores.kernel {
        let core = fixture.kernel_core();
        judge(
            &fixture,
            "kernel core",
            &["core", core.to_str().expect("UTF-8")],
        );
    }
}

/// Every shape of a fixture live on every interpreter that it runs on. Where there are many of
/// both, a shape has a core of every third interpreter, and an interpreter of every third shape.
/// `gcore` says of which shapes gdb makes a core, too.
pub(crate) fn check_all(name: &str, gcore: &[&str]) {
    const MANY: usize = 5;
    let header = header(name).expect("a fixture");
    let able = interpreters().iter();
    let able = able.filter(|interpreter| interpreter.version >= header.minimum);
    let able: Vec<(usize, &Interpreter)> = able.enumerate().collect();
    let every = able.len() <= MANY || every_core();
    // Fixtures mostly sleep until nothing moves any more, so several run at a time.
    let failures = Failures::together(&able, |(turn, interpreter), failures| {
        let shapes = header.variants.iter().filter(|shape| !shape.is_empty());
        for (number, shape) in shapes.enumerate() {
            let named = shape.iter().any(|word| gcore.contains(&word.as_str()));
            let cores = Cores {
                kernel: every || number % 3 == turn % 3,
                gcore: named || every_core(),
            };
            match named {
                true => check(&interpreter.for_gcore(), name, shape, cores, failures),
                false => check(interpreter, name, shape, cores, failures),
            }
        }
    });
    failures.finish();
}
