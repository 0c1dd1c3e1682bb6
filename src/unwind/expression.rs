//! DWARF expressions in call frame information: a stack machine that may read registers and
//! memory (DWARF 5, 2.5 and 6.4.2). Used for the PLT, for stack realignment and for glibc's
//! signal trampoline.

use crate::addr::Addr;
use crate::target::{Memory, Registers};
use gimli::{EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Value};

/// The most operations of one expression; real ones have about ten.
const MOST_STEPS: u32 = 1000;

/// What every expression in x86-64 call frame information is encoded for.
const ENCODING: gimli::Encoding = gimli::Encoding {
    address_size: 8,
    format: gimli::Format::Dwarf32,
    version: 4,
};

/// The value of `expression`, or `None` when it needs what is not known. `initial` is pushed first.
pub(super) fn evaluate(
    expression: &[u8],
    initial: Option<u64>,
    registers: &Registers,
    memory: &dyn Memory,
) -> Option<u64> {
    let bytecode = EndianSlice::new(expression, LittleEndian);
    let mut evaluation = Evaluation::new(bytecode, ENCODING);
    evaluation.set_max_iterations(MOST_STEPS);
    if let Some(initial) = initial {
        evaluation.set_initial_value(initial);
    }
    let mut result = evaluation.evaluate().ok()?;
    for _ in 0..MOST_STEPS {
        let value = match result {
            EvaluationResult::Complete => return value(&evaluation),
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let mut word = [0; 8];
                let part = word.get_mut(..usize::from(size))?;
                memory.read(Addr(address), part).ok()?;
                result = evaluation
                    .resume_with_memory(Value::Generic(u64::from_le_bytes(word)))
                    .ok()?;
                continue;
            }
            EvaluationResult::RequiresRegister { register, .. } => {
                (*registers.general.get(usize::from(register.0))?)?
            }
            _ => return None,
        };
        result = evaluation
            .resume_with_register(Value::Generic(value))
            .ok()?;
    }
    None
}

/// The one piece that a complete evaluation must have.
fn value(evaluation: &Evaluation<EndianSlice<'_, LittleEndian>>) -> Option<u64> {
    match evaluation.as_result() {
        [piece] => match piece.location {
            Location::Address { address } => Some(address),
            Location::Value { value } => value.to_u64(u64::MAX).ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Fault, Why};

    /// Memory in which every word holds its own address.
    struct Mirror;

    impl Memory for Mirror {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
            let bytes = addr.0.to_le_bytes();
            let part = bytes.get(..buf.len()).ok_or(Fault {
                addr,
                why: Why::TooLarge,
            })?;
            buf.copy_from_slice(part);
            Ok(())
        }
    }

    fn registers() -> Registers {
        let mut registers = Registers::default();
        registers.general[7] = Some(0x1000);
        registers.general[16] = Some(0x40100b);
        registers
    }

    #[test]
    fn the_plt_expression_knows_about_the_pushed_index() {
        // breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus — from GNU ld's PLT.
        let code = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        assert_eq!(evaluate(&code, None, &registers(), &Mirror), Some(0x1010));
    }

    #[test]
    fn memory_is_read_and_loops_end() {
        // breg7 16; deref
        let code = [0x77, 16, 0x06];
        assert_eq!(evaluate(&code, None, &registers(), &Mirror), Some(0x1010));
        // skip -3: for ever.
        assert_eq!(
            evaluate(&[0x2f, 0xfd, 0xff], None, &registers(), &Mirror),
            None
        );
        // dup; plus — of the initial value.
        assert_eq!(
            evaluate(&[0x12, 0x22], Some(21), &registers(), &Mirror),
            Some(42)
        );
        // A register that is not known.
        assert_eq!(evaluate(&[0x70, 0], None, &registers(), &Mirror), None);
        assert_eq!(evaluate(&[], None, &registers(), &Mirror), None);
    }
}
