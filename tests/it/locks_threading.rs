//! `locks` on threads that wait for things made of locks: conditions, events, semaphores,
//! barriers, queues, futures and other threads.

use crate::harness::locks::check_all;

#[test]
fn waits_for_things_made_of_locks_are_told_from_waits_for_locks() {
    check_all(
        "waits_threading",
        &["queue_get", "simple_queue", "future_pending", "shutdown"],
    );
}
