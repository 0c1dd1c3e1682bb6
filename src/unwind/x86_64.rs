//! What is particular to x86-64: register numbers (psABI 3.36), which registers a callee
//! preserves (psABI 3.4), what a call and a signal trampoline look like, and the layout of the
//! kernel's signal frame (Linux arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h).

use crate::target::registers::COUNT;

/// rbp.
pub(super) const FRAME_POINTER: usize = 6;
/// rsp.
pub(super) const STACK_POINTER: usize = 7;
/// The return address column, which holds rip.
pub(super) const RETURN_ADDRESS: usize = 16;
/// rbx, rbp, r12–r15.
pub(super) const CALLEE_SAVED: [usize; 6] = [3, 6, 12, 13, 14, 15];

/// `mov $15 (rt_sigreturn), %rax; syscall`: glibc's and musl's `__restore_rt`.
pub(super) const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

/// Where each register, by DWARF number, lies from the stack pointer in the trampoline: a
/// `struct ucontext` (flags, link and stack are 40 bytes), whose `sigcontext` starts with r8–r15,
/// rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
pub(super) const SIGCONTEXT_OFFSETS: [i64; COUNT] = [
    144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72, 80, 88, 96, 168,
];

/// The longest call instruction: a prefix byte, ff, ModRM, SIB and a 32-bit displacement.
pub(super) const LONGEST_CALL: usize = 8;

/// Whether a call instruction ends where `before` ends.
pub(super) fn ends_with_call(before: &[u8]) -> bool {
    let from_end = |len: usize| {
        before
            .len()
            .checked_sub(len)
            .and_then(|at| before.get(at..))
    };
    // call rel32
    if from_end(5).is_some_and(|code| code.first() == Some(&0xe8)) {
        return true;
    }
    // call r/m64 (ff /2), without the optional prefix, which does not matter here.
    (2..LONGEST_CALL)
        .any(|len| from_end(len).is_some_and(|code| indirect_call_len(code) == Some(len)))
}

/// The length of the `ff /2` instruction at the start of `code`.
fn indirect_call_len(code: &[u8]) -> Option<usize> {
    let (&opcode, &modrm) = (code.first()?, code.get(1)?);
    if opcode != 0xff || (modrm >> 3) & 7 != 2 {
        return None;
    }
    let (mode, base) = (modrm >> 6, modrm & 7);
    let sib = mode != 3 && base == 4;
    let displacement = match mode {
        1 => 1,
        2 => 4,
        // Without a displacement, except for rip-relative and for a SIB byte without a base.
        0 if base == 5 || (sib && code.get(2)? & 7 == 5) => 4,
        _ => 0,
    };
    Some(2 + usize::from(sib) + displacement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_recognised_by_the_bytes_before() {
        let calls: [&[u8]; 8] = [
            &[0xe8, 1, 2, 3, 4],                   // call rel32
            &[0x90, 0xff, 0xd0],                   // call *%rax
            &[0x41, 0xff, 0xd4],                   // call *%r12
            &[0xff, 0x15, 1, 2, 3, 4],             // call *disp32(%rip)
            &[0xff, 0x50, 0x18],                   // call *0x18(%rax)
            &[0xff, 0x90, 1, 2, 3, 4],             // call *disp32(%rax)
            &[0x42, 0xff, 0x14, 0xc8],             // call *(%rax,%r9,8)
            &[0x41, 0xff, 0x94, 0xc4, 0, 1, 0, 0], // call *disp32(%r12,%rax,8)
        ];
        for call in calls {
            assert!(ends_with_call(call), "{call:x?}");
        }
        let others: [&[u8]; 5] = [
            &[],
            &[0xe8],
            &[0x0f, 0x05],             // syscall
            &[0xff, 0x25, 1, 2, 3, 4], // jmp *disp32(%rip)
            &[0x48, 0x89, 0xe5, 0x5d, 0x90],
        ];
        for other in others {
            assert!(!ends_with_call(other), "{other:x?}");
        }
    }
}
