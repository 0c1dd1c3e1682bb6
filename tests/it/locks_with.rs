//! Holders of locks by `with` statements in generators, coroutines, `ExitStack` and the like.

use crate::harness::locks::check_all;

#[test]
fn holders_are_found_through_what_holds_for_them_and_none_is_invented() {
    check_all("with_shapes", &["manager", "coroutine"]);
}
