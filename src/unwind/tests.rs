//! Stacks built by hand, one per way to find a caller; and damaged ones, which must end.

use super::{End, NativeStack, Trust, Unwinder};
use crate::addr::{Addr, Pc};
use crate::diag::Cancel;
use crate::image::Images;
use crate::target::Target;
use crate::target::synth::TargetBuilder;
use proptest::prelude::*;

/// Code without any file: 0x400000–0x402000. A call ends at each address that is a multiple of
/// 0x100, and `__restore_rt` lies at 0x401808.
const CODE: u64 = 0x40_0000;
const RESTORER: u64 = 0x40_1808;
/// A stack of 4096 words.
const STACK: u64 = 0x7f00_0000_0000;
const WORDS: usize = 4096;

fn code() -> Vec<u8> {
    let mut code = vec![0x90; 0x2000];
    for call in code.chunks_mut(0x100) {
        // call rel32, as the last instruction.
        call[0xfb] = 0xe8;
    }
    let restorer = super::x86_64::SIGRETURN;
    code[0x1808..0x1808 + restorer.len()].copy_from_slice(&restorer);
    code
}

/// A thread at `pc` with the stack pointer at the start of these words.
fn target(pc: u64, frame_pointer: u64, words: &[(usize, u64)]) -> Target {
    let mut stack = vec![0; WORDS];
    for (index, word) in words {
        stack[*index] = *word;
    }
    TargetBuilder::new()
        .memory(CODE, code())
        .mapping(CODE, CODE + 0x2000, "r-x", "", 0)
        .words(STACK, &stack)
        .mapping(STACK, STACK + WORDS as u64 * 8, "rw-", "", 0)
        .thread(1, &[(6, frame_pointer), (7, STACK), (16, pc), (3, 0xb)])
        .build()
}

fn walk(target: &Target, limit: usize) -> NativeStack {
    let images = Images::find(target);
    let registers = target.threads[0].registers.unwrap();
    let cancel = Cancel::default();
    Unwinder::new(&images).walk(target, &images, &registers, limit, &cancel)
}

/// The addresses and trusts of a stack.
fn short(stack: &NativeStack) -> Vec<(u64, Trust)> {
    let frames = stack.frames.iter();
    frames
        .map(|frame| (frame.pc.addr().0, frame.trust))
        .collect()
}

#[test]
fn the_frame_pointer_chain_is_followed() {
    let slot = |index: usize| STACK + index as u64 * 8;
    let words = [(4, slot(10)), (5, 0x40_0500), (10, 0), (11, 0x40_0600)];
    let stack = walk(&target(0x40_0123, slot(4), &words), 100);
    let expected = [
        (0x40_0123, Trust::Context),
        (0x40_0500, Trust::FramePointer),
        (0x40_0600, Trust::FramePointer),
    ];
    assert_eq!(short(&stack), expected);
    assert_eq!(stack.frames[1].sp, Addr(slot(6)));
    assert_eq!(stack.frames[0].cfa, Some(Addr(slot(6))));
    assert_eq!(stack.frames[1].registers.general[3], None, "rbx");
    assert!(matches!(stack.end, End::Lost(_)));
}

#[test]
fn words_that_no_call_precedes_are_not_return_addresses() {
    // A pointer into the code, then a return address.
    let words = [(7, 0x40_0480), (9, 0x40_0700)];
    let stack = walk(&target(0x40_0123, 0, &words), 100);
    let expected = [(0x40_0123, Trust::Context), (0x40_0700, Trust::Scan)];
    assert_eq!(short(&stack), expected);
    assert_eq!(stack.frames[1].pc, Pc::Return(Addr(0x40_0700)));
}

#[test]
fn a_call_of_null_keeps_the_registers_of_the_caller() {
    for pc in [0, 0x4141_4141_4141_4141] {
        let stack = walk(&target(pc, 0x77, &[(0, 0x40_0300)]), 100);
        let expected = [(pc, Trust::Context), (0x40_0300, Trust::Scan)];
        assert_eq!(short(&stack), expected);
        assert_eq!(stack.frames[1].registers.general[3], Some(0xb), "rbx");
        assert_eq!(stack.frames[1].registers.general[6], Some(0x77), "rbp");
        assert_eq!(stack.frames[1].sp, Addr(STACK + 8));
    }
}

#[test]
fn a_trampoline_without_frame_information_is_known_by_its_code() {
    let slot = |index: usize| STACK + index as u64 * 8;
    // The handler's frame, then rt_sigframe: the saved rsp is word 20 of it, rip word 21.
    let words = [
        (0, 0),
        (1, RESTORER),
        (2 + 16, 0xbb),
        (2 + 20, slot(50)),
        (2 + 21, 0x40_0600),
        (50, 0x40_0700),
    ];
    let stack = walk(&target(0x40_0123, slot(0), &words), 100);
    let expected = [
        (0x40_0123, Trust::Context),
        (RESTORER, Trust::FramePointer),
        (0x40_0600, Trust::SignalFrame),
        (0x40_0700, Trust::Scan),
    ];
    assert_eq!(short(&stack), expected);
    assert!(stack.frames[1].signal_trampoline);
    assert_eq!(stack.frames[2].pc, Pc::Exact(Addr(0x40_0600)));
    assert_eq!(stack.frames[2].registers.general[3], Some(0xbb), "rbx");
}

#[test]
fn signal_frames_that_form_a_circle_end() {
    // The interrupted code is the trampoline itself, with the same stack pointer.
    let words = [(20, STACK), (21, RESTORER)];
    let stack = walk(&target(RESTORER, 0, &words), 100);
    assert_eq!(stack.end, End::Loop);
    assert_eq!(stack.frames.len(), 2);
}

#[test]
fn limits_and_cancellation_are_obeyed() {
    let words: Vec<(usize, u64)> = (1..WORDS).map(|index| (index, 0x40_0300)).collect();
    let target = target(0x40_0123, 0, &words);
    let stack = walk(&target, 10);
    assert_eq!((stack.frames.len(), stack.end), (10, End::Limit));
    let all = walk(&target, 1_000_000);
    assert_eq!(all.frames.len(), WORDS);
    let images = Images::find(&target);
    let cancel = Cancel::default();
    cancel.cancel();
    let registers = target.threads[0].registers.unwrap();
    let stack = Unwinder::new(&images).walk(&target, &images, &registers, 10, &cancel);
    assert_eq!(stack.end, End::Cancelled);
}

#[test]
fn without_registers_nothing_is_made_up() {
    let target = TargetBuilder::new().thread(1, &[]).build();
    let stack = walk(&target, 10);
    assert!(stack.frames.is_empty());
    assert!(matches!(stack.end, End::Lost(_)));
}

/// This process's own vDSO, for its call frame information.
fn vdso() -> Vec<u8> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
    let (start, rest) = line.split_once('-').unwrap();
    let end = rest.split_once(' ').unwrap().0;
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let (start, end) = (address(start), address(end));
    let mut bytes = vec![0; (end - start) as usize];
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, start).unwrap();
    bytes
}

/// A thread in a vDSO with these bytes.
fn in_vdso(bytes: Vec<u8>, offset: u64, words: &[u64]) -> Target {
    const AT_SYSINFO_EHDR: u64 = 33;
    let start = 0x7fff_0000_0000;
    let end = start + bytes.len() as u64;
    TargetBuilder::new()
        .memory(start, bytes)
        .mapping(start, end, "r-x", "[vdso]", 0)
        .words(STACK, words)
        .aux(AT_SYSINFO_EHDR, start)
        .thread(1, &[(6, STACK + 64), (7, STACK), (16, start + offset)])
        .build()
}

#[test]
fn the_vdso_is_an_image_with_names_and_frame_information() {
    let target = in_vdso(vdso(), 0, &[0; 64]);
    let images = Images::find(&target);
    let image = &images.all[0];
    assert!(image.is_vdso());
    let (addr, size) = image.exported("__vdso_clock_gettime").unwrap();
    assert!(size > 0);
    assert_eq!(image.named("__vdso_clock_gettime"), Some((addr, size)));
    // At its first instruction, the return address is on top of the stack.
    let offset = addr.since(image.start).unwrap();
    let target = in_vdso(vdso(), offset, &[0x1234; 64]);
    let stack = walk(&target, 10);
    assert_eq!(short(&stack)[1], (0x1234, Trust::Cfi));
    assert_eq!(stack.frames[0].function_start, Some(addr));
}

proptest! {
    #[test]
    fn any_stack_ends_and_goes_upwards(
        words in prop::collection::vec(
            prop_oneof![
                Just(0u64),
                any::<u64>(),
                (0u64..0x20).prop_map(|page| CODE + page * 0x100),
                Just(RESTORER),
                (0..WORDS as u64).prop_map(|index| STACK + index * 8),
            ],
            1..300,
        ),
        pc in prop_oneof![Just(0u64), Just(RESTORER), Just(CODE + 0x123), any::<u64>()],
        frame_pointer in prop_oneof![any::<u64>(), (0..WORDS as u64).prop_map(|at| STACK + at * 8)],
    ) {
        let words: Vec<(usize, u64)> = words.into_iter().enumerate().collect();
        let stack = walk(&target(pc, frame_pointer, &words), 2000);
        prop_assert!(stack.frames.len() <= 2000);
        for pair in stack.frames.windows(2) {
            prop_assert!(pair[0].signal_trampoline || pair[0].sp < pair[1].sp);
        }
    }

    #[test]
    fn damaged_frame_information_ends_without_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
        offset in 0u64..0x2000,
        words in prop::collection::vec(any::<u64>(), 64),
    ) {
        let mut bytes = vdso();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            // The header stays, or nothing would be found at all.
            if at >= 64 {
                bytes[at] = value;
            }
        }
        let target = in_vdso(bytes, offset, &words);
        let stack = walk(&target, 100);
        prop_assert!(!stack.frames.is_empty());
        let images = Images::find(&target);
        for image in &images.all {
            let _ = image.symbol_at(target.threads[0].registers.unwrap().pc().unwrap());
            let _ = image.summary();
        }
    }
}
