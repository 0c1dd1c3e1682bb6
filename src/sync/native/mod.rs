//! Locks that know nothing of Python: glibc's and those of C++ (nptl, libstdc++). A thread that waits
//! for one is recognised by three things that must agree: what it asked of the kernel, what lies at the
//! address, and the function that it is blocked in. Where the last one has no name, only structures
//! that nothing else resembles count.

pub(super) mod barrier;
pub(super) mod call;
pub(super) mod condition_variable;
pub(super) mod guard;
pub(super) mod join;
pub(super) mod library;
pub(super) mod loader;
pub(super) mod malloc;
pub(super) mod mutex;
pub(super) mod once;
mod release;
pub(super) mod rwlock;
pub(super) mod semaphore;
pub(super) mod stdio;

use super::{Owner, View};
use crate::addr::Addr;

/// Commands of the futex call (Linux include/uapi/linux/futex.h).
mod command {
    pub(super) const WAIT: u64 = 0;
    pub(super) const LOCK_PI: u64 = 6;
    pub(super) const WAIT_BITSET: u64 = 9;
    pub(super) const LOCK_PI2: u64 = 13;
}

/// The registers that a function keeps for its caller, by DWARF number: rbx, rbp, r12 to r15 (x86-64
/// psABI, figure 3.4).
const KEPT: [usize; 6] = [3, 6, 12, 13, 14, 15];

/// The owner of a lock that names it by its LWP id. `certain` is whether the words cannot be anything
/// but that lock; `shared` is whether it may belong to several processes.
fn named_owner(
    view: &View<'_>,
    what: &str,
    tid: u32,
    certain: bool,
    shared: bool,
) -> Option<Owner> {
    if let Some(thread) = view.by_own_tid(i32::try_from(tid).ok()?) {
        return Some(Owner::known(
            thread,
            format!("the {what} names LWP {tid} as its owner"),
        ));
    }
    let gone =
        format!("the {what} names LWP {tid} as its owner, which is no thread of this process");
    // In a child, the only thread that fork leaves has another id than it had in the parent.
    let parent = view.process.target.process.ppid == i32::try_from(tid).ok();
    match (certain, shared) {
        (false, _) => None,
        (true, false) if parent => Some(Owner::unknown(format!(
            "the {what} names LWP {tid} as its owner, the parent process: the thread that is the first \
             one now may have taken it before it forked"
        ))),
        (true, false) => Some(Owner::Orphaned { evidence: gone }),
        (true, true) => Some(Owner::unknown(format!(
            "{gone}; it is shared with other processes"
        ))),
    }
}

/// The owner of what lies at `addr`, which only a search through the stacks of all threads finds: one
/// search for all its waiters.
fn searched(view: &View<'_>, addr: Addr, search: impl FnOnce() -> Owner) -> Owner {
    if let Some(known) = view.searched.borrow().get(&addr) {
        return known.clone();
    }
    let found = search();
    view.searched.borrow_mut().insert(addr, found.clone());
    found
}

/// Whether an address lies in memory that is known to be shared with other processes; a core does not
/// say.
fn in_shared_memory(view: &View<'_>, addr: Addr) -> bool {
    let mapping = view.process.target.mapping(addr);
    mapping.is_some_and(|mapping| mapping.shared)
}
