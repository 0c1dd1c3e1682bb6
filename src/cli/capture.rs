//! A live target is stopped only while its bytes are copied. Before a batch prints anything, the
//! stacks its commands will ask for are computed, which the engine remembers; then the target
//! runs on.

use super::Session;
use super::command::Needs;
use rayon::prelude::*;

impl Session {
    /// Lets a live target run on if none of the `coming` commands reads memory that is not
    /// captured; else it stays stopped for now.
    pub fn release_for<'l>(&mut self, coming: impl IntoIterator<Item = &'l str>) {
        let Some(process) = self.process.clone() else {
            return;
        };
        if self.released || !process.target.is_live() {
            return;
        }
        let needs = (coming.into_iter())
            .map(|line| self.needs(line))
            .max()
            .unwrap_or(Needs::Nothing);
        if needs >= Needs::Memory {
            return;
        }
        if let (Some(Ok(python)), true) = (&self.python, needs >= Needs::Python) {
            let threads: Vec<_> = (python.interpreters.iter())
                .flat_map(|interpreter| &interpreter.threads)
                .collect();
            threads.par_iter().for_each(|thread| {
                python.stack(thread);
            });
        }
        if needs >= Needs::NativeStacks {
            let ids: Vec<usize> = process.threads().iter().map(|thread| thread.id).collect();
            ids.par_iter().for_each(|id| {
                process.stack(*id);
            });
        }
        process.target.resume();
        self.released = true;
    }
}
