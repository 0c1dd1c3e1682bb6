//! The system call a thread sits in, from its registers (x86-64 numbers: Linux
//! arch/x86/entry/syscalls/syscall_64.tbl).

use super::syscall_words;
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

/// The system call that a thread with these registers has not finished. `fd_name` may know what a
/// file descriptor is.
pub fn decode(
    registers: &Registers,
    memory: &dyn Memory,
    fd_name: &dyn Fn(i32) -> Option<String>,
) -> Option<SyscallState> {
    // Interrupts and exceptions set orig_rax to -1, so otherwise the last way into the kernel was
    // a system call; rax tells whether it is over.
    let stated = registers.syscall.filter(|&number| number >= 0)?;
    let result = registers.general[0]? as i64;
    if !UNFINISHED.contains(&result) {
        return None;
    }
    let number = match stated {
        RESTART => number_before(registers.pc()?, memory).unwrap_or(RESTART),
        _ => stated,
    };
    let mut args = [0; 6];
    for (index, arg) in args.iter_mut().enumerate() {
        *arg = registers.syscall_arg(index)?;
    }
    Some(SyscallState {
        number,
        name: name(number).map_or_else(|| format!("syscall {number}"), str::to_owned),
        args,
        summary: syscall_words::summary(number, &args, memory, fd_name),
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

/// What /proc says a live process's file descriptor is: a path, `socket:[123]`, `pipe:[123]`.
pub fn fd_name(pid: i32, fd: i32) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    Some(link.to_string_lossy().into_owned())
}
