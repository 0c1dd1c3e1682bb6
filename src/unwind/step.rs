//! One step outwards by a row of call frame information: the registers of the caller.

use super::expression;
use super::row::{Cfa, Row, Rule};
use super::x86_64::{RETURN_ADDRESS, STACK_POINTER};
use crate::addr::Addr;
use crate::target::{Fault, Memory, Registers};

/// The bytes of the stack that are kept while a thread is unwound: frames lie close together, and
/// for a live process every read is a system call.
pub(super) struct Stack<'a> {
    pub(super) memory: &'a dyn Memory,
    page: Option<Addr>,
    bytes: Box<[u8; PAGE as usize]>,
}

const PAGE: u64 = 4096;

impl<'a> Stack<'a> {
    pub(super) fn new(memory: &'a dyn Memory) -> Stack<'a> {
        Stack {
            memory,
            page: None,
            bytes: Box::new([0; PAGE as usize]),
        }
    }

    /// The word at `addr`.
    pub(super) fn word(&mut self, addr: Addr) -> Result<u64, Fault> {
        let offset = addr.0 % PAGE;
        let page = addr.sub(offset);
        if self.page != Some(page) {
            let read = self.memory.read(page, &mut *self.bytes);
            self.page = read.is_ok().then_some(page);
        }
        let kept = self
            .page
            .and(crate::bytes::u64_at(&*self.bytes, offset as usize));
        // A word across two pages, or a page that is there in part.
        kept.map_or_else(|| self.memory.u64(addr), Ok)
    }
}

/// Why a row could not be applied.
pub(super) enum Failure {
    /// The row says that there is no caller.
    Outermost,
    /// A register or memory that the row needs is not known.
    Unknown(&'static str),
    /// The stack cannot be read.
    Unreadable(Fault),
}

/// The caller's canonical frame address and registers.
pub(super) fn apply(
    row: &Row,
    registers: &Registers,
    stack: &mut Stack<'_>,
) -> Result<(Addr, Registers), Failure> {
    let known = |number: usize| registers.general.get(number).copied().flatten();
    let cfa = match &row.cfa {
        Cfa::Register(number, offset) => {
            known(*number).map(|value| value.wrapping_add_signed(*offset))
        }
        Cfa::Expression(code) => expression::evaluate(code, None, registers, stack.memory),
    };
    let cfa = cfa.ok_or(Failure::Unknown(
        "the register that the frame hangs on is not known",
    ))?;
    let mut caller = Registers {
        thread_pointer: registers.thread_pointer,
        ..Registers::default()
    };
    for (number, (slot, rule)) in caller.general.iter_mut().zip(&row.rules).enumerate() {
        *slot = match rule {
            Rule::Undefined if number == RETURN_ADDRESS => return Err(Failure::Outermost),
            Rule::Undefined | Rule::Missing => None,
            Rule::Same => known(number),
            Rule::Value(offset) => Some(cfa.wrapping_add_signed(*offset)),
            Rule::Register(other) => known(*other),
            Rule::Constant(value) => Some(*value),
            Rule::At(offset) => {
                let read = stack.word(Addr(cfa.wrapping_add_signed(*offset)));
                match read {
                    Ok(value) => Some(value),
                    // Without these two there is no caller; the others may stay unknown.
                    Err(fault) if [RETURN_ADDRESS, STACK_POINTER].contains(&number) => {
                        return Err(Failure::Unreadable(fault));
                    }
                    Err(_) => None,
                }
            }
            Rule::AtExpression(code) => {
                let at = expression::evaluate(code, Some(cfa), registers, stack.memory);
                at.and_then(|at| stack.word(Addr(at)).ok())
            }
            Rule::Expression(code) => {
                expression::evaluate(code, Some(cfa), registers, stack.memory)
            }
        };
    }
    if caller.general[RETURN_ADDRESS].is_none() {
        return Err(Failure::Unknown("the return address is not known"));
    }
    Ok((Addr(cfa), caller))
}
