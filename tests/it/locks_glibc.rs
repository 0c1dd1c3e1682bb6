//! Locks inside of glibc, its loader and malloc, together with the GIL and a library's mutex: who
//! holds them, the deadlocks through them, and those that a fork has copied for good.

use crate::harness::locks::check_all;

#[test]
fn locks_of_glibc_have_their_owners() {
    check_all("waits_glibc", &["loader_three"]);
}
