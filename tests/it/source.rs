//! Source lines: from disk, from `linecache` in the target, and what is said when they may not be
//! the lines that ran.

use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use std::path::Path;

/// What text commands print on a core.
fn text(core: &Path, commands: &[&str]) -> String {
    let path = core.to_str().expect("UTF-8");
    let run = Pydbg::run(&["core", path, "-q"], commands);
    String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr)
}

fn contains(text: &str, wanted: &[&str]) -> Result<(), String> {
    let missing: Vec<_> = wanted.iter().filter(|w| !text.contains(**w)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("{missing:?} missing in:\n{text}")),
    }
}

/// `linecache_only.py` blocks in code that has no file but an entry in `linecache.cache`.
#[test]
fn lines_come_from_the_target_where_there_is_no_file() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "linecache_only", &[]);
        let core = fixture.kernel_core();
        let shown = text(&core, &["py-bt", "py-list"]);
        let wanted = ["block()  # from the cache", "from the cache, first line"];
        failures.check(&interpreter.id, contains(&shown, &wanted));
    }
    failures.finish();
}

#[test]
fn a_file_that_is_newer_than_the_core_is_said_to_be() {
    let mut failures = Failures::default();
    for interpreter in interpreters().iter().filter(|i| !i.is_chroot()) {
        let mut fixture = Fixture::start(interpreter, "deep_recursion", &["3"]);
        let core = fixture.kernel_core();
        let commands = ["py-bt", "py-list"];
        let before = text(&core, &commands);
        let same = match before.contains("changed after") {
            true => Err(format!("an old file is called newer:\n{before}")),
            false => Ok(()),
        };
        failures.check(&format!("{} unchanged", interpreter.id), same);
        let script = fixture.dir().join("deep_recursion.py");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
        let file = std::fs::File::options()
            .append(true)
            .open(&script)
            .expect("the script");
        file.set_modified(later).expect("the script's time");
        let after = text(&core, &commands);
        failures.check(
            &format!("{} changed", interpreter.id),
            contains(&after, &["changed after"]),
        );
    }
    failures.finish();
}
