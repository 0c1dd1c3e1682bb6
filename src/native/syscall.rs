//! The system call a thread sits in, from its registers alone (x86-64 numbers: Linux
//! arch/x86/entry/syscalls/syscall_64.tbl).

use serde::Serialize;

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
