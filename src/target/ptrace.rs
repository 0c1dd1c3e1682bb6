//! The few ptrace requests pydbg makes and the wait that goes with them; ptrace(2), waitid(2)
//! and Linux kernel/ptrace.c, kernel/signal.c. Nothing here can change a byte of the target's memory;
//! registers are only set where the target is made to fork, which nobody does unasked.
//!
//! PTRACE_ATTACH is never used: its SIGSTOP stays behind as a real stop when the tracer dies
//! early. PTRACE_O_EXITKILL is set for a copy that the target was made to fork, never for the
//! target, which it would kill together with pydbg.

#![allow(unsafe_code)]

use super::registers::{Registers, USER_REGS_SIZE};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// `NT_PRSTATUS`: the general registers.
pub(super) const GENERAL_REGISTERS: u32 = 1;

/// Bytes of `siginfo_t`.
const SIGNAL_INFO_SIZE: usize = 128;

/// `PTRACE_EVENT_STOP`: the stop that PTRACE_INTERRUPT brings about, and a group-stop.
const EVENT_STOP: i32 = 128;

/// What a traced thread has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// It did not stop yet.
    Running,
    /// It is stopped. `signal` is on its way to the thread (0: none) and must be handed on when
    /// the thread is let go, or it is lost.
    Stopped {
        /// The signal's number.
        signal: i32,
    },
    /// It has ended, or is not ours any more.
    Gone,
}

/// Makes the calling thread the tracer of `tid`, which runs on.
pub(super) fn seize(tid: i32) -> Result<(), Errno> {
    ptrace::seize(Pid::from_raw(tid), ptrace::Options::empty())
}

/// Asks a seized thread to stop, without any signal.
pub(super) fn interrupt(tid: i32) -> Result<(), Errno> {
    ptrace::interrupt(Pid::from_raw(tid))
}

/// Lets a stopped thread go, with the signal it was about to receive. nix's own `detach` knows
/// no real-time signals.
pub(super) fn detach(tid: i32, signal: i32) -> Result<(), Errno> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_DETACH reads no memory of ours; its data argument is a number.
    let result = unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, none, i64::from(signal)) };
    Errno::result(result).map(drop)
}

/// The registers of a stopped thread; `None` when it has not the 27 words of x86-64 (a 32-bit
/// program has 17 half as long).
pub(super) fn registers(tid: i32) -> Result<Option<Registers>, Errno> {
    let mut raw = [0u8; USER_REGS_SIZE];
    let len = register_set(tid, GENERAL_REGISTERS, &mut raw)?;
    Ok(raw.get(..len).and_then(Registers::from_user_regs))
}

/// Copies one of a stopped thread's register sets, by the type of the note that has it in a core;
/// returns how long it is.
pub(super) fn register_set(tid: i32, kind: u32, to: &mut [u8]) -> Result<usize, Errno> {
    let mut vector = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: to.len(),
    };
    let request = libc::PTRACE_GETREGSET;
    let kind = u64::from(kind);
    // SAFETY: `vector` names the whole of `to`, and both outlive the call.
    let result = unsafe { libc::ptrace(request, tid, kind, &raw mut vector) };
    Errno::result(result).map(|_| vector.iov_len)
}

/// The bytes of `siginfo_t` of the signal for which a thread is stopped.
pub(super) fn signal_info(tid: i32) -> Result<[u8; SIGNAL_INFO_SIZE], Errno> {
    #[repr(align(8))]
    struct Raw([u8; SIGNAL_INFO_SIZE]);
    const _: () = assert!(size_of::<libc::siginfo_t>() == SIGNAL_INFO_SIZE);
    let mut raw = Raw([0; SIGNAL_INFO_SIZE]);
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the kernel writes one siginfo_t, for which `raw` has room and alignment.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, tid, none, &raw mut raw) };
    Errno::result(result).map(|_| raw.0)
}

/// The signals a stopped thread blocks, as bits from signal 1 on.
pub(super) fn blocked_signals(tid: i32) -> Result<u64, Errno> {
    /// `PTRACE_GETSIGMASK` of Linux include/uapi/linux/ptrace.h.
    const GET_MASK: libc::c_uint = 0x420a;
    let mut mask = 0u64;
    // SAFETY: the kernel writes the eight bytes it is told of, which are `mask`.
    let result = unsafe { libc::ptrace(GET_MASK, tid, size_of::<u64>(), &raw mut mask) };
    Errno::result(result).map(|_| mask)
}

/// Sets the general registers of a stopped thread.
pub(super) fn set_registers(tid: i32, raw: &mut [u8; USER_REGS_SIZE]) -> Result<(), Errno> {
    let mut vector = libc::iovec {
        iov_base: raw.as_mut_ptr().cast(),
        iov_len: raw.len(),
    };
    let kind = u64::from(GENERAL_REGISTERS);
    // SAFETY: `vector` names the whole of `raw`, which the kernel reads; both outlive the call.
    let result = unsafe { libc::ptrace(libc::PTRACE_SETREGSET, tid, kind, &raw mut vector) };
    Errno::result(result).map(drop)
}

/// Sets the signals a stopped thread blocks.
pub(super) fn block_signals(tid: i32, mask: u64) -> Result<(), Errno> {
    /// `PTRACE_SETSIGMASK` of Linux include/uapi/linux/ptrace.h.
    const SET_MASK: libc::c_uint = 0x420b;
    let mut mask = mask;
    // SAFETY: the kernel reads the eight bytes it is told of, which are `mask`.
    let result = unsafe { libc::ptrace(SET_MASK, tid, size_of::<u64>(), &raw mut mask) };
    Errno::result(result).map(drop)
}

/// Sets what a traced thread stops for, and what becomes of it when pydbg ends.
pub(super) fn set_options(tid: i32, options: ptrace::Options) -> Result<(), Errno> {
    ptrace::setoptions(Pid::from_raw(tid), options)
}

/// The id of the child a thread has just made.
pub(super) fn child_of(tid: i32) -> Result<i32, Errno> {
    let pid = ptrace::getevent(Pid::from_raw(tid))?;
    i32::try_from(pid).map_err(|_| Errno::EINVAL)
}

/// How a stopped thread goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// To the beginning or the end of the next system call.
    ToSystemCall,
    /// As far as it gets.
    Freely,
}

/// Lets a stopped thread go on under trace, with a signal or 0.
pub(super) fn resume(tid: i32, step: Step, signal: i32) -> Result<(), Errno> {
    let request = match step {
        Step::ToSystemCall => libc::PTRACE_SYSCALL,
        Step::Freely => libc::PTRACE_CONT,
    };
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: neither request reads memory of ours; the data argument is a number.
    let result = unsafe { libc::ptrace(request, tid, none, i64::from(signal)) };
    Errno::result(result).map(drop)
}

/// Waits for a traced thread's next stop, and gives what waitpid(2) says of it without taking note
/// of it. `None` when it has ended.
pub(super) fn next_stop(tid: i32) -> Option<i32> {
    let look = libc::WSTOPPED | libc::WEXITED | libc::WNOWAIT | libc::__WALL;
    let info = loop {
        match wait(tid, look) {
            Ok(info) => break info,
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    };
    // SAFETY: waitid has filled the SIGCHLD part of the union, since it returned without an error
    // and without WNOHANG.
    let status = unsafe { info.si_status() };
    (info.si_code == libc::CLD_TRAPPED).then_some(status)
}

/// Takes note of the end of a traced process that was killed, for which it waits. Stops that were
/// not taken note of come before it.
pub(super) fn await_end(pid: i32) {
    loop {
        match wait(pid, libc::WEXITED | libc::__WALL) {
            Ok(info) if info.si_code == libc::CLD_TRAPPED => {}
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Whether the kernel lets pydbg use ptrace at all. A thread id above every limit
/// (`PID_MAX_LIMIT` is 2²²) yields "no such process", unless a seccomp filter answers first.
pub(super) fn forbidden() -> Option<Errno> {
    match seize(i32::MAX) {
        Err(Errno::ESRCH) | Ok(()) => None,
        Err(errno) => Some(errno),
    }
}

/// Looks at one traced thread without waiting.
///
/// The stop is left unconsumed (WNOWAIT): consuming it clears the thread's `exit_code`, and a
/// signal that was about to be delivered would be lost if pydbg were killed just then
/// (`wait_task_stopped` and `ptrace_stop`). A leader's end is left for its parent, which may be
/// pydbg's own caller; the end of another thread has no reader but its tracer.
pub(super) fn progress(tid: i32, leader: bool) -> Progress {
    let look = libc::WSTOPPED | libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    let Ok(info) = wait(tid, look) else {
        return Progress::Gone;
    };
    // SAFETY: both accessors read the SIGCHLD part of the union, which waitid fills; it was all
    // zero before the call, which is what "nothing happened" leaves it at.
    let (who, status) = unsafe { (info.si_pid(), info.si_status()) };
    if who == 0 {
        return Progress::Running;
    }
    if info.si_code == libc::CLD_TRAPPED {
        let signal = if status >> 8 == 0 { status & 0x7f } else { 0 };
        debug_assert!(status >> 8 == 0 || status >> 8 == EVENT_STOP);
        return Progress::Stopped { signal };
    }
    if !leader {
        bury(tid);
    }
    Progress::Gone
}

/// Takes note of the end of a traced thread that is not the main one and has ended; any thread of
/// pydbg may. It must have ended: of one that is stopped this would consume the stop, whatever the
/// options say (`wait_task_stopped`), and with it the signal that is about to be delivered. Until
/// then its zombie stays, and another thread of it that is in execve() waits for it to go, with a
/// lock that makes [`seize`] wait, too (`de_thread` in Linux fs/exec.c).
pub(super) fn bury(tid: i32) {
    // Nothing depends on how it ended.
    let _ = wait(tid, libc::WEXITED | libc::WNOHANG | libc::__WALL);
}

fn wait(tid: i32, options: libc::c_int) -> Result<libc::siginfo_t, Errno> {
    // SAFETY: siginfo_t is plain data, for which all zeros is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id = libc::id_t::try_from(tid).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `info` is ours and outlives the call.
    let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) };
    Errno::result(result).map(|_| info)
}
