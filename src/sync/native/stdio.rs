//! The locks of stdio's streams (libio/stdio-lock.h, struct_FILE.h; the same in every glibc since
//! 2.2): a recursive lock beside each FILE, which names the thread that has it.

use crate::addr::Addr;
use crate::bytes;
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};

/// `_chain`, `_fileno` and `_lock` of a FILE.
const CHAIN: u64 = 104;
const FILENO: u64 = 112;
const LOCK: u64 = 136;

/// The most streams that are looked at.
const MOST: usize = 100_000;

/// The streams that a program begins with.
const STANDARD: &[(&str, &str)] = &[
    ("_IO_2_1_stdin_", "stdin"),
    ("_IO_2_1_stdout_", "stdout"),
    ("_IO_2_1_stderr_", "stderr"),
];

/// Waits for the lock of a stream.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let lock = waiter.futex.as_ref()?.addr;
    let stream = stream_of(view, lock)?;
    Some(Found {
        evidence: "it sleeps on the stream's lock".into(),
        kind: Kind::Stream,
        address: stream,
        owner: owner(view, lock),
        timed: waiter.timed(),
    })
}

/// The stream that has this lock; all are in one list.
fn stream_of(view: &View<'_>, lock: Addr) -> Option<Addr> {
    let memory = &view.process.target.memory;
    let (_, list, _) = view.process.images.exported("_IO_list_all")?;
    let mut stream = memory.ptr(list).ok()?;
    for _ in 0..MOST {
        if stream.is_null() {
            return None;
        }
        if memory.ptr(stream.add(LOCK)).ok()? == lock {
            return Some(stream);
        }
        stream = memory.ptr(stream.add(CHAIN)).ok()?;
    }
    None
}

/// Who holds the lock: `{int lock; int cnt; void *owner}`, of which the owner is a `pthread_t`.
fn owner(view: &View<'_>, lock: Addr) -> Option<Owner> {
    let raw = view.process.target.memory.array::<16>(lock).ok()?;
    let (word, owner) = (bytes::u32_at(&raw, 0)?, bytes::u64_at(&raw, 8)?);
    Some(match (word, view.by_ident(owner)) {
        (0, _) => Owner::Nobody,
        (1..=2, Some(thread)) => Owner::known(
            thread,
            format!("the lock names the thread at {owner:#x} as its owner"),
        ),
        (1..=2, None) if owner != 0 => Owner::Orphaned {
            evidence: format!(
                "the lock names the thread at {owner:#x} as its owner, which is no thread of the process"
            ),
        },
        _ => Owner::unknown("the lock names no owner"),
    })
}

/// `stdout`, or `FILE of fd 5`.
pub(in crate::sync) fn name(view: &View<'_>, stream: Addr) -> Option<String> {
    let images = &view.process.images;
    let is_it = |symbol: &str| {
        let found = images.exported(symbol);
        found.is_some_and(|(_, addr, _)| addr == stream)
    };
    let standard = STANDARD.iter().find(|(symbol, _)| is_it(symbol));
    standard.map(|(_, name)| (*name).to_owned()).or_else(|| {
        let fd = view.process.target.memory.i32(stream.add(FILENO)).ok()?;
        (fd >= 0).then(|| format!("FILE of fd {fd}"))
    })
}
