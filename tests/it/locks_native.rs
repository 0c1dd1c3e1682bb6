//! Waits for native locks against the truth of the fixture `waits_native`: pthread's, those of C++, and
//! threads that C joins.

use crate::harness::locks::check_all;

#[test]
fn native_waits_have_their_owners_or_none() {
    check_all("waits_native", &["cpp", "mutexes"]);
}
