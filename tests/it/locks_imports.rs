//! `locks` on threads that wait for what another thread imports, live and from cores.

use crate::harness::locks::check_all;

#[test]
fn waits_for_imports_and_their_cycles_are_the_true_ones() {
    check_all("waits_imports", &["lock_cycle"]);
}
