//! What the code says of a frame: whether its function can only return after it has called
//! `__cxa_guard_release` for some guard. Then it has taken the guard. Every way from the frame's place in
//! the code is followed; one that cannot be followed proves nothing.

use super::KEPT;
use super::call;
use crate::addr::{Addr, Pc};
use crate::native::Process;
use crate::unwind::NativeFrame;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use rustc_hash::FxHashSet;

/// The most instructions that are followed.
const MOST_STEPS: usize = 3_000;

/// How far from the frame's place the code is looked at, in bytes.
const REACH: u64 = 32 << 10;

/// Calls that do not come back.
const NO_RETURN: &[&str] = &[
    "__cxa_guard_abort",
    "__cxa_throw",
    "__cxa_rethrow",
    "__stack_chk_fail",
    "_Unwind_Resume",
    "abort",
];

/// What the code behind a frame's place does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Every way leads through the release of the guard.
    GivesBack,
    /// The function may return without any release.
    NoRelease,
    /// It may return, or the ways cannot be followed; there are releases of some guard.
    Unclear,
}

/// What lies between a frame's place and its function's return.
pub(super) fn outcome(process: &Process, frame: &NativeFrame, guard: Addr) -> Outcome {
    let mut walk = Walk {
        process,
        guard: guard.0,
        seen: FxHashSet::default(),
        ahead: Vec::new(),
        released: false,
        releases: false,
    };
    let gives_back = match frame.pc {
        Pc::Return(place) => walk.all(place, Values::of(frame)),
        Pc::Exact(_) => None,
    };
    match (gives_back, walk.releases) {
        (Some(()), _) if walk.released => Outcome::GivesBack,
        (_, true) => Outcome::Unclear,
        (_, false) => Outcome::NoRelease,
    }
}

/// What the general registers hold, as far as that is known.
#[derive(Clone, Copy)]
struct Values([Option<u64>; 16]);

impl Values {
    fn of(frame: &NativeFrame) -> Values {
        let mut values = Values([None; 16]);
        for (register, number) in KEPT_NAMES.into_iter().zip(KEPT) {
            values.set(
                register,
                frame.registers.general.get(number).copied().flatten(),
            );
        }
        values
    }

    fn get(&self, register: Register) -> Option<u64> {
        *self.0.get(register.full_register().number())?
    }

    fn set(&mut self, register: Register, value: Option<u64>) {
        if register.is_gpr()
            && let Some(slot) = self.0.get_mut(register.full_register().number())
        {
            *slot = value;
        }
    }

    /// A call leaves nothing but what functions keep for their callers.
    fn forget(&mut self) {
        let kept = KEPT_NAMES.map(|register| (register, self.get(register)));
        *self = Values([None; 16]);
        for (register, value) in kept {
            self.set(register, value);
        }
    }

    /// Follows an instruction that is no branch.
    fn step(&mut self, process: &Process, instruction: &Instruction) {
        if instruction.op_count() == 0 || instruction.op0_kind() != OpKind::Register {
            return;
        }
        let address = instruction
            .is_ip_rel_memory_operand()
            .then(|| instruction.ip_rel_memory_address());
        let value = match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Push | Mnemonic::Cmp | Mnemonic::Test, _) => return,
            (Mnemonic::Lea, _) => address,
            (Mnemonic::Mov, OpKind::Register) => self.get(instruction.op1_register()),
            // The address of a variable that other libraries may define lies in a table.
            (Mnemonic::Mov, OpKind::Memory) => {
                address.and_then(|slot| process.target.memory.u64(Addr(slot)).ok())
            }
            (
                Mnemonic::Mov,
                OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64,
            ) => Some(instruction.immediate(1)),
            _ => None,
        };
        self.set(instruction.op0_register(), value);
    }
}

/// What the decoder calls the registers of [`KEPT`].
const KEPT_NAMES: [Register; KEPT.len()] = [
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// The ways through a function.
struct Walk<'p> {
    process: &'p Process,
    guard: u64,
    seen: FxHashSet<u64>,
    /// Where ways go on that are not followed yet.
    ahead: Vec<(Addr, Values)>,
    /// Whether a way led to the release of the guard, and whether one led to any release.
    released: bool,
    releases: bool,
}

impl Walk<'_> {
    /// Follows all ways; `None` where one returns or gets lost.
    fn all(&mut self, place: Addr, values: Values) -> Option<()> {
        let mapping = self.process.target.mapping(place)?;
        let start = mapping.start.max(Addr(place.0.saturating_sub(REACH)));
        let end = mapping.end.min(Addr(place.0.saturating_add(REACH)));
        let len = usize::try_from(end.since(start)?).ok()?;
        let code = self.process.target.memory.bytes(start, len).ok()?;
        self.ahead.push((place, values));
        while let Some((at, values)) = self.ahead.pop() {
            let offset = usize::try_from(at.since(start)?).ok()?;
            self.straight(code.get(offset..)?, at, values)?;
        }
        Some(())
    }

    /// Follows one way up to where it ends or branches.
    fn straight(&mut self, code: &[u8], at: Addr, mut values: Values) -> Option<()> {
        for instruction in Decoder::with_ip(64, code, at.0, DecoderOptions::NONE) {
            if !self.seen.insert(instruction.ip()) {
                return Some(());
            }
            if self.seen.len() > MOST_STEPS || instruction.is_invalid() {
                return None;
            }
            match instruction.flow_control() {
                FlowControl::Next => values.step(self.process, &instruction),
                FlowControl::Call | FlowControl::IndirectCall => {
                    let called =
                        call::callee(self.process, Pc::Return(Addr(instruction.next_ip())));
                    let called = called.unwrap_or_default();
                    if self.is_release(&called, &values) || is_any(&called, NO_RETURN) {
                        return Some(());
                    }
                    values.forget();
                }
                FlowControl::ConditionalBranch => {
                    let target = Addr(instruction.near_branch_target());
                    self.ahead.push((target, values));
                }
                FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => {
                    return self.jump(&instruction, values);
                }
                FlowControl::Exception => return Some(()),
                _ => return None,
            }
        }
        None
    }

    /// Follows a jump, which may be a call in disguise: the last thing that a function does.
    fn jump(&mut self, instruction: &Instruction, values: Values) -> Option<()> {
        let target = match instruction.op0_kind() {
            OpKind::NearBranch64 => Addr(instruction.near_branch_target()),
            OpKind::Memory if instruction.is_ip_rel_memory_operand() => {
                let slot = Addr(instruction.ip_rel_memory_address());
                self.process.target.memory.ptr(slot).ok()?
            }
            _ => return None,
        };
        match call::name_at(self.process, target) {
            Some(name) if self.is_release(&name, &values) || is_any(&name, NO_RETURN) => Some(()),
            // Compilers move what hardly ever runs to a place of its own.
            Some(name) if !name.contains(".cold") => None,
            _ => {
                self.ahead.push((target, values));
                Some(())
            }
        }
    }

    /// Whether a call to a function of this name gives the guard back.
    fn is_release(&mut self, name: &str, values: &Values) -> bool {
        if !is_any(name, &["__cxa_guard_release"]) {
            return false;
        }
        self.releases = true;
        let is_it = values.get(Register::RDI) == Some(self.guard);
        self.released |= is_it;
        is_it
    }
}

/// Whether a function, or the stub that leads to it, has one of these names.
fn is_any(name: &str, names: &[&str]) -> bool {
    names.contains(&name.split('@').next().unwrap_or(name))
}
