//! A live target is stopped only while its bytes are copied.
//!
//! A batch knows which commands will come. It first rehearses on the running process: what is
//! read then tells which pages the analysis will want. These are copied in one go while the
//! process is stopped, and the analysis runs on the copy. Where it wants pages beyond the copy,
//! the process is stopped once more, until the stacks are computed, which the engine remembers.

use super::command::Needs;
use super::render::value::limits;
use super::render::variables::{Budget, VariablesView};
use super::{Inferior, Session};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::runtime::Runtime;
use pydbg::python::value::Limits;
use pydbg::sync::Locks;
use pydbg::target::{Mapping, OpenError, Options, Target, live};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Bytes of each thread's stack that are copied whatever the rehearsal saw.
const STACK: u64 = 16 << 10;

/// What a rehearsal learnt.
pub struct Rehearsal {
    /// Where CPython's runtime is.
    pub runtime: Option<Runtime>,
    /// The threads that do not matter to it: those that Python does not know, if native stacks
    /// are not asked for.
    strangers: FxHashSet<i32>,
    /// What the analysis will want to read: addresses and sizes in bytes.
    wanted: Vec<(Addr, usize)>,
    /// The process's mappings.
    mappings: Vec<Mapping>,
}

impl Rehearsal {
    /// Does on the running process what commands with these needs will ask for.
    pub fn of(pid: i32, options: &Options, needs: Needs, limits: Limits) -> Option<Rehearsal> {
        let target = Arc::new(live::rehearse(pid, options).ok()?);
        let process = Arc::new(Process::new(target.clone()));
        let python = Python::find(process.clone()).ok();
        stacks(&process, python.as_ref(), needs, limits);
        let known = python.as_ref().filter(|_| needs < Needs::NativeStacks);
        let is_stranger = |python: &Python, tid| python.threads_of(tid).is_empty();
        let strangers = known.map_or_else(FxHashSet::default, |python| {
            let all = target.threads.iter().map(|thread| thread.tid);
            all.filter(|tid| is_stranger(python, *tid)).collect()
        });
        Some(Rehearsal {
            strangers,
            runtime: python.map(|python| python.runtime.clone()),
            wanted: target.live()?.kept(),
            mappings: target.mappings.clone(),
        })
    }

    /// Stops the process for no longer than it takes to copy what the analysis will want.
    pub fn glimpse(&self, pid: i32, options: &Options) -> Result<Target, OpenError> {
        let copy = |target: &Target| self.copy(target);
        live::glimpse(
            pid,
            options,
            &self.mappings,
            &self.wanted,
            &self.strangers,
            copy,
        )
    }

    /// Stops the process until it is let go; `python` is what the glimpse found.
    pub fn hold(
        &self,
        pid: i32,
        options: &Options,
        python: Option<&Arc<Python>>,
    ) -> Result<Target, OpenError> {
        let known = |tid| python.is_some_and(|python| !python.threads_of(tid).is_empty());
        let strangers = self.strangers.iter().copied().filter(|tid| !known(*tid));
        let target = live::attach_sparing(pid, options, &strangers.collect())?;
        self.copy(&target);
        Ok(target)
    }

    /// Copies from a stopped process what the analysis will want.
    pub fn copy(&self, target: &Target) {
        let tops = target.threads.iter().filter_map(|thread| {
            let sp = thread.registers?.sp()?;
            let end = target.mapping(sp)?.end;
            Some((sp, end.since(sp)?.min(STACK) as usize))
        });
        // What cannot be written, such as code, is the same when the process runs again.
        let changes = |(at, _): &&(Addr, usize)| target.mapping(*at).is_some_and(|m| m.write);
        let wanted = self.wanted.iter().filter(changes).copied();
        let wanted: Vec<_> = wanted.chain(tops).collect();
        target.memory.prefetch(&wanted);
    }
}

impl Session {
    /// Rehearses the analysis of a live process, if the commands to come are known and need not
    /// hold the process while they run.
    pub fn rehearse(&self, pid: i32, options: &Options) -> Option<Rehearsal> {
        let needs = self.needs_that_allow_a_copy(options)?;
        Rehearsal::of(pid, options, needs, limits(self))
    }

    /// What the commands to come need, if they are known and need not hold a live process while
    /// they run.
    pub fn needs_that_allow_a_copy(&self, options: &Options) -> Option<Needs> {
        let needs = self.wants();
        let known = self.coming.is_some() || self.now.is_some();
        let copies = known && !options.no_stop && needs < Needs::Memory;
        copies.then_some(needs)
    }

    /// Computes the stacks of processes that run again; whether that read what was not copied, or
    /// has come upon a thread that was not stopped because Python did not know it then.
    pub fn reads_beyond_the_copy(&mut self) -> bool {
        let (needs, limits) = (self.wants(), limits(self));
        let mut missed = false;
        for inferior in self.inferiors_mut() {
            inferior.compute_stacks(needs, limits);
            missed |= inferior.reads_beyond_the_copy();
        }
        missed
    }

    /// The most that any of the commands to come needs.
    fn wants(&self) -> Needs {
        if let Some(line) = &self.now {
            return self.needs(line);
        }
        let pending = self.pending.iter().map(|line| &line.text);
        let coming = self.coming.iter().flatten();
        let needs = pending.chain(coming).map(|line| self.needs(line));
        needs.max().unwrap_or(Needs::Nothing)
    }

    /// Computes the stacks that commands with these needs will ask for; the engine remembers
    /// them.
    pub fn compute_stacks(&self, needs: Needs) {
        self.inferior.compute_stacks(needs, limits(self));
    }

    /// Lets live targets run on that the user has let run, after a command that looked at them
    /// anew; of the others those that [`Session::release_captured`] may.
    pub fn release(&mut self) {
        self.now = None;
        self.release_captured();
        for inferior in self.inferiors_mut().filter(|inferior| inferior.running) {
            inferior.resume();
            inferior.fresh = false;
        }
    }

    /// Lets live targets run on if none of the commands to come reads memory that is not
    /// captured; else they stay stopped for now. At a prompt the commands to come are not known,
    /// so they stay stopped until the person leaves them.
    pub fn release_captured(&mut self) {
        if self.coming.is_none() && self.now.is_none() {
            return;
        }
        let needs = self.wants();
        if needs >= Needs::Memory {
            return;
        }
        let (limits, known) = (limits(self), self.coming.is_some());
        for inferior in self.inferiors_mut() {
            // What holds others at a prompt is no business of the line that runs now.
            let theirs = known || inferior.running;
            if theirs && inferior.pid().is_some() && !inferior.released {
                inferior.compute_stacks(needs, limits);
                inferior.resume();
            }
        }
    }
}

impl Inferior {
    /// Whether its stacks, which are computed, needed what was not copied of a process that runs
    /// again, or a thread that was spared.
    fn reads_beyond_the_copy(&self) -> bool {
        let live = self
            .process
            .as_ref()
            .and_then(|process| process.target.live());
        let Some(live) = live.filter(|live| !live.is_stopped()) else {
            return false;
        };
        let is_known = |python: &Arc<Python>| {
            let mut spared = live.spared().iter();
            spared.any(|tid| !python.threads_of(*tid).is_empty())
        };
        live.missed() > 0 || self.found().is_some_and(is_known)
    }

    /// Computes the stacks that commands with these needs will ask for.
    fn compute_stacks(&self, needs: Needs, limits: Limits) {
        if let Some(process) = &self.process {
            stacks(process, self.found().map(|python| &**python), needs, limits);
        }
    }
}

/// Computes the stacks that commands with these needs will ask for, and has the variables read
/// that they may print. A value is written anew when it is printed, from pages that are kept.
fn stacks(process: &Process, python: Option<&Python>, needs: Needs, limits: Limits) {
    if let Some(python) = python.filter(|_| needs >= Needs::Python) {
        let stacks = python.stacks();
        if needs >= Needs::Values {
            let budget = Budget::default();
            for frame in stacks.iter().flat_map(|(_, stack)| &stack.frames) {
                VariablesView::of(python, frame, limits, &budget);
            }
        }
    }
    if needs >= Needs::PythonThreads {
        process.stacks();
    }
    if let Some(python) = python.filter(|_| needs >= Needs::Waits) {
        // It is asked for again where it is shown, from pages that are kept.
        Locks::waits_of(python);
    }
}
