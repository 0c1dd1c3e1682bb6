//! One system call that a stopped thread is made to do: its registers are set to that of the call and
//! to an instruction `syscall` which is there already, and back afterwards. No byte of memory is
//! written.
//!
//! A thread that was stopped inside a system call must begin that again, which Linux does on the way
//! back from a stop where the registers say so (`arch_do_signal_or_restart` of
//! arch/x86/kernel/signal.c). So the registers are put back in the stop at the end of the made call,
//! and the thread is stopped once more, as it was before, ahead of that place.

use super::ptrace::{self, GENERAL_REGISTERS, Step};
use super::registers::USER_REGS_SIZE;
use nix::errno::Errno;
use nix::sys::ptrace::Options;

/// Indexes in `user_regs_struct`: orig_rax, rax, rip, and the arguments rdi rsi rdx r10 r8 r9.
const ORIG_RAX: usize = 15;
const RAX: usize = 10;
const RIP: usize = 16;
const ARGUMENTS: [usize; 6] = [14, 13, 12, 7, 9, 8];

/// What a stop at a system call looks like with PTRACE_O_TRACESYSGOOD.
const SYSTEM_CALL: i32 = libc::SIGTRAP | 0x80;

/// How many stops of other kinds are stepped over.
const MOST_STOPS: usize = 100;

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Made {
    /// What it returned: −errno for an error.
    pub(super) value: i64,
    /// The child that it made, in pydbg's PID namespace.
    pub(super) child: Option<i32>,
}

/// Has a thread do a call by the `syscall` instruction at an address. The thread must be in a stop
/// that no signal brought about, and is in such a stop, or in one by a signal that came meanwhile,
/// afterwards.
pub(super) fn call(
    tid: i32,
    instruction: u64,
    number: i64,
    arguments: [u64; 6],
) -> Result<Made, Errno> {
    let mut before = [0; USER_REGS_SIZE];
    if ptrace::register_set(tid, GENERAL_REGISTERS, &mut before)? != USER_REGS_SIZE {
        return Err(Errno::ENOEXEC);
    }
    let blocked = ptrace::blocked_signals(tid)?;
    let mut during = before;
    let mut set = |index: usize, value: u64| {
        if let Some(word) = during.get_mut(index * 8..index * 8 + 8) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    };
    // It is in no call that might begin again.
    set(ORIG_RAX, u64::MAX);
    set(RAX, number as u64);
    set(RIP, instruction);
    for (index, value) in ARGUMENTS.into_iter().zip(arguments) {
        set(index, value);
    }
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEFORK;
    ptrace::set_options(tid, options)?;
    let made = ptrace::block_signals(tid, u64::MAX)
        .and_then(|()| ptrace::set_registers(tid, &mut during))
        .and_then(|()| through(tid));
    // Whatever went wrong, it must become what it was.
    let back = ptrace::set_registers(tid, &mut before)
        .and_then(|()| ptrace::block_signals(tid, blocked))
        .and_then(|()| ptrace::set_options(tid, Options::empty()))
        .and_then(|()| ptrace::interrupt(tid))
        .and_then(|()| ptrace::resume(tid, Step::Freely, 0))
        .and_then(|()| ptrace::next_stop(tid).map(drop).ok_or(Errno::ESRCH));
    made.and_then(|made| back.map(|()| made))
}

/// Steps through one system call to its end.
fn through(tid: i32) -> Result<Made, Errno> {
    let mut child = None;
    let mut inside = false;
    let mut signal = 0;
    for _ in 0..MOST_STOPS {
        ptrace::resume(tid, Step::ToSystemCall, signal)?;
        let status = ptrace::next_stop(tid).ok_or(Errno::ESRCH)?;
        signal = 0;
        match (status & 0xff, status >> 8) {
            (SYSTEM_CALL, 0) if inside => {
                let mut raw = [0; USER_REGS_SIZE];
                ptrace::register_set(tid, GENERAL_REGISTERS, &mut raw)?;
                let word = crate::bytes::u64_at(&raw, RAX * 8).ok_or(Errno::EIO)?;
                return Ok(Made {
                    value: word as i64,
                    child,
                });
            }
            (SYSTEM_CALL, 0) => inside = true,
            (libc::SIGTRAP, libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK) => {
                child = Some(ptrace::child_of(tid)?);
            }
            // No other signal gets through; it stops the process when this one goes on.
            (libc::SIGSTOP, 0) => signal = libc::SIGSTOP,
            // A fault of the instruction itself.
            (libc::SIGSEGV | libc::SIGILL | libc::SIGBUS | libc::SIGSYS, 0) => {
                return Err(Errno::EFAULT);
            }
            _ => {}
        }
    }
    Err(Errno::ELOOP)
}
