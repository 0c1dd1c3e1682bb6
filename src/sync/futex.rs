//! The futex that a thread sleeps on, as the arguments of its system call tell (Linux
//! kernel/futex/syscalls.c).

use crate::addr::Addr;
use crate::native::NativeThread;

/// A futex that a thread sleeps on.
pub(super) struct Futex {
    pub(super) addr: Addr,
    /// What it asked of the kernel, without flags: FUTEX_WAIT and its like.
    pub(super) command: u64,
    /// Whether only threads of this process can wake it.
    pub(super) private: bool,
    /// The value that the word had when it fell asleep; FUTEX_LOCK_PI takes none.
    pub(super) value: u32,
    /// Whether the sleep ends by itself after some time.
    pub(super) timed: bool,
}

impl Futex {
    /// The futex that a thread sleeps on, if it does.
    pub(super) fn of(thread: &NativeThread) -> Option<Futex> {
        /// FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI2 (Linux
        /// include/uapi/linux/futex.h).
        const WAITS: [u64; 4] = [0, 6, 9, 13];
        const COMMAND: u64 = 0x7f;
        const PRIVATE: u64 = 0x80;
        let call = thread.syscall.as_ref()?;
        let [addr, op, value, timeout, ..] = call.args;
        let waits = call.number == libc::SYS_futex && WAITS.contains(&(op & COMMAND));
        waits.then_some(Futex {
            addr: Addr(addr),
            command: op & COMMAND,
            private: op & PRIVATE != 0,
            value: value as u32,
            timed: timeout != 0,
        })
    }
}
