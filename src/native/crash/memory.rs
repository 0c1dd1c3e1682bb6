//! What a bad address means: NULL, a hole, a page that forbids it, a full stack, code that is no
//! code (Linux arch/x86/mm/fault.c, arch/x86/kernel/traps.c).

use super::instruction::{Access, Operation};
use super::meaning::{privileged, where_it_is};
use super::{AddressSource, Called, Crash, Kind, Meaning, pattern, recursion};
use crate::addr::Addr;
use crate::native::{Process, place};
use crate::target::{Mapping, SignalInfo};
use crate::unwind::Trust;

/// Addresses up to here are NULL with an offset: Linux maps nothing below
/// `vm.mmap_min_addr`, which is 64 KiB.
const NULL_AREA: u64 = 1 << 16;

/// How far from the stack pointer an access may be to be one of the stack: frames with large
/// arrays.
const STACK_REACH: u64 = 1 << 20;

/// The kernel's code for a fault it has no address of.
const SI_KERNEL: i32 = 128;

/// What SIGSEGV or SIGBUS means; fills in the address and what lies there.
pub(super) fn meaning(
    process: &Process,
    info: &SignalInfo,
    crash: &mut Crash,
    called: &dyn Fn(usize) -> Called,
) -> Meaning {
    if let Some(jump) = jump(process, crash) {
        return jump;
    }
    let accesses = match &crash.instruction {
        Some(instruction) => instruction.accesses.clone(),
        None => Vec::new(),
    };
    let Some(fault) = info.fault else {
        return without_address(info, crash, &accesses);
    };
    crash.address = Some(fault);
    crash.address_source = Some(AddressSource::Kernel);
    let place = process.place(fault);
    crash.place = Some(place.clone());
    let access = accesses.iter().find(|access| access.touches(fault));
    crash
        .hints
        .extend(access.and_then(|access| pattern::explain(access.base?)));
    if let Some(overflow) = stack_overflow(process, crash, fault, called) {
        return overflow;
    }
    if let Some(null) = null(fault, access, crash) {
        return null;
    }
    let did = doing(access, fault);
    let evidence = by_operand(access, crash);
    let lies = &place.text;
    let forbidden = |kind: Kind| Meaning::new(kind, format!("{did} {lies}"));
    let meaning = match (&place.mapping, info.signo, info.code) {
        (_, libc::SIGBUS, Some(4 | 5)) => {
            Meaning::new(Kind::HardwareMemory, "the hardware reports broken memory")
        }
        (Some(mapping), libc::SIGBUS, Some(2)) => past_end(mapping, fault, &did),
        (Some(mapping), ..) if access.is_some_and(|a| a.writes) && !mapping.write => {
            match mapping.read {
                true => forbidden(Kind::ReadOnly),
                false => forbidden(Kind::NoAccess),
            }
        }
        (Some(mapping), ..) if !mapping.read && !mapping.write => forbidden(Kind::NoAccess),
        (Some(_), ..) if access.is_none() => {
            let text = format!("{did} {lies}; which kind of access it was is not known");
            Meaning::new(Kind::Unknown, text)
        }
        (Some(_), ..) => Meaning::new(
            Kind::Unknown,
            format!("{did} {lies}; that permits it, so something else forbade it"),
        ),
        (None, ..) => Meaning::new(Kind::NotMapped, format!("{did}: {lies}")),
    };
    match evidence {
        Some(evidence) => meaning.because(evidence),
        None => meaning,
    }
}

/// `a read of 0x10`.
fn doing(access: Option<&Access>, fault: Addr) -> String {
    match access {
        Some(access) => {
            let verb = if access.writes { "write to" } else { "read of" };
            format!("a {verb} {fault}")
        }
        None => format!("an access to {fault}"),
    }
}

/// How the operand gives the address, with the registers in it.
fn by_operand(access: Option<&Access>, crash: &Crash) -> Option<String> {
    let access = access?;
    let registers = &crash.instruction.as_ref()?.registers;
    let mentioned = registers.iter().filter(|register| {
        let mut words = access.expression.split([' ', '*']);
        words.any(|word| word == register.name)
    });
    let values: Vec<String> = mentioned
        .filter_map(|register| Some(format!("{} is {}", register.name, register.value?)))
        .collect();
    Some(match values.is_empty() {
        true => format!("the operand's address is {}", access.expression),
        false => format!(
            "the operand's address is {}; {}",
            access.expression,
            values.join(", ")
        ),
    })
}

/// An address near NULL, on either side of it.
fn null(fault: Addr, access: Option<&Access>, crash: &Crash) -> Option<Meaning> {
    let above = fault.0 < NULL_AREA;
    let below = fault.0 > 0u64.wrapping_sub(NULL_AREA);
    if !above && !below {
        return None;
    }
    let did = doing(access, fault);
    let field = match (fault.0, above) {
        (0, _) => "a NULL pointer was followed".to_owned(),
        (offset, true) => format!("a NULL pointer's field at offset {offset}"),
        (offset, false) => {
            let offset = 0u64.wrapping_sub(offset);
            format!("what lies {offset} bytes before a NULL pointer")
        }
    };
    let meaning = Meaning::new(Kind::NullDereference, format!("{did}: {field}"));
    Some(match by_operand(access, crash) {
        Some(evidence) => meaning.because(evidence),
        None => meaning.because("the first 64 KiB of memory are never mapped"),
    })
}

/// SIGBUS in a file's mapping.
fn past_end(mapping: &Mapping, fault: Addr, did: &str) -> Meaning {
    let at = fault
        .since(mapping.start)
        .unwrap_or(0)
        .saturating_add(mapping.offset);
    let text = match mapping.file() {
        Some(file) => format!(
            "{did}, which stands for offset {at} of {file}, and the file has no such page: it was \
             truncated, or is shorter than its mapping"
        ),
        None => format!("{did}, whose page cannot be had"),
    };
    let kind = match mapping.file() {
        Some(_) => Kind::PastEndOfFile,
        None => Kind::Unknown,
    };
    Meaning::new(kind, text).because(format!("{fault} lies in {}", place::name(mapping)))
}

/// The program counter is where no code is.
fn jump(process: &Process, crash: &mut Crash) -> Option<Meaning> {
    let pc = crash.pc?;
    let mapping = process.target.mapping(pc);
    if mapping.is_some_and(|mapping| mapping.execute) {
        return None;
    }
    crash.address = Some(pc);
    crash.address_source = Some(AddressSource::Kernel);
    let place = process.place(pc);
    // What lies there is not what the thread ran.
    crash.instruction = None;
    crash.instruction_problem = Some(format!("{pc} is no place for code"));
    crash.hints.extend(pattern::explain(pc));
    let meaning = match mapping {
        _ if pc.is_null() => "a NULL function pointer was called".to_owned(),
        None if pc.0 < NULL_AREA => {
            format!(
                "the process jumped to {pc}, a NULL pointer with an offset of {}",
                pc.0
            )
        }
        None => format!("the process jumped to {pc}, where nothing is mapped"),
        Some(_) => format!("the process jumped to {pc}, which is no code but data"),
    };
    let mut meaning = Meaning::new(Kind::Jump, meaning).because(format!("{pc}: {}", place.text));
    crash.place = Some(place);
    let stack = process.stack(crash.thread);
    let caller = stack.as_ref().and_then(|stack| stack.frames.get(1));
    if let Some(caller) = caller {
        let sure = match caller.trust {
            Trust::Scan => "a word on the stack that looks like a return address",
            _ => "the return address on the stack",
        };
        crash.caller = process.symbolize(caller).into_iter().next();
        let words = crash.caller.as_ref().map_or(String::new(), where_it_is);
        let pc = caller.pc.addr();
        meaning = meaning.because(format!("the caller is {pc} in {words}, by {sure}"));
    }
    Some(meaning)
}

/// A general protection fault, of which the kernel gives no address.
fn without_address(info: &SignalInfo, crash: &mut Crash, accesses: &[Access]) -> Meaning {
    let Some(instruction) = &crash.instruction else {
        return Meaning::unknown();
    };
    let text = instruction.att.clone();
    let operation = instruction.operation;
    let bad = |addr: Addr| !is_canonical(addr);
    let operand = accesses
        .iter()
        .find(|access| access.address.is_some_and(bad));
    if let Some((access, address)) = operand.and_then(|access| Some((access, access.address?))) {
        crash.address = Some(address);
        crash.address_source = Some(AddressSource::Operand);
        crash.hints.extend(access.base.and_then(pattern::explain));
        let meaning = Meaning::new(
            Kind::NonCanonical,
            format!(
                "{}, which no process can have (it is not canonical): the pointer is garbage",
                doing(Some(access), address)
            ),
        );
        return match by_operand(Some(access), crash) {
            Some(evidence) => meaning.because(evidence),
            None => meaning,
        };
    }
    match operation {
        Operation::Branch {
            target: Some(target),
            returns,
        } if bad(target) => {
            crash.address = Some(target);
            crash.address_source = Some(AddressSource::Operand);
            crash.hints.extend(pattern::explain(target));
            let what = match returns {
                true => "a return address",
                false => "a function pointer",
            };
            Meaning::new(
                Kind::NonCanonical,
                format!("{what} is garbage: {target}, which no process can have (not canonical)"),
            )
            .because(format!("the instruction is {text}"))
        }
        Operation::Privileged => privileged(&text),
        Operation::Aligned => {
            let access = accesses.iter().find(|access| {
                let size = access.size as u64;
                size > 0 && access.address.is_some_and(|address| address.0 % size != 0)
            });
            let Some((access, address)) = access.and_then(|a| Some((a, a.address?))) else {
                return Meaning::unknown();
            };
            crash.address = Some(address);
            crash.address_source = Some(AddressSource::Operand);
            let text = format!(
                "{} is not aligned to {} bytes, as the instruction demands",
                address, access.size
            );
            Meaning::new(Kind::Misaligned, text).because(format!(
                "the instruction is {}",
                crash.instruction.as_ref().map_or("", |found| &found.att)
            ))
        }
        _ if info.code == Some(SI_KERNEL) => Meaning::new(
            Kind::Unknown,
            "the processor refused the instruction (general protection), and its operands do not \
             tell why",
        )
        .because(format!("the instruction is {text}")),
        _ => Meaning::unknown(),
    }
}

/// Whether an address can be one at all, by the processors with the most address bits (57).
/// With 48 bits more are refused, and the kernel then gives no address either; so this is told by
/// 48, for an address that the kernel gave none of.
fn is_canonical(addr: Addr) -> bool {
    const BITS: u32 = 48;
    let upper = (addr.0 as i64) >> (BITS - 1);
    upper == 0 || upper == -1
}

/// A full stack: the address is near the stack pointer, and outside of what the stack may use.
fn stack_overflow(
    process: &Process,
    crash: &mut Crash,
    fault: Addr,
    called: &dyn Fn(usize) -> Called,
) -> Option<Meaning> {
    let state = process.target.threads.get(crash.thread.checked_sub(1)?)?;
    let sp = state.registers.as_ref()?.sp()?;
    let stack = process.stack_mapping(crash.thread)?.clone();
    let from_sp = sp.0.abs_diff(fault.0);
    let below_start = stack.start.since(fault).unwrap_or(u64::MAX);
    let outside = fault < stack.start && below_start < STACK_REACH;
    // glibc 2.42 and later guards stacks within their mappings (MADV_GUARD_INSTALL).
    let inside = stack.contains(fault) && stack.read && stack.write;
    if from_sp >= STACK_REACH || !(outside || inside) || crash.signal.number != libc::SIGSEGV {
        return None;
    }
    let size = crate::diag::human(stack.end.since(sp.max(stack.start)).unwrap_or(0));
    let mut meaning = Meaning::new(Kind::StackOverflow, String::new());
    meaning = match inside {
        false => meaning.because(format!(
            "{fault} is {below_start} bytes below the end of the stack, {}",
            place::stack::describe(&stack)
        )),
        true => meaning.because(format!(
            "{fault} is in the stack {} and may be read and written there, but for a guard that \
             the C library put into it",
            place::stack::describe(&stack)
        )),
    };
    meaning = meaning.because(format!(
        "the stack pointer is {sp}, {from_sp} bytes from it"
    ));
    crash.recursion = recursion::of(&called(crash.thread));
    let whose = format!("the stack of thread {} is full", crash.thread);
    meaning.text = match &crash.recursion {
        Some(recursion) => format!(
            "{whose} ({size}): endless or deep recursion, {}",
            recursion.words()
        ),
        None => format!("{whose} ({size}); no function repeats in it, so its frames are large"),
    };
    Some(meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_have_a_sign_of_48_bits() {
        for good in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX] {
            assert!(is_canonical(Addr(good)), "{good:#x}");
        }
        for bad in [0x8000_0000_0000, 0xdddd_dddd_dddd_dddd, 1 << 63] {
            assert!(!is_canonical(Addr(bad)), "{bad:#x}");
        }
    }
}
