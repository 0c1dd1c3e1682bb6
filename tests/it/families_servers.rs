//! gunicorn and joblib as they come from PyPI: what hangs a server of four workers or a pool of loky is said
//! with the whole chain, and of those that work nothing is said.

use crate::families::compare_verdicts;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, every_core, interpreters};
use crate::packages;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages in Python alone for the interpreters from a version on, and what pip has to be told to take
/// them: the last releases for these.
struct Set {
    since: (u8, u8),
    folder: &'static str,
    packages: &'static [&'static str],
    options: &'static [&'static str],
}

const SETS: [Set; 4] = [
    Set {
        since: (3, 9),
        folder: "packages-servers-3.9",
        packages: &["gunicorn==23.0.0", "joblib==1.5.2", "packaging==24.0"],
        options: &["--python-version=3.9"],
    },
    Set {
        since: (3, 7),
        folder: "packages-servers-3.7",
        packages: &[
            "gunicorn==23.0.0",
            "joblib==1.3.2",
            "packaging==24.0",
            "importlib_metadata==6.7.0",
            "zipp==3.15.0",
            "typing_extensions==4.7.1",
        ],
        options: &["--python-version=3.7"],
    },
    Set {
        since: (3, 6),
        folder: "packages-servers-3.6",
        packages: &["gunicorn==20.1.0", "joblib==1.1.1", "setuptools==59.6.0"],
        options: &["--python-version=3.6"],
    },
    Set {
        since: (2, 7),
        folder: "packages-servers-2.7",
        packages: &["gunicorn==19.10.0", "joblib==0.14.1"],
        options: &["--python-version=2.7", "--implementation=py", "--abi=none"],
    },
];

/// The shapes of the fixture, by turns on some of the interpreters.
const SHAPES: [&[&str]; 3] = [
    &["gunicorn_killed"],
    &["loky_locks", "joblib_busy"],
    &["gunicorn_child", "gunicorn_busy"],
];

/// The folder with the packages for an interpreter, and where it is as the interpreter sees it: one in a
/// root folder of its own gets a copy, which the guard deletes.
fn folder(interpreter: &Interpreter) -> Option<(PathBuf, Option<tempfile::TempDir>)> {
    let set = SETS.iter().find(|set| interpreter.version >= set.since)?;
    let folder = packages::pure(set.folder, set.packages, set.options);
    if !interpreter.is_chroot() {
        return Some((folder, None));
    }
    let copy = tempfile::tempdir_in(interpreter.root.join("tmp")).expect("a folder");
    let mut cp = Command::new("cp");
    let done = cp.arg("-r").arg(folder.join(".")).arg(copy.path()).status();
    assert!(done.expect("cp").success());
    let inside = copy.path().strip_prefix(&interpreter.root).expect("inside");
    Some((Path::new("/").join(inside), Some(copy)))
}

fn check(turn: usize, interpreter: &Interpreter, failures: &mut Failures) {
    let Some((folder, _copy)) = folder(interpreter) else {
        return;
    };
    let shapes: &[&str] = match turn {
        _ if every_core() => &[],
        turn => SHAPES[turn % SHAPES.len()],
    };
    let folder = folder.to_str().expect("the path is UTF-8");
    let args = [&[folder], shapes].concat();
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    let Some(fixture) = Fixture::start_or_skip(interpreter, "families_servers", &args) else {
        println!("{}: skipped", interpreter.id);
        return;
    };
    println!("{}: {shapes:?}", interpreter.id);
    let pid = fixture.pid().to_string();
    let attach: &[&str] = match turn % 2 {
        0 => &["attach", &pid],
        _ => &["attach", "--tree", &pid],
    };
    let args = [attach, &["--json", "-q"]].concat();
    let answer = Pydbg::run(&args, &["locks --tree"]).document("locks --tree");
    let expect = &fixture.truth.expect;
    let result = answer.and_then(|answer| compare_verdicts(expect, &answer["data"]));
    failures.check(&format!("{} {shapes:?}", interpreter.id), result);
}

#[test]
fn servers_and_pools_have_their_verdicts() {
    let some = interpreters()
        .iter()
        .step_by(if every_core() { 1 } else { 3 });
    let turns: Vec<(usize, &Interpreter)> = some.enumerate().collect();
    // The folders are filled one after the other.
    for (_, interpreter) in &turns {
        folder(interpreter);
    }
    let check = |(turn, interpreter): &(usize, &Interpreter), failures: &mut Failures| {
        check(*turn, interpreter, failures);
    };
    Failures::together(&turns, check).finish();
}
