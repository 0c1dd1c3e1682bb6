//! A live target is stopped only while its bytes are copied.
//!
//! A batch knows which commands will come. It first rehearses on the running process: what is
//! read then tells which pages the analysis will want. These are copied in one go while the
//! process is stopped, and the analysis runs on the copy. Where it wants pages beyond the copy,
//! the process is stopped once more, until the stacks are computed, which the engine remembers.

use super::Session;
use super::command::Needs;
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::runtime::Runtime;
use pydbg::target::{Options, live};
use rayon::prelude::*;
use std::sync::Arc;

/// What a rehearsal learnt.
pub struct Rehearsal {
    /// Where CPython's runtime is.
    pub runtime: Option<Runtime>,
    /// What the analysis will want to read: addresses and sizes in bytes.
    pub wanted: Vec<(Addr, usize)>,
}

impl Session {
    /// Rehearses the analysis of a live process, if the commands to come are known and need not
    /// hold the process while they run.
    pub fn rehearse(&self, pid: i32, options: &Options) -> Option<Rehearsal> {
        if self.coming.is_none() || options.no_stop || self.wants() >= Needs::Memory {
            return None;
        }
        let target = Arc::new(live::rehearse(pid, options)?);
        let python = Python::find(Arc::new(Process::new(target.clone()))).ok();
        if let Some(python) = &python {
            python.stacks();
        }
        Some(Rehearsal {
            runtime: python.map(|python| python.runtime.clone()),
            wanted: target.live()?.kept(),
        })
    }

    /// Computes the stacks of a process that runs again; whether that read what was not copied.
    pub fn reads_beyond_the_copy(&self) -> bool {
        if let Some(Ok(python)) = &self.python {
            python.stacks();
        }
        let process = self.process.as_ref();
        let live = process.and_then(|process| process.target.live());
        live.is_some_and(|live| live.missed() > 0)
    }

    /// The most that any of the commands to come needs.
    pub fn wants(&self) -> Needs {
        let pending = self.pending.iter().map(|line| &line.text);
        let coming = self.coming.iter().flatten();
        let needs = pending.chain(coming).map(|line| self.needs(line));
        needs.max().unwrap_or(Needs::Nothing)
    }

    /// Lets a live target run on if none of the commands to come reads memory that is not
    /// captured; else it stays stopped for now. At a prompt the commands to come are not known,
    /// so it stays stopped until the person leaves it.
    pub fn release(&mut self) {
        let Some(process) = self.process.clone().filter(|_| self.coming.is_some()) else {
            return;
        };
        if self.released || !process.target.is_live() {
            return;
        }
        let needs = self.wants();
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
