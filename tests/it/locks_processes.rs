//! `locks` on locks that processes share, live and from cores: who holds them here, and what is
//! said where another process may.

use crate::harness::locks::check_all;

#[test]
fn waits_for_locks_that_processes_share_are_the_true_ones() {
    check_all("waits_processes", &["lock"]);
}
