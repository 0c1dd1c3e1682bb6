//! Stacks: what finished calls have left below the stack pointer, as far as glibc tells where the stack
//! begins (`stackblock` and `stackblock_size` of `struct pthread`, nptl/descr.h).

use super::blanks::{Fill, Run};
use crate::addr::Addr;
use crate::dump::Sum;
use crate::native::Process;
use crate::target::Mapping;

/// What the x86-64 ABI lets a function use below the stack pointer.
const RED_ZONE: u64 = 128;

const PAGE: u64 = 4096;

/// How much of `struct pthread` is searched.
const PTHREAD: u64 = 0xa00;

/// How far the stack may reach behind the start of that struct, which is on it.
const BEHIND: u64 = 2 * PAGE;

/// What is to be blanked on stacks.
#[derive(Default)]
pub(super) struct Stacks {
    pub(super) runs: Vec<Run>,
    pub(super) sum: Sum,
    /// How many threads have a stack of which it is not known where it begins.
    pub(super) unknown: usize,
}

impl Stacks {
    pub(super) fn of(process: &Process) -> Stacks {
        let mut stacks = Stacks::default();
        for (thread, native) in process.target.threads.iter().zip(process.threads()) {
            let sp = thread.registers.and_then(|registers| registers.sp());
            let mapping = sp.and_then(|sp| process.target.mapping(sp));
            let Some((sp, mapping)) = sp.zip(mapping.filter(|mapping| mapping.write)) else {
                stacks.unknown += 1;
                continue;
            };
            let first = mapping.path.as_deref() == Some("[stack]");
            let bottom = match first {
                true => Some(mapping.start.0),
                false => native
                    .pthread
                    .and_then(|pthread| bottom(process, pthread, sp, mapping)),
            };
            let Some(bottom) = bottom else {
                stacks.unknown += 1;
                continue;
            };
            let dead = sp.0.saturating_sub(RED_ZONE).checked_sub(bottom);
            if let Some(run) = dead.and_then(|len| Run::of(bottom, len, Fill::Zeros)) {
                stacks.sum.add(run.end - run.start);
                stacks.runs.push(run);
            }
        }
        stacks
    }
}

/// Where the stack of a thread begins that glibc has made, or was given, behind its guard.
fn bottom(process: &Process, pthread: Addr, sp: Addr, mapping: &Mapping) -> Option<u64> {
    let memory = &process.target.memory;
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
