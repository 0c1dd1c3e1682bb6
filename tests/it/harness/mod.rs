//! What the tests stand on: interpreters, running fixtures, the program under test, the truth.

pub(crate) mod corefile;
pub(crate) mod evaluator;
pub(crate) mod fixture;
pub(crate) mod interpreter;
mod libraries;
pub(crate) mod locks;
pub(crate) mod program;
mod shapes;
pub(crate) mod truth;

pub(crate) use fixture::Fixture;
pub(crate) use interpreter::{Interpreter, interpreters};
pub(crate) use program::Pydbg;
pub(crate) use truth::Truth;

use nix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Whether every core is made that can be, not some of each by turns: `PYDBG_CORES=all`.
pub(crate) fn every_core() -> bool {
    std::env::var_os("PYDBG_CORES").is_some_and(|which| which == "all")
}

/// How many objects of each kind a census is to make on every interpreter, if that is asked for
/// (PYDBG_CENSUS).
pub(crate) fn census_size() -> Option<String> {
    std::env::var("PYDBG_CENSUS")
        .ok()
        .filter(|size| !size.is_empty())
}

/// The checkout's top folder.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the fixture programs.
pub(crate) fn fixtures() -> PathBuf {
    top().join("fixtures")
}

/// Libraries that serve malloc in place of glibc, by name, with their paths in Debian.
pub(crate) fn other_mallocs() -> [(&'static str, String); 2] {
    let libraries = [
        ("jemalloc", "libjemalloc.so.2"),
        ("tcmalloc", "libtcmalloc_minimal.so.4"),
    ];
    libraries.map(|(name, file)| {
        let path = format!("/usr/lib/x86_64-linux-gnu/{file}");
        assert!(Path::new(&path).exists(), "{path} is missing; see .ci/run");
        (name, path)
    })
}

/// The elements of a JSON array; none when it is no array.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The processor time that the calling thread has used: what a limit on work is held against,
/// because on a busy machine the clock on the wall tells of others.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("every Linux has this clock").into()
}

/// Collects what differs on each interpreter, so that one failing does not hide the others.
#[derive(Default)]
pub(crate) struct Failures {
    checks: usize,
    lines: Vec<String>,
}

impl Failures {
    /// Counts one check and keeps its failure.
    pub(crate) fn check(&mut self, what: &str, result: Result<(), String>) {
        self.checks += 1;
        if let Err(why) = result {
            // Names in fixtures are up to 5,000 characters long.
            let why: String = why.chars().take(700).collect();
            self.lines.push(format!("{what}: {why}"));
        }
    }

    /// Makes all checks, those of three items at a time.
    pub(crate) fn together<T: Sync>(
        items: &[T],
        check: impl Fn(&T, &mut Failures) + Sync,
    ) -> Failures {
        const THREADS: usize = 3;
        let next = AtomicUsize::new(0);
        let work = || {
            let mut own = Failures::default();
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                check(item, &mut own);
            }
            own
        };
        let mut all = Failures::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                let own = thread.join().unwrap_or_else(|why| resume_unwind(why));
                all.checks += own.checks;
                all.lines.extend(own.lines);
            }
        });
        all
    }

    /// Fails the test when anything failed, or when nothing was checked at all.
    pub(crate) fn finish(self) {
        assert!(
            self.checks > 0,
            "no check ran: this test would have passed without testing"
        );
        assert!(
            self.lines.is_empty(),
            "{} of {} checks failed: {}",
            self.lines.len(),
            self.checks,
            self.lines.join("\n")
        );
        println!("{} checks", self.checks);
    }
}
