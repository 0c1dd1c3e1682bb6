//! The system call a thread sits in, from its registers (x86-64 numbers: Linux
//! arch/x86/entry/syscalls/syscall_64.tbl).

use super::outside::Outside;
use super::{syscall_restart, syscall_words};
use crate::addr::Addr;
use crate::bytes;
use crate::target::{Memory, Registers};
use serde::Serialize;

pub(super) use super::syscall_names::name;

/// A system call in progress.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SyscallState {
    /// Its number.
    pub number: i64,
    /// Its name, such as `futex`; `syscall 999` when unknown.
    pub name: String,
    /// The six argument registers.
    pub args: [u64; 6],
    /// In a few words, what the thread does: `read from fd 5`, `futex wait on 0x7f…`.
    pub summary: String,
}

/// What rax holds while a system call has not come to its end: the kernel's private restart codes
/// (Linux include/linux/errno.h) and EINTR where a signal or a debugger broke it off, ENOSYS from
/// its start on.
const UNFINISHED: [i64; 6] = [-512, -513, -514, -516, -4, -38];

/// The number of `restart_syscall`, by which the kernel continues sleeps, polls and futex waits.
const RESTART: i64 = 219;

/// The system call that a thread with these registers has not finished. `outside` may know what a
/// file descriptor or a child is.
pub fn decode(
    registers: &Registers,
    memory: &dyn Memory,
    outside: &dyn Outside,
) -> Option<SyscallState> {
    // Interrupts and exceptions set orig_rax to -1, so otherwise the last way into the kernel was
    // a system call; rax tells whether it is over. It is not known of a thread that was not stopped
    // and that /proc says is in the call.
    let stated = registers.syscall.filter(|&number| number >= 0)?;
    let result = registers.general[0].map(|rax| rax as i64);
    if result.is_some_and(|result| !UNFINISHED.contains(&result)) {
        return None;
    }
    let mut args = [0; 6];
    for (index, arg) in args.iter_mut().enumerate() {
        *arg = registers.syscall_arg(index)?;
    }
    let number = match stated {
        RESTART => number_before(registers.pc()?, memory)
            .or_else(|| syscall_restart::number(&args, memory))
            .unwrap_or(RESTART),
        _ => stated,
    };
    Some(SyscallState {
        number,
        name: name(number).map_or_else(|| format!("syscall {number}"), str::to_owned),
        args,
        summary: syscall_words::summary(number, &args, memory, outside),
    })
}

/// The number in a `mov $number, %eax` just before the `syscall` instruction.
fn number_before(pc: Addr, memory: &dyn Memory) -> Option<i64> {
    let code = memory.array::<7>(pc.sub(7)).ok()?;
    if code.first() != Some(&0xb8) || code.get(5..) != Some(&[0x0f, 0x05]) {
        return None;
    }
    bytes::i32_at(&code, 1).map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::Synth;

    /// A process with a pipe at file descriptor 9, which an epoll instance at 7 watches, and two
    /// children.
    struct Known;

    impl Outside for Known {
        fn fd(&self, fd: i32) -> Option<String> {
            (fd == 9).then(|| "pipe:[1]".to_owned())
        }

        fn watched(&self, epoll: i32) -> Vec<i32> {
            if epoll == 7 { vec![4, 9] } else { Vec::new() }
        }

        fn child(&self, pid: i32) -> Option<String> {
            (pid == 77).then(|| "make, running".to_owned())
        }

        fn children(&self) -> Vec<i32> {
            vec![77, 78]
        }
    }

    /// A thread in call `number`, with memory that holds a time of 2.5 s at 0x1000, two `pollfd`s
    /// at 0x2000, an `fd_set` with 3 and 70 at 0x3000, and a path at 0x4000.
    fn thread(number: i64, args: [u64; 6]) -> Option<SyscallState> {
        let mut memory = Synth::default();
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        memory.add(0x1000, words(&[2, 500_000_000]));
        memory.add(0x1800, words(&[2, 500_000]));
        memory.add(0x2000, words(&[5, 9]));
        memory.add(0x3000, words(&[8, 64]));
        memory.add(0x4000, b"/tmp/file\0".to_vec());
        memory.add(0x6000, vec![2, 0, 1, 0xbb, 10, 0, 0, 2]);
        memory.add(0x5000, vec![0x90, 0xb8, 0xca, 0, 0, 0, 0x0f, 0x05, 0x90]);
        let mut registers = Registers {
            syscall: Some(number),
            ..Registers::default()
        };
        registers.general[0] = Some(-512_i64 as u64);
        registers.general[16] = Some(0x5008);
        for (register, value) in [5, 4, 1, 10, 8, 9].into_iter().zip(args) {
            registers.general[register] = Some(value);
        }
        decode(&registers, &memory, &Known)
    }

    #[test]
    fn what_a_thread_waits_for_is_said_in_words() {
        let minus_one = u64::MAX;
        let cases: [(libc::c_long, [u64; 6], &str); 32] = [
            (
                libc::SYS_read,
                [9, 0, 0, 0, 0, 0],
                "read from fd 9 (pipe:[1])",
            ),
            (libc::SYS_pread64, [3, 0, 0, 0, 0, 0], "read from fd 3"),
            (libc::SYS_recvmsg, [3, 0, 0, 0, 0, 0], "recv from fd 3"),
            (libc::SYS_writev, [3, 0, 0, 0, 0, 0], "write to fd 3"),
            (libc::SYS_accept4, [4, 0, 0, 0, 0, 0], "accept on fd 4"),
            (libc::SYS_connect, [4, 0, 0, 0, 0, 0], "connect of fd 4"),
            (
                libc::SYS_connect,
                [4, 0x6000, 16, 0, 0, 0],
                "connect of fd 4",
            ),
            (
                libc::SYS_connect,
                [4, 0x6000, 8, 0, 0, 0],
                "connect of fd 4 to 10.0.0.2:443",
            ),
            (
                libc::SYS_flock,
                [3, 2, 0, 0, 0, 0],
                "file lock of fd 3, exclusive",
            ),
            (
                libc::SYS_semop,
                [5, 0, 1, 0, 0, 0],
                "semaphore wait on System V set 5",
            ),
            (
                libc::SYS_msgrcv,
                [5, 0, 1, 0, 0, 0],
                "recv from System V message queue 5",
            ),
            (
                libc::SYS_io_uring_enter,
                [9, 0, 1, 1, 0, 0],
                "completion wait on fd 9 (pipe:[1])",
            ),
            (
                libc::SYS_fsync,
                [9, 0, 0, 0, 0, 0],
                "sync of fd 9 (pipe:[1])",
            ),
            (
                libc::SYS_sendfile,
                [3, 9, 0, 0, 0, 0],
                "send from fd 9 (pipe:[1]) to fd 3",
            ),
            (
                libc::SYS_poll,
                [0x2000, 2, 1500, 0, 0, 0],
                "poll of 2 fds: 5, 9 (pipe:[1]), timeout 1.5 s",
            ),
            (
                libc::SYS_poll,
                [0x2000, 1, minus_one, 0, 0, 0],
                "poll of fd 5, no timeout",
            ),
            (
                libc::SYS_ppoll,
                [0, 2, 0x1000, 0, 0, 0],
                "poll of 2 fds, timeout 2.5 s",
            ),
            (
                libc::SYS_select,
                [80, 0x3000, 0, 0, 0x1800, 0],
                "select on 2 fds: 3, 70, timeout 2.5 s",
            ),
            (
                libc::SYS_pselect6,
                [4, 0x3000, 0, 0, 0, 0],
                "select on fd 3, no timeout",
            ),
            (
                libc::SYS_epoll_wait,
                [7, 0, 0, 10_000, 0, 0],
                "epoll_wait on fd 7 (epoll of 2 fds: 4, 9 (pipe:[1])), timeout 10 s",
            ),
            (
                libc::SYS_nanosleep,
                [0x1000, 0, 0, 0, 0, 0],
                "sleep of 2.5 s",
            ),
            (
                libc::SYS_clock_nanosleep,
                [1, 1, 0x1000, 0, 0, 0],
                "sleep until 2.5 s of the monotonic clock",
            ),
            (
                libc::SYS_clock_nanosleep,
                [0, 0, 0x1000, 0, 0, 0],
                "sleep of 2.5 s",
            ),
            (
                libc::SYS_futex,
                [0xab0, 128, 0, 0, 0, 0],
                "futex wait on 0xab0, no timeout",
            ),
            (
                libc::SYS_futex,
                [0xab0, 128, 0, 0x1000, 0, 0],
                "futex wait on 0xab0, timeout 2.5 s",
            ),
            (
                libc::SYS_futex,
                [0xab0, 393, 0, 0x1000, 0, 0],
                "futex wait on 0xab0, until clock time 2.5 s",
            ),
            (
                libc::SYS_wait4,
                [1234, 0, 0, 0, 0, 0],
                "wait for child 1234",
            ),
            (
                libc::SYS_wait4,
                [minus_one, 0, 0, 0, 0, 0],
                "wait for any child of 2 (77, 78)",
            ),
            (
                libc::SYS_waitid,
                [1, 77, 0, 0, 0, 0],
                "wait for child 77 (make, running)",
            ),
            (
                libc::SYS_openat,
                [0, 0x4000, 0, 0, 0, 0],
                "openat of \"/tmp/file\"",
            ),
            // The instruction before the pc says that this continues a futex call.
            (
                libc::SYS_restart_syscall,
                [0xab0, 0, 0, 0, 0, 0],
                "futex wait on 0xab0, no timeout",
            ),
            (
                libc::SYS_getrandom,
                [0; 6],
                "read from the random number source",
            ),
        ];
        for (number, args, summary) in cases {
            assert_eq!(thread(number, args).unwrap().summary, summary);
        }
        let unknown = thread(999, [0; 6]).unwrap();
        assert_eq!(
            (unknown.name.as_str(), unknown.number),
            ("syscall 999", 999)
        );
        assert!(thread(-1, [0; 6]).is_none());
    }
}
