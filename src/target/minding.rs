//! Which threads mind being stopped. A system call that a stop interrupts is mostly begun again by the kernel,
//! unseen; a few return EINTR instead, although no signal handler ran: signal(7), "Interruption of system calls
//! and library functions by stop signals", and those that say so in the kernel's source
//! (`do_epoll_wait`, `do_semtimedop`, `do_sigtimedwait`, `sock_intr_errno`, `read_events` of fs/aio.c,
//! `io_cqring_wait`).

use super::proc::Task;

/// The `libc` crate has no name for it (Linux arch/x86/entry/syscalls/syscall_64.tbl).
const IO_PGETEVENTS: i64 = 333;

/// Calls that return EINTR.
const ALWAYS: [i64; 10] = [
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_io_getevents,
    IO_PGETEVENTS,
    libc::SYS_io_uring_enter,
    libc::SYS_recvmmsg,
];

/// Calls on a socket, which return EINTR when it has a timeout (SO_RCVTIMEO, SO_SNDTIMEO). Whether it has one
/// cannot be seen from outside.
const ON_A_SOCKET: [i64; 12] = [
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Whether the thread waits in a call that a stop would make return EINTR.
pub(super) fn minds_a_stop(task: Task) -> bool {
    let Some(registers) = task.blocked_registers() else {
        return false;
    };
    let Some(call) = registers.syscall else {
        return false;
    };
    let on_a_socket = || {
        let fd = registers.syscall_arg(0);
        let link = fd.and_then(|fd| task.link(&format!("fd/{fd}")));
        link.is_some_and(|link| link.starts_with("socket:"))
    };
    ALWAYS.contains(&call) || ON_A_SOCKET.contains(&call) && on_a_socket()
}
