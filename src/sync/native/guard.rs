//! Static variables that C++ initialises on first use, as libstdc++ guards them
//! (libsupc++/guard.cc, the Itanium C++ ABI, 3.3.3): bytes of the guard say that somebody
//! initialises and that others wait, not who. That one is found by its stack: it is in the function
//! that the waiter is in, between the call that takes this guard and the call that gives it back.

use super::call::{self, Family};
use super::{KEPT, command};
use crate::addr::{Addr, Pc};
use crate::sync::view::{Found, Waiter};
use crate::sync::{Kind, Owner, View};
use crate::unwind::{NativeFrame, Trust};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

/// The guard while somebody initialises and somebody waits; its lowest byte is set at the end.
const PENDING_AND_WAITING: u32 = 0x0001_0100;

/// The longest initialisation of a variable that is decoded, in bytes of code.
const MOST_CODE: usize = 16 << 10;

/// How many frames of each stack are looked at for the initialiser.
const FRAMES: usize = 2_000;

/// What the decoder calls the registers of [`KEPT`].
const KEPT_NAMES: [Register; KEPT.len()] = [
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// Waits for the initialisation of a variable.
pub(in crate::sync) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    if futex.command != command::WAIT || futex.private || futex.value != PENDING_AND_WAITING {
        return None;
    }
    let guard = view.process.target.memory.u32(futex.addr).ok()?;
    let call = waiter.call(view)?;
    if guard != PENDING_AND_WAITING || call.family != Family::Guard {
        return None;
    }
    let stack = view.process.stack(waiter.thread.id)?;
    let caller = call.frame.checked_add(1);
    let waits = caller.and_then(|caller| stack.frames.get(caller));
    Some(Found {
        evidence: "it sleeps on the guard of a static variable".into(),
        kind: Kind::StaticGuard,
        address: futex.addr,
        owner: Some(owner(view, waits, futex.addr)),
        timed: false,
    })
}

/// Who initialises the variable that `waits` wants.
fn owner(view: &View<'_>, waits: Option<&NativeFrame>, guard: Addr) -> Owner {
    let unknown =
        || Owner::unknown("the guard of a static variable does not say who initialises it");
    let Some((waits, Pc::Return(taken))) = waits.map(|frame| (frame, frame.pc)) else {
        return unknown();
    };
    let Some(given_back) = release(view, waits, taken, guard) else {
        return unknown();
    };
    let initialises = |frame: &NativeFrame| {
        let at = frame.pc.addr();
        frame.trust == Trust::Cfi
            && frame.function_start.is_some()
            && frame.function_start == waits.function_start
            && taken < at
            && at <= given_back
    };
    let threads = view.process.threads().iter().filter(|thread| {
        let stack = view.process.stack(thread.id);
        stack.is_some_and(|stack| stack.frames.iter().take(FRAMES).any(initialises))
    });
    let found: Vec<usize> = threads.map(|thread| thread.id).take(2).collect();
    match found.as_slice() {
        [thread] => Owner::Inferred {
            thread: *thread,
            evidence:
                "its stack is between the call that takes this guard and the one that gives it \
                       back"
                    .into(),
            place: None,
        },
        _ => unknown(),
    }
}

/// The address of the call that gives back the guard, behind the one that returns to `taken`: the next
/// such call in the code must be for this guard. Code that the compiler moved elsewhere is not found.
fn release(view: &View<'_>, waits: &NativeFrame, taken: Addr, guard: Addr) -> Option<Addr> {
    let segment = view.process.target.mapping(taken)?.end.since(taken)?;
    let len = usize::try_from(segment).ok()?.min(MOST_CODE);
    let code = view.process.target.memory.bytes(taken, len).ok()?;
    let decoder = Decoder::with_ip(64, &code, taken.0, DecoderOptions::NONE);
    // What registers were last given, as far as it is an address in the program.
    let kept = KEPT_NAMES.into_iter().zip(KEPT).map(|(register, number)| {
        let value = waits.registers.general.get(number).copied();
        (register, value.flatten())
    });
    let mut given: Vec<(Register, Option<u64>)> = kept.collect();
    for instruction in decoder {
        match instruction.mnemonic() {
            Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => return None,
            Mnemonic::Call => {
                let next = Pc::Return(Addr(instruction.next_ip()));
                let called = call::callee(view.process, next).unwrap_or_default();
                if called.starts_with("__cxa_guard_release") {
                    let argument = last(&given, Register::RDI);
                    let mine = argument == Some(guard.0);
                    return mine.then_some(Addr(instruction.ip()));
                }
                given.retain(|(register, _)| KEPT_NAMES.contains(register));
            }
            Mnemonic::Lea | Mnemonic::Mov if instruction.op0_kind() == OpKind::Register => {
                let value = match instruction.op1_kind() {
                    OpKind::Register => last(&given, instruction.op1_register()),
                    OpKind::Memory if instruction.mnemonic() == Mnemonic::Lea => instruction
                        .is_ip_rel_memory_operand()
                        .then(|| instruction.ip_rel_memory_address()),
                    OpKind::Memory => instruction
                        .is_ip_rel_memory_operand()
                        .then(|| instruction.ip_rel_memory_address())
                        .and_then(|slot| view.process.target.memory.u64(Addr(slot)).ok()),
                    OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                        Some(instruction.immediate(1))
                    }
                    _ => None,
                };
                given.push((instruction.op0_register().full_register(), value));
            }
            _ => {}
        }
    }
    None
}

/// What a register was last given.
fn last(given: &[(Register, Option<u64>)], register: Register) -> Option<u64> {
    let register = register.full_register();
    let mut given = given.iter().rev();
    given.find(|(name, _)| *name == register)?.1
}
