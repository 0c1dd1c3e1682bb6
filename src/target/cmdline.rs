//! The command line and the auxiliary vector from the target's own stack, where the kernel put
//! them: argc, argv, NULL, envp, NULL, auxv, then the strings. Mirrors `create_elf_tables` of
//! Linux fs/binfmt_elf.c. Programs that rewrite their title change the strings, as for ps.

use super::memory::Memory;
use crate::addr::Addr;
use crate::bytes;
use std::ops::Range;

/// AT_SYSINFO_EHDR, the vDSO's address.
pub(super) const AT_SYSINFO_EHDR: u64 = 33;
/// AT_PHDR, where the executable's program headers are mapped.
pub(super) const AT_PHDR: u64 = 3;
/// AT_ENTRY, the executable's entry point.
pub(super) const AT_ENTRY: u64 = 9;
/// AT_RANDOM, 16 random bytes on the initial stack.
pub(super) const AT_RANDOM: u64 = 25;
/// AT_EXECFN, the path given to execve.
pub(super) const AT_EXECFN: u64 = 31;

/// How far below AT_RANDOM the vector may begin: its own size and some padding.
const NEAR: u64 = 16 << 10;
/// How much of the top of the stack is searched when there is no NT_AUXV.
const TOP: u64 = 1 << 20;
/// The most words between argc and the auxiliary vector: Linux's limit on arguments and
/// environment is 6 MiB with the words counted in.
const MOST_WORDS: usize = 1 << 20;
/// The longest argument (MAX_ARG_STRLEN).
const MOST_ARG: usize = 128 << 10;
/// The most bytes of all arguments.
const MOST_ARGS: usize = 6 << 20;

/// Where the auxiliary vector of NT_AUXV lies on the stack.
pub(super) fn find_auxv(
    memory: &dyn Memory,
    stack: Range<u64>,
    auxv: &[(u64, u64)],
) -> Option<Addr> {
    let random = auxv.iter().find(|(kind, _)| *kind == AT_RANDOM)?.1;
    let start = random
        .saturating_sub(NEAR)
        .max(stack.start)
        .next_multiple_of(8);
    let window = memory
        .bytes(Addr(start), random.checked_sub(start)? as usize)
        .ok()?;
    let pattern: Vec<u8> = auxv
        .iter()
        .take(4)
        .flat_map(|(kind, value)| [*kind, *value])
        .flat_map(u64::to_le_bytes)
        .collect();
    let at = window
        .windows(pattern.len())
        .step_by(8)
        .rposition(|bytes| bytes == pattern)?;
    Some(Addr(start).add(at as u64 * 8))
}

/// The auxiliary vector and its address when the core has no NT_AUXV: the run of pairs at the top
/// of the stack that begins with AT_SYSINFO_EHDR and has the executable's headers and entry.
pub(super) fn recover_auxv(
    memory: &dyn Memory,
    stack: Range<u64>,
) -> Option<(Addr, Vec<(u64, u64)>)> {
    let start = stack
        .end
        .saturating_sub(TOP)
        .max(stack.start)
        .next_multiple_of(16);
    let size = stack.end.checked_sub(start)? as usize;
    let window = memory.bytes(Addr(start), size).ok()?;
    let mut at = size & !15;
    while let Some(lower) = at.checked_sub(16) {
        at = lower;
        if bytes::u64_at(&window, at) != Some(AT_SYSINFO_EHDR) {
            continue;
        }
        let auxv = super::notes::auxv(window.get(at..)?);
        let has = |wanted| auxv.iter().any(|(kind, _)| *kind == wanted);
        let known = auxv.iter().all(|(kind, _)| *kind < 128);
        if known && has(AT_PHDR) && has(AT_ENTRY) && has(AT_RANDOM) {
            return Some((Addr(start).add(at as u64), auxv));
        }
    }
    None
}

/// The command line, given where the auxiliary vector lies. `None` when what lies below it is not
/// what the kernel puts there.
pub(super) fn args(memory: &dyn Memory, stack: Range<u64>, auxv: Addr) -> Option<Vec<Vec<u8>>> {
    let mut words = Below {
        memory,
        at: auxv.0,
        left: MOST_WORDS,
        floor: stack.start,
    };
    // The environment's NULL, then its strings down to the arguments' NULL.
    (words.next()? == 0).then_some(())?;
    while words.next()? != 0 {}
    let mut pointers = Vec::new();
    loop {
        let word = words.next()?;
        // The count is small, and every pointer is into this stack.
        if word > 0 && word == pointers.len() as u64 {
            break;
        }
        stack.contains(&word).then(|| pointers.push(word))?;
    }
    let mut total = 0usize;
    let mut out = Vec::with_capacity(pointers.len());
    for pointer in pointers.into_iter().rev() {
        let arg = memory.cstr(Addr(pointer), MOST_ARG).ok()?;
        total = total.checked_add(arg.len())?;
        (total <= MOST_ARGS).then(|| out.push(arg))?;
    }
    Some(out)
}

/// Words read downwards, so many at most.
struct Below<'a> {
    memory: &'a dyn Memory,
    at: u64,
    left: usize,
    floor: u64,
}

impl Iterator for Below<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.at = self.at.checked_sub(8).filter(|at| *at >= self.floor)?;
        self.memory.u64(Addr(self.at)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::synth::TargetBuilder;

    const STACK: Range<u64> = 0x7f00_0000..0x7f00_1000;

    /// A stack as the kernel makes it: the words at 0x800, the strings at 0xf00.
    fn stack() -> (TargetBuilder, Vec<(u64, u64)>) {
        let base = STACK.start;
        let auxv = vec![
            (AT_SYSINFO_EHDR, 0x1000),
            (AT_PHDR, 0x40),
            (AT_ENTRY, 0x1040),
            (AT_RANDOM, base + 0xe00),
        ];
        let mut words = vec![2, base + 0xf00, base + 0xf07, 0, base + 0xf10, 0];
        words.extend(auxv.iter().flat_map(|(kind, value)| [*kind, *value]));
        words.extend([0, 0]);
        let mut raw = vec![0; 0x1000];
        let words: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        raw[0x800..0x800 + words.len()].copy_from_slice(&words);
        raw[0xf00..0xf0b].copy_from_slice(b"python\0x y\0");
        raw[0xf10..0xf14].copy_from_slice(b"A=b\0");
        (TargetBuilder::new().memory(base, raw), auxv)
    }

    #[test]
    fn the_command_line_is_below_the_auxiliary_vector() {
        let (builder, auxv) = stack();
        let target = builder.build();
        let memory = &*target.memory;
        let at = find_auxv(memory, STACK, &auxv).unwrap();
        assert_eq!(at, Addr(STACK.start + 0x830));
        let args = args(memory, STACK, at).unwrap();
        assert_eq!(args, [b"python".to_vec(), b"x y".to_vec()]);
        assert_eq!(recover_auxv(memory, STACK), Some((at, auxv)));
    }

    #[test]
    fn a_stack_that_is_not_the_kernels_gives_nothing() {
        let target = TargetBuilder::new()
            .memory(STACK.start, vec![0; 0x1000])
            .build();
        let memory = &*target.memory;
        assert_eq!(args(memory, STACK, Addr(STACK.start + 0x100)), None);
        assert_eq!(recover_auxv(memory, STACK), None);
    }
}
