//! The futex that a thread sleeps on, as the arguments of its system call tell (Linux
//! kernel/futex/syscalls.c).

use super::NativeThread;
use crate::addr::Addr;
use crate::target::Memory;

/// A futex that a thread sleeps on.
pub(crate) struct Futex {
    pub(crate) addr: Addr,
    /// What it asked of the kernel, without flags: FUTEX_WAIT and its like.
    pub(crate) command: u64,
    /// Whether only threads of this process can wake it.
    pub(crate) private: bool,
    /// The value that the word had when it fell asleep; FUTEX_LOCK_PI takes none.
    pub(crate) value: u32,
    /// Whether the sleep ends by itself after some time.
    pub(crate) timed: bool,
}

impl Futex {
    /// The futex that a thread sleeps on, if it does.
    pub(crate) fn of(thread: &NativeThread) -> Option<Futex> {
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

    /// Whether somebody has changed the word since: then the thread has been woken, and has not
    /// run yet. On a busy machine that may take a while.
    pub(crate) fn is_over(&self, memory: &dyn Memory) -> bool {
        const WAIT: u64 = 0;
        const WAIT_BITSET: u64 = 9;
        let compares = matches!(self.command, WAIT | WAIT_BITSET);
        compares && memory.u32(self.addr).is_ok_and(|word| word != self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    #[test]
    fn a_thread_whose_word_has_changed_has_been_woken() {
        let mut memory = Synth::default();
        memory.add(0x1000, 1u32.to_le_bytes().to_vec());
        let is_over = |command, value, addr| {
            let futex = Futex {
                addr: Addr(addr),
                command,
                private: true,
                value,
                timed: false,
            };
            futex.is_over(&memory)
        };
        const WAIT_BITSET: u64 = 9;
        const LOCK_PI: u64 = 6;
        assert!(is_over(WAIT_BITSET, 0, 0x1000));
        assert!(!is_over(WAIT_BITSET, 1, 0x1000));
        assert!(!is_over(LOCK_PI, 0, 0x1000), "it compares nothing");
        assert!(!is_over(WAIT_BITSET, 0, 0x2000), "it cannot be read");
    }
}
