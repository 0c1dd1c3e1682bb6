//! A live target is stopped only while its bytes are copied. Before a batch prints anything, the
//! stacks its commands will ask for are computed, which the engine remembers; then the target
//! runs on.

use super::Session;
use super::command::Needs;
use rayon::prelude::*;

impl Session {
    /// Lets a live target run on if none of the commands to come reads memory that is not
    /// captured; else it stays stopped for now. At a prompt the commands to come are not known,
    /// so it stays stopped until the person leaves it.
    pub fn release(&mut self) {
        let (Some(process), Some(coming)) = (self.process.clone(), &self.coming) else {
            return;
        };
        if self.released || !process.target.is_live() {
            return;
        }
        let pending = self.pending.iter().map(|line| &line.text);
        let needs = (pending.chain(coming))
            .map(|line| self.needs(line))
            .max()
            .unwrap_or(Needs::Nothing);
        if needs >= Needs::Memory {
            return;
        }
        if let (Some(Ok(python)), true) = (&self.python, needs >= Needs::Python) {
            python.stacks();
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
