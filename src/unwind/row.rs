//! One row of call frame information: how to find the caller's registers at one address. A plain
//! copy of what gimli computes, so that it can be kept and used again: most frames of a process
//! are at few different addresses.

use super::x86_64::{self, CALLEE_SAVED, RETURN_ADDRESS, STACK_POINTER};
use crate::target::registers::COUNT;
use gimli::{
    CfaRule, Reader, Register, RegisterRule, UnwindExpression, UnwindSection, UnwindTableRow,
};
use std::sync::Arc;

/// How one register of the caller is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It cannot be found.
    Undefined,
    /// Nothing says how; for the return address that is damage, not an end.
    Missing,
    /// It has the same value as in this frame.
    Same,
    /// It is saved at CFA + n.
    At(i64),
    /// It is CFA + n.
    Value(i64),
    /// It is in another register.
    Register(usize),
    /// It is saved at the address that the expression gives.
    AtExpression(Arc<[u8]>),
    /// It is what the expression gives.
    Expression(Arc<[u8]>),
    /// It is this.
    Constant(u64),
}

/// How the canonical frame address is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cfa {
    /// Register + n.
    Register(usize, i64),
    /// What the expression gives.
    Expression(Arc<[u8]>),
}

/// The rules at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The canonical frame address.
    pub(super) cfa: Cfa,
    /// The caller's registers, by DWARF number.
    pub(super) rules: [Rule; COUNT],
    /// The stated address of the function's start.
    pub(super) function_start: u64,
    /// The function is a trampoline to which signal handlers return.
    pub(super) signal_trampoline: bool,
}

impl Row {
    /// Copies what gimli found; `section` holds the expressions.
    pub(super) fn new<R: Reader<Offset = usize>>(
        row: &UnwindTableRow<usize>,
        fde: &gimli::FrameDescriptionEntry<R>,
        section: &impl UnwindSection<R>,
    ) -> Option<Row> {
        let expression = |place: &UnwindExpression<usize>| -> Option<Arc<[u8]>> {
            Some(place.get(section).ok()?.0.to_slice().ok()?.into())
        };
        let number = |register: Register| {
            let number = usize::from(register.0);
            (number < COUNT).then_some(number)
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Cfa::Register(number(*register)?, *offset)
            }
            CfaRule::Expression(place) => Cfa::Expression(expression(place)?),
        };
        let signal_trampoline = fde.is_signal_trampoline();
        let mut rules = [const { Rule::Undefined }; COUNT];
        for (index, rule) in rules.iter_mut().enumerate() {
            *rule = match index {
                STACK_POINTER => Rule::Value(0),
                RETURN_ADDRESS => Rule::Missing,
                // A callee must preserve these, so what it does not mention it has not touched.
                _ if CALLEE_SAVED.contains(&index) || signal_trampoline => Rule::Same,
                _ => Rule::Undefined,
            };
        }
        let return_address = fde.cie().return_address_register();
        for (register, rule) in row.registers() {
            let index = match number(*register) {
                _ if *register == return_address => RETURN_ADDRESS,
                Some(index) => index,
                // Vector registers and the like are not followed.
                None => continue,
            };
            let rule = match rule {
                RegisterRule::SameValue => Rule::Same,
                RegisterRule::Offset(offset) => Rule::At(*offset),
                RegisterRule::ValOffset(offset) => Rule::Value(*offset),
                RegisterRule::Register(other) => {
                    number(*other).map_or(Rule::Undefined, Rule::Register)
                }
                RegisterRule::Expression(place) => Rule::AtExpression(expression(place)?),
                RegisterRule::ValExpression(place) => Rule::Expression(expression(place)?),
                RegisterRule::Constant(value) => Rule::Constant(*value),
                _ => Rule::Undefined,
            };
            if let Some(slot) = rules.get_mut(index) {
                *slot = rule;
            }
        }
        Some(Row {
            cfa,
            rules,
            function_start: fde.initial_address(),
            signal_trampoline,
        })
    }

    /// The rules of `__restore_rt`, for a trampoline without call frame information: the kernel's
    /// `struct rt_sigframe` lies at the stack pointer.
    pub(super) fn sigreturn(function_start: u64) -> Row {
        let mut rules = [const { Rule::Undefined }; COUNT];
        for (slot, offset) in rules.iter_mut().zip(x86_64::SIGCONTEXT_OFFSETS) {
            *slot = Rule::At(offset);
        }
        Row {
            cfa: Cfa::Register(STACK_POINTER, 0),
            rules,
            function_start,
            signal_trampoline: true,
        }
    }
}
