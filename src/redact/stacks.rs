//! Stacks: what finished calls have left below the stack pointer, as far as glibc tells where the stack
//! begins (`stackblock` and `stackblock_size` of `struct pthread`, nptl/descr.h), and text among the
//! local variables of calls that run. A word whose eight bytes are all letters is no address.

use super::blanks::{Fill, Run};
use super::environment::Environment;
use crate::addr::Addr;
use crate::dump::Sum;
use crate::native::Process;
use crate::target::Mapping;
use std::ops::Range;

/// What the x86-64 ABI lets a function use below the stack pointer.
const RED_ZONE: u64 = 128;

const WORD: u64 = 8;
const PAGE: u64 = 4096;

/// How much of `struct pthread` is searched.
const PTHREAD: u64 = 0xa00;

/// How far the stack may reach behind the start of that struct, which is on it.
const BEHIND: u64 = 2 * PAGE;

/// The most of a stack in use that is looked at.
const MOST_IN_USE: u64 = 64 << 20;

/// What is to be blanked on stacks.
#[derive(Default)]
pub(super) struct Stacks {
    pub(super) runs: Vec<Run>,
    pub(super) sum: Sum,
    /// How many threads have a stack of which it is not known where it begins.
    pub(super) unknown: usize,
}

impl Stacks {
    pub(super) fn of(process: &Process, environment: &Environment) -> Stacks {
        let mut stacks = Stacks::default();
        for (thread, native) in process.target.threads.iter().zip(process.threads()) {
            let sp = thread.registers.and_then(|registers| registers.sp());
            let mapping = sp.and_then(|sp| process.target.mapping(sp));
            let Some((sp, mapping)) = sp.zip(mapping.filter(|mapping| mapping.write)) else {
                stacks.unknown += 1;
                continue;
            };
            let first = mapping.path.as_deref() == Some("[stack]");
            let bounds = match first {
                true => {
                    // Behind the calls are arguments and environment.
                    let end = environment.at.map_or(mapping.end, |(start, _)| start);
                    Some(mapping.start.0..end.0)
                }
                false => native.pthread.and_then(|pthread| block(process, pthread, sp, mapping)),
            };
            let Some(bounds) = bounds else {
                stacks.unknown += 1;
                continue;
            };
            let dead = sp.0.saturating_sub(RED_ZONE).checked_sub(bounds.start);
            stacks.add(dead.and_then(|len| Run::of(bounds.start, len, Fill::Zeros)));
            stacks.live(process, sp.0.saturating_sub(RED_ZONE)..bounds.end);
        }
        stacks
    }

    fn add(&mut self, run: Option<Run>) {
        if let Some(run) = run {
            self.sum.add(run.end - run.start);
            self.runs.push(run);
        }
    }

    /// Text in the part that is in use.
    fn live(&mut self, process: &Process, range: Range<u64>) {
        let start = range.start.next_multiple_of(WORD);
        let end = range.end.min(start.saturating_add(MOST_IN_USE));
        let mut at = start;
        while at < end {
            let next = (at - at % PAGE).saturating_add(PAGE).min(end);
            if let Ok(page) = process.target.memory.bytes(Addr(at), (next - at) as usize) {
                for (word, bytes) in page.as_chunks::<8>().0.iter().enumerate() {
                    if bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
                        self.add(Run::of(at + word as u64 * WORD, WORD, Fill::Marks(1)));
                    }
                }
            }
            at = next;
        }
    }
}

/// The stack of a thread that glibc has made, without its guard, up to the thread's own block.
fn block(process: &Process, pthread: Addr, sp: Addr, mapping: &Mapping) -> Option<Range<u64>> {
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
        let pages = [start, guard, reported].iter().all(|n| n.is_multiple_of(PAGE));
        let holds = start != 0 && start <= sp.0 && pthread.0 < end && end - pthread.0 <= BEHIND;
        let guarded = guard < size && reported <= guard;
        let bottom = start.checked_add(guard)?.max(mapping.start.0);
        (pages && holds && guarded && bottom <= sp.0 && mapping.contains(pthread))
            .then_some(bottom..pthread.0)
    });
    let mut found = found.take(2);
    let one = found.next()?;
    // What is told twice differently is not believed.
    found.all(|other| other == one).then_some(one)
}
