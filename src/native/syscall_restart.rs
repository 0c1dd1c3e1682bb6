//! Which system call `restart_syscall` continues, by the shape of its arguments. glibc 2.41 and
//! later makes calls that can be cancelled from one place, which does not tell the number (its
//! sysdeps/unix/sysv/linux/x86_64/syscall_cancel.S). The kernel continues only few calls so: those
//! that set `restart_block.fn` (Linux kernel/time/hrtimer.c, fs/select.c, kernel/futex).

use crate::addr::Addr;
use crate::bytes;
use crate::target::Memory;

/// No object of a program lies below; ids of clocks do.
const LOWEST: u64 = 4096;

/// More file descriptors than a process has by default.
const MOST_FDS: u64 = 4096;
const HIGHEST_FD: i32 = 1 << 20;

/// The number of the one call that such arguments fit; `None` when they fit several or none.
pub(super) fn number(args: &[u64; 6], memory: &dyn Memory) -> Option<i64> {
    let [first, second, third, ..] = *args;
    if first < LOWEST {
        return (second == 0 && is_time(third, memory)).then_some(libc::SYS_clock_nanosleep);
    }
    match (is_futex(args, memory), is_poll(first, second, memory)) {
        (true, false) => Some(libc::SYS_futex),
        (false, true) => Some(libc::SYS_poll),
        _ => None,
    }
}

/// A `struct timespec`.
fn is_time(at: u64, memory: &dyn Memory) -> bool {
    let raw = memory.array::<16>(Addr(at));
    raw.is_ok_and(|raw| {
        let seconds = bytes::u64_at(&raw, 0).is_some_and(|seconds| seconds < 1 << 40);
        seconds && bytes::u64_at(&raw, 8).is_some_and(|part| part < 1_000_000_000)
    })
}

/// A wait for a futex with a timeout: without one it starts anew. All those of glibc are
/// FUTEX_WAIT_BITSET for any bit; of FUTEX_WAIT the time must be readable.
fn is_futex(args: &[u64; 6], memory: &dyn Memory) -> bool {
    const FLAGS: u64 = 128 | 256;
    const WAIT: u64 = 0;
    const WAIT_BITSET: u64 = 9;
    const ANY: u64 = 0xffff_ffff;
    let [word, operation, _, timeout, _, bits] = *args;
    let waits = match operation & !FLAGS {
        WAIT => is_time(timeout, memory),
        WAIT_BITSET => bits == ANY && timeout != 0,
        _ => false,
    };
    waits && word.is_multiple_of(4)
}

/// An array of `struct pollfd` that the kernel has not answered.
fn is_poll(array: u64, count: u64, memory: &dyn Memory) -> bool {
    if count == 0 || count > MOST_FDS {
        return false;
    }
    let raw = memory.bytes(Addr(array), count as usize * 8);
    raw.is_ok_and(|raw| {
        raw.chunks_exact(8).all(|polled| {
            let fd = bytes::i32_at(polled, 0).is_some_and(|fd| (-1..HIGHEST_FD).contains(&fd));
            let events = bytes::u16_at(polled, 4).is_some_and(|events| events != 0);
            fd && events && bytes::u16_at(polled, 6) == Some(0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    #[test]
    fn only_arguments_that_fit_one_call_tell_it() {
        let words = |words: &[u64]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let mut memory = Synth::default();
        memory.add(0x10000, words(&[2, 500_000_000]));
        // fd 5, POLLIN; then fd 6 with an answer.
        memory.add(0x20000, words(&[5 | 1 << 32, 6 | 1 << 32 | 1 << 48]));
        let found = |args: [u64; 6]| number(&args, &memory);
        assert_eq!(
            found([1, 0, 0x10000, 0, 0, 0]),
            Some(libc::SYS_clock_nanosleep)
        );
        assert_eq!(found([1, 0, 0x90000, 0, 0, 0]), None);
        assert_eq!(found([0x20000, 1, 1500, 0, 0, 0]), Some(libc::SYS_poll));
        assert_eq!(found([0x20000, 2, 1500, 0, 0, 0]), None);
        assert_eq!(
            found([0x10008, 137, 0, 0x10000, 0, 0xffff_ffff]),
            Some(libc::SYS_futex)
        );
        assert_eq!(found([0x10008, 137, 0, 0, 0, 0xffff_ffff]), None);
        assert_eq!(found([0x90000, 0, 0, 0, 0, 0]), None);
    }
}
