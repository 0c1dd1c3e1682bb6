//! Waits for native locks against the truth of the fixture `waits_native`: pthread's, those of C++, and
//! threads that C joins.

use crate::harness::locks::{Cores, check, check_all};
use crate::harness::{Failures, interpreters};

#[test]
fn native_waits_have_their_owners_or_none() {
    check_all("waits_native", &["cpp", "mutexes"]);
}

/// Debian's jemalloc, which .ci/run installs.
const JEMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";

#[test]
fn a_lock_of_jemalloc_is_named_by_its_library() {
    let preloaded = interpreters().iter().filter(|one| !one.is_chroot());
    let preloaded: Vec<_> = preloaded
        .map(|one| one.clone().with("LD_PRELOAD", JEMALLOC))
        .collect();
    let failures = Failures::together(&preloaded, |interpreter, failures| {
        let cores = Cores {
            kernel: true,
            gcore: false,
        };
        check(interpreter, "waits_jemalloc", &[], cores, failures);
    });
    failures.finish();
}
