//! Every thread's Python stack equals the truth: each fixture, on each interpreter, live, on a
//! gcore core and on a kernel core.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters};

/// The lowest and highest version a fixture is meant for.
type Range = std::ops::RangeInclusive<(u8, u8)>;

const ANY: Range = (2, 7)..=(3, 99);

/// Starts `name` on each interpreter in range, and holds all three views against its truth.
fn check(name: &str, range: Range, args: &[&str]) {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| range.contains(&i.version)) {
        check_one(name, interpreter, args, &mut failures);
    }
    failures.finish();
}

fn check_one(name: &str, interpreter: &Interpreter, args: &[&str], failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, name, args);
    let what = |view: &str| format!("{name} {} {view}", interpreter.id);
    let root = interpreter.root.display().to_string();
    let sysroot: Vec<&str> = if interpreter.is_chroot() {
        vec!["--sysroot", &root]
    } else {
        Vec::new()
    };
    if fixture.truth.exit == "wait" {
        let live = Pydbg::live(fixture.pid(), &[], "py-bt all");
        failures.check(
            &what("live"),
            live.and_then(|d| fixture.truth.compare(&d["data"])),
        );
        let core = fixture.gcore();
        let answer = Pydbg::core(&core, &sysroot, "py-bt all");
        failures.check(
            &what("gcore"),
            answer.and_then(|d| fixture.truth.compare(&d["data"])),
        );
        let _ = std::fs::remove_file(core);
    }
    let core = fixture.kernel_core();
    let answer = Pydbg::core(&core, &sysroot, "py-bt all");
    failures.check(
        &what("kernel core"),
        answer.and_then(|d| fixture.truth.compare(&d["data"])),
    );
}

macro_rules! fixtures {
    ($($name:ident $range:expr;)*) => {
        $(#[test] fn $name() { check(stringify!($name), $range, &[]); })*
    };
}

fixtures! {
    threads ANY;
}
