//! The instruction a thread stands at, on x86-64: its text in AT&T and Intel syntax, the memory it
//! reads and writes with the addresses its registers give, and what it does if that is a division
//! or a jump (Intel's Software Developer's Manual, volume 2). The only file of this folder that
//! knows a CPU.

use crate::addr::Addr;
use crate::target::{Fault, Memory, Registers, registers};
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Formatter, GasFormatter, Instruction as Decoded,
    InstructionInfoFactory, IntelFormatter, Mnemonic, OpAccess, OpKind, Register, UsedMemory,
};
use serde::Serialize;

/// The longest instruction there is, in bytes.
const LONGEST: usize = 15;

/// An instruction and what it was about to do.
#[derive(Clone, Debug, Serialize)]
pub struct Instruction {
    /// Where it is.
    pub pc: Addr,
    /// Its bytes in hex.
    pub bytes: String,
    /// In AT&T syntax, as gdb writes it.
    pub att: String,
    /// In Intel syntax.
    pub intel: String,
    /// The general registers it reads, with their values in that moment.
    pub registers: Vec<RegisterValue>,
    /// The memory it reads or writes, the stack of `push` and `call` included.
    pub accesses: Vec<Access>,
    /// What is special about it.
    pub operation: Operation,
}

/// A register and its value.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterValue {
    /// Its name, such as `rax`.
    pub name: &'static str,
    /// Its value; `None` when it is not known.
    pub value: Option<Addr>,
}

/// One piece of memory that an instruction uses.
#[derive(Clone, Debug, Serialize)]
pub struct Access {
    /// Whether it is read.
    pub reads: bool,
    /// Whether it is written.
    pub writes: bool,
    /// How many bytes; 0 when the instruction does not tell.
    pub size: usize,
    /// The effective address; `None` when a register in it is not known.
    pub address: Option<Addr>,
    /// How it is made, such as `rax + rcx*8 + 0x10`.
    pub expression: String,
    /// What is added to the registers.
    pub displacement: i64,
    /// The value of the register it counts from; `None` when there is none or it is not known.
    pub base: Option<Addr>,
}

/// What is special about an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Operation {
    /// Nothing that matters to a crash.
    Plain,
    /// An integer division.
    Divide {
        /// The divisor; `None` when it cannot be read.
        divisor: Option<u64>,
    },
    /// A call, jump or return to an address that a register or memory holds.
    Branch {
        /// Where to; `None` when it cannot be read.
        target: Option<Addr>,
        /// Whether it is a return.
        returns: bool,
    },
    /// `ud2` and its kin, which are there to be illegal.
    Undefined,
    /// `int3`.
    Breakpoint,
    /// Only the kernel may do it.
    Privileged,
    /// Its operand in memory must be aligned to its size.
    Aligned,
}

impl Access {
    /// Whether it touches `addr`.
    pub fn touches(&self, addr: Addr) -> bool {
        let into = |start| addr.since(start);
        self.address
            .and_then(into)
            .is_some_and(|into| into < self.size.max(1) as u64)
    }

    /// `reads`, `writes` or `changes`.
    pub fn verb(&self) -> &'static str {
        match (self.reads, self.writes) {
            (true, true) => "changes",
            (false, true) => "writes",
            _ => "reads",
        }
    }
}

/// The instruction at `pc` with the registers of the moment before it ran. Fails when its bytes
/// cannot be read; `Ok(None)` when they are no instruction.
pub(super) fn decode(
    memory: &dyn Memory,
    registers: &Registers,
    pc: Addr,
) -> Result<Option<Instruction>, Fault> {
    let code = read_code(memory, pc)?;
    let mut decoder = Decoder::with_ip(64, &code, pc.0, DecoderOptions::NONE);
    let decoded = decoder.decode();
    if decoded.is_invalid() {
        return Ok(None);
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&decoded);
    let mut read: Vec<RegisterValue> = Vec::new();
    for used in info.used_registers() {
        let reads = !matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::NoMemAccess | OpAccess::None
        );
        if let Some(name) = name_of(used.register())
            && reads
            && read.iter().all(|known| known.name != name)
        {
            let value = value_of(registers, used.register().full_register()).map(Addr);
            read.push(RegisterValue { name, value });
        }
    }
    let accesses = info.used_memory().iter();
    let accesses: Vec<Access> = accesses
        .filter_map(|used| access(used, registers))
        .collect();
    let bytes = code.iter().take(decoded.len());
    Ok(Some(Instruction {
        pc,
        bytes: bytes.map(|byte| format!("{byte:02x}")).collect(),
        att: text(GasFormatter::new(), &decoded),
        intel: text(IntelFormatter::new(), &decoded),
        operation: operation(&decoded, &accesses, memory, registers),
        registers: read,
        accesses,
    }))
}

/// As many bytes at `pc` as an instruction may have; fewer where a mapping ends.
fn read_code(memory: &dyn Memory, pc: Addr) -> Result<Vec<u8>, Fault> {
    match memory.bytes(pc, LONGEST) {
        Ok(code) => Ok(code.into_owned()),
        Err(fault) => match fault.addr.since(pc) {
            Some(before @ 1..) if before < LONGEST as u64 => {
                Ok(memory.bytes(pc, before as usize)?.into_owned())
            }
            _ => Err(fault),
        },
    }
}

/// The text as gdb has it: numbers in hex, a relative address behind it in full.
fn text(mut formatter: impl Formatter, decoded: &Decoded) -> String {
    let options = formatter.options_mut();
    options.set_small_hex_numbers_in_decimal(false);
    options.set_uppercase_hex(false);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_branch_leading_zeros(false);
    options.set_rip_relative_addresses(true);
    let mut text = String::new();
    formatter.format(decoded, &mut text);
    if decoded.is_ip_rel_memory_operand() {
        let address = Addr(decoded.ip_rel_memory_address());
        text.push_str(&format!("        # {address}"));
    }
    text
}

fn access(used: &UsedMemory, registers: &Registers) -> Option<Access> {
    let (reads, writes) = match used.access() {
        OpAccess::Read | OpAccess::CondRead => (true, false),
        OpAccess::Write | OpAccess::CondWrite => (false, true),
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
        _ => return None,
    };
    let address = used.virtual_address(0, |register, _, _| value_of(registers, register));
    let displacement = used.displacement() as i64;
    let mut terms: Vec<String> = Vec::new();
    if matches!(used.segment(), Register::FS | Register::GS) {
        terms.push(format!("{:?}", used.segment()).to_lowercase());
    }
    if used.base() != Register::None {
        terms.push(format!("{:?}", used.base()).to_lowercase());
    }
    if used.index() != Register::None {
        let index = format!("{:?}", used.index()).to_lowercase();
        terms.push(match used.scale() {
            1 => index,
            scale => format!("{index}*{scale}"),
        });
    }
    let mut expression = terms.join(" + ");
    match displacement {
        _ if expression.is_empty() => expression = Addr(displacement as u64).to_string(),
        0 => {}
        1.. => expression.push_str(&format!(" + {displacement:#x}")),
        _ => expression.push_str(&format!(" - {:#x}", displacement.unsigned_abs())),
    }
    Some(Access {
        reads,
        writes,
        size: used.memory_size().size(),
        address: address.map(Addr),
        expression,
        displacement,
        base: (used.base() != Register::None)
            .then(|| value_of(registers, used.base()).map(Addr))
            .flatten(),
    })
}

fn operation(
    decoded: &Decoded,
    accesses: &[Access],
    memory: &dyn Memory,
    registers: &Registers,
) -> Operation {
    let in_memory = || {
        let access = accesses.iter().find(|access| access.reads)?;
        let mut raw = [0; 8];
        let part = raw.get_mut(..access.size)?;
        memory.read(access.address?, part).ok()?;
        Some(u64::from_le_bytes(raw))
    };
    let operand = || match decoded.op0_kind() {
        OpKind::Register => value_of(registers, decoded.op0_register()),
        _ => in_memory(),
    };
    match (decoded.mnemonic(), decoded.flow_control()) {
        (Mnemonic::Div | Mnemonic::Idiv, _) => Operation::Divide { divisor: operand() },
        (Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2, _) => Operation::Undefined,
        (Mnemonic::Int3, _) => Operation::Breakpoint,
        (_, FlowControl::IndirectBranch | FlowControl::IndirectCall) => Operation::Branch {
            target: operand().map(Addr),
            returns: false,
        },
        (_, FlowControl::Return) if decoded.code() != Code::Iretq => Operation::Branch {
            target: in_memory().map(Addr),
            returns: true,
        },
        _ if decoded.is_privileged() => Operation::Privileged,
        (mnemonic, _) if must_be_aligned(mnemonic) => Operation::Aligned,
        _ => Operation::Plain,
    }
}

/// The moves that exist to demand alignment.
fn must_be_aligned(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Movaps
            | Mnemonic::Movapd
            | Mnemonic::Movdqa
            | Mnemonic::Movntps
            | Mnemonic::Movntpd
            | Mnemonic::Movntdq
            | Mnemonic::Movntdqa
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovapd
            | Mnemonic::Vmovdqa
            | Mnemonic::Vmovdqa32
            | Mnemonic::Vmovdqa64
            | Mnemonic::Vmovntps
            | Mnemonic::Vmovntpd
            | Mnemonic::Vmovntdq
            | Mnemonic::Vmovntdqa
    )
}

/// The name of the general register that `register` is a part of.
fn name_of(register: Register) -> Option<&'static str> {
    let full = format!("{:?}", register.full_register()).to_lowercase();
    let general = registers::NAMES.iter().filter(|name| **name != "rip");
    general.copied().find(|name| *name == full)
}

/// The value of a register, or of the part of one; segments but `fs` and `gs` begin at 0.
fn value_of(registers: &Registers, register: Register) -> Option<u64> {
    match register {
        Register::FS => return registers.thread_pointer,
        Register::GS => return None,
        Register::ES | Register::CS | Register::SS | Register::DS => return Some(0),
        _ => {}
    }
    let name = name_of(register)?;
    let index = registers::NAMES.iter().position(|known| *known == name)?;
    let value = registers.general.get(index).copied().flatten()?;
    let high = matches!(
        register,
        Register::AH | Register::BH | Register::CH | Register::DH
    );
    Some(match register.size() {
        1 if high => value >> 8 & 0xff,
        1 => value & 0xff,
        2 => value & 0xffff,
        4 => value & 0xffff_ffff,
        _ => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth;

    fn registers(values: &[(&str, u64)]) -> Registers {
        let mut all = Registers {
            thread_pointer: Some(0x7000),
            ..Registers::default()
        };
        for (name, value) in values {
            let index = registers::NAMES.iter().position(|n| n == name).unwrap();
            all.general[index] = Some(*value);
        }
        all
    }

    fn at(code: &[u8], values: &[(&str, u64)]) -> Instruction {
        let target = synth::TargetBuilder::new()
            .memory(0x1000, code.to_vec())
            .build();
        let pc = Addr(0x1000);
        let decoded = decode(&*target.memory, &registers(values), pc).unwrap();
        decoded.unwrap()
    }

    #[test]
    fn texts_are_gdbs() {
        let load = at(&[0x8b, 0x44, 0xc8, 0x10], &[("rax", 0x100), ("rcx", 2)]);
        assert_eq!(load.att, "mov 0x10(%rax,%rcx,8),%eax");
        assert_eq!(load.bytes, "8b44c810");
        let access = &load.accesses[0];
        assert_eq!(access.address, Some(Addr(0x120)));
        assert_eq!((access.size, access.verb()), (4, "reads"));
        assert_eq!(access.expression, "rax + rcx*8 + 0x10");
        assert!(access.touches(Addr(0x123)) && !access.touches(Addr(0x124)));
    }

    #[test]
    fn the_stack_of_a_push_is_written() {
        let push = at(&[0x53], &[("rsp", 0x8000), ("rbx", 1)]);
        assert_eq!(push.att, "push %rbx");
        assert_eq!(push.accesses[0].address, Some(Addr(0x7ff8)));
        assert_eq!(push.accesses[0].verb(), "writes");
    }

    #[test]
    fn segments_and_unknown_registers() {
        let canary = at(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], &[]);
        assert_eq!(canary.accesses[0].address, Some(Addr(0x7028)));
        assert_eq!(canary.accesses[0].expression, "fs + 0x28");
        let unknown = at(&[0x8b, 0x00], &[]);
        assert_eq!(unknown.accesses[0].address, None);
    }

    #[test]
    fn operations_are_told() {
        let divide = at(&[0xf7, 0xf9], &[("rcx", 1 << 32)]);
        assert_eq!(divide.operation, Operation::Divide { divisor: Some(0) });
        let call = at(&[0xff, 0xd2], &[("rdx", 5), ("rsp", 0x8000)]);
        let target = Some(Addr(5));
        let returns = false;
        assert_eq!(call.operation, Operation::Branch { target, returns });
        assert_eq!(at(&[0x0f, 0x0b], &[]).operation, Operation::Undefined);
        let aligned = at(&[0x0f, 0x28, 0x00], &[("rax", 8)]);
        assert_eq!(aligned.operation, Operation::Aligned);
        assert_eq!(at(&[0xf4], &[]).operation, Operation::Privileged);
    }
}
