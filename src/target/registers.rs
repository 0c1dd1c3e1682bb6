//! The registers of one thread, CPU-neutral in shape: general registers by DWARF number, and
//! what the system-call and thread-pointer look-ups need. What the numbers mean is in
//! the unwinder's file of that CPU. The x86-64 order of `user_regs_struct` is Linux's
//! arch/x86/include/uapi (sys/user.h); DWARF numbers are the psABI's, figure 3.36.

use crate::addr::Addr;
use crate::bytes;
use serde::{Serialize, Serializer};

/// How many DWARF registers are kept on x86-64: rax rdx rcx rbx rsi rdi rbp rsp r8–r15, and the
/// return address column (16), which holds rip.
pub const COUNT: usize = 17;

/// Names by DWARF number.
pub const NAMES: [&str; COUNT] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15", "rip",
];

/// The registers of one thread or one frame. A register that is not known is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    /// By DWARF number.
    pub general: [Option<u64>; COUNT],
    /// The system call the thread is in (`orig_rax`), or −1; kept only for frame 0.
    pub syscall: Option<i64>,
    /// The thread pointer (`fs_base`): glibc's `pthread_t`.
    pub thread_pointer: Option<u64>,
    /// The flags register.
    pub flags: Option<u64>,
}

/// Bytes of `struct user_regs_struct` on x86-64.
pub const USER_REGS_SIZE: usize = 27 * 8;

/// For each DWARF number, the index of its word in `user_regs_struct`.
const USER_REGS_INDEX: [usize; COUNT] = [10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16];

impl Registers {
    /// From the bytes of `struct user_regs_struct` (NT_PRSTATUS at 112, PTRACE_GETREGSET).
    pub fn from_user_regs(raw: &[u8]) -> Option<Registers> {
        let word = |index: usize| bytes::u64_at(raw, index * 8);
        word(26)?;
        let mut general = [None; COUNT];
        for (slot, index) in general.iter_mut().zip(USER_REGS_INDEX) {
            *slot = word(index);
        }
        Some(Registers {
            general,
            syscall: word(15).map(|value| value as i64),
            thread_pointer: word(21),
            flags: word(18),
        })
    }

    /// The bytes of `struct user_regs_struct`, with zeros for what is not known.
    pub fn to_user_regs(&self) -> [u8; USER_REGS_SIZE] {
        let mut words = [0; USER_REGS_SIZE / 8];
        for (value, index) in self.general.iter().zip(USER_REGS_INDEX) {
            words[index] = value.unwrap_or_default();
        }
        words[15] = self.syscall.unwrap_or(-1) as u64;
        words[18] = self.flags.unwrap_or_default();
        words[21] = self.thread_pointer.unwrap_or_default();
        let mut raw = [0; USER_REGS_SIZE];
        for (slot, word) in raw.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        raw
    }

    /// The instruction pointer.
    pub fn pc(&self) -> Option<Addr> {
        self.general[16].map(Addr)
    }

    /// The stack pointer.
    pub fn sp(&self) -> Option<Addr> {
        self.general[7].map(Addr)
    }

    /// The frame pointer.
    pub fn fp(&self) -> Option<Addr> {
        self.general[6].map(Addr)
    }

    /// Argument `n` (0–5) of the system call the thread sits in: rdi rsi rdx r10 r8 r9.
    pub fn syscall_arg(&self, n: usize) -> Option<u64> {
        const DWARF: [usize; 6] = [5, 4, 1, 10, 8, 9];
        self.general[*DWARF.get(n)?]
    }
}

impl Serialize for Registers {
    /// An object of the known registers as hex strings.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = NAMES
            .iter()
            .zip(self.general)
            .filter_map(|(n, v)| Some((n, Addr(v?))));
        serializer.collect_map(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_regs_are_put_in_dwarf_order() {
        let raw: Vec<u8> = (0..27u64).flat_map(u64::to_le_bytes).collect();
        let regs = Registers::from_user_regs(&raw).unwrap();
        assert_eq!(regs.pc(), Some(Addr(16)));
        assert_eq!(regs.sp(), Some(Addr(19)));
        assert_eq!(regs.fp(), Some(Addr(4)));
        assert_eq!(regs.general[3], Some(5), "rbx");
        assert_eq!(regs.syscall, Some(15));
        assert_eq!(regs.syscall_arg(3), Some(7), "r10");
        assert_eq!(regs.thread_pointer, Some(21));
        assert!(Registers::from_user_regs(&raw[..200]).is_none());
        let back = Registers::from_user_regs(&regs.to_user_regs()).unwrap();
        assert_eq!(back, regs);
    }
}
