//! `locks` where threads wait in CPython's parking lot, for a world to stop or to go on, for the
//! lock of an object, or for the lock of a buffered file.

use crate::harness::locks::check_all;

#[test]
fn buffered_files_know_who_is_inside_of_them() {
    check_all("waits_buffered", &["writer", "orphan"]);
}

#[test]
fn parked_threads_wait_for_what_their_entries_name() {
    check_all("waits_parking", &["section", "world"]);
}
