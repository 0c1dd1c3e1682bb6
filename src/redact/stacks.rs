//! Stacks: what finished calls have left below the stack pointer.

use super::blanks::{Fill, Run};
use crate::native::Process;
use crate::sum::Sum;

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
        for thread in process.threads() {
            let Some(unused) = process.unused_stack(thread.id) else {
                stacks.unknown += 1;
                continue;
            };
            let len = unused.end.0 - unused.start.0;
            if let Some(run) = Run::of(unused.start.0, len, Fill::Zeros) {
                stacks.sum.add(run.end - run.start);
                stacks.runs.push(run);
            }
        }
        stacks
    }
}
