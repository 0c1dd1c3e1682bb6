//! The part of a stack that is not in use: what finished calls have left below the stack pointer, down to
//! where glibc says that the stack begins (`stackblock` and `stackblock_size` of `struct pthread`,
//! nptl/descr.h). A mapping does not tell that: newer glibc guards stacks inside of their mappings, which
//! the kernel then joins with others.

use super::stack::RED_ZONE;
use crate::addr::Addr;
use crate::native::Process;
use crate::target::{Mapping, Target};
use std::ops::Range;

const PAGE: u64 = 4096;

/// How much of `struct pthread` is searched.
const PTHREAD: u64 = 0xa00;

/// How far the stack may reach behind the start of that struct, which is on it.
const BEHIND: u64 = 2 * PAGE;

impl Process {
    /// The part of a thread's stack (gdb number) that is not in use; `None` where it is not known where
    /// the stack begins.
    pub fn unused_stack(&self, thread: usize) -> Option<Range<Addr>> {
        let state = self.target.threads.get(thread.checked_sub(1)?)?;
        let sp = state.registers?.sp()?;
        let mapping = self.target.mapping(sp).filter(|mapping| mapping.write)?;
        let bottom = match mapping.path.as_deref() {
            Some("[stack]") => mapping.start.0,
            _ => {
                let pthread = self.threads().get(thread - 1)?.pthread?;
                bottom(&self.target, pthread, sp, mapping)?
            }
        };
        Some(Addr(bottom)..sp.sub(RED_ZONE).max(Addr(bottom)))
    }
}

/// Where the stack of a thread begins that glibc has made, or was given, behind its guard.
fn bottom(target: &Target, pthread: Addr, sp: Addr, mapping: &Mapping) -> Option<u64> {
    let memory = &target.memory;
    let words = memory.bytes(pthread, PTHREAD as usize).ok()?;
    let words: Vec<u64> = (words.as_chunks::<8>().0.iter())
        .map(|word| u64::from_le_bytes(*word))
        .collect();
    let found = words.windows(4).filter_map(|four| {
        let [start, size, guard, reported] = *four else {
            return None;
        };
        let end = start.checked_add(size)?;
        let pages = [start, guard, reported]
            .iter()
            .all(|n| n.is_multiple_of(PAGE));
        let holds = start != 0 && start <= sp.0 && pthread.0 < end && end - pthread.0 <= BEHIND;
        let guarded = guard < size && reported <= guard;
        let bottom = start.checked_add(guard)?.max(mapping.start.0);
        (pages && holds && guarded && bottom <= sp.0 && mapping.contains(pthread)).then_some(bottom)
    });
    let mut found = found.take(2);
    let one = found.next()?;
    // What is told twice differently is not believed.
    found.all(|other| other == one).then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetThread;
    use crate::target::registers::Registers;
    use crate::target::synth::TargetBuilder;
    use std::sync::Arc;

    /// Bytes of each of the two stacks, and of their guards.
    const STACK: u64 = 0x1_0000;
    const LOW: u64 = 0x10_0000;

    fn thread(tid: i32, stack: u64) -> TargetThread {
        let mut registers = Registers {
            thread_pointer: Some(stack + STACK - 0x1000),
            ..Registers::default()
        };
        registers.general[7] = Some(stack + STACK - 0x2000);
        TargetThread {
            tid,
            registers: Some(registers),
            ..TargetThread::default()
        }
    }

    #[test]
    fn stacks_in_one_mapping_keep_to_themselves() {
        let high = LOW + STACK;
        let mut bytes = vec![0; 2 * STACK as usize];
        for stack in [LOW, high] {
            let told = [stack, STACK, PAGE, PAGE];
            let at = (stack + STACK - 0x1000 - LOW + 0x690) as usize;
            for (word, place) in told.iter().zip(bytes[at..].chunks_exact_mut(8)) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        let target = TargetBuilder::new()
            .memory(LOW, bytes)
            .whole_thread(thread(7, LOW))
            .whole_thread(thread(8, high))
            .build();
        let process = Process::new(Arc::new(target));
        let unused = |id| process.unused_stack(id).unwrap();
        let rest = |stack: u64| Addr(stack + PAGE)..Addr(stack + STACK - 0x2000 - RED_ZONE);
        assert_eq!((unused(1), unused(2)), (rest(LOW), rest(high)));
        assert_eq!(process.unused_stack(3), None);
    }
}
