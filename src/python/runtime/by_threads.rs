//! A core that is cut so early that the interpreter is not in it, but stacks and heap are: the
//! evaluation loop keeps the address of its thread state on the stack of each thread.

use super::super::code::Codes;
use super::super::frame::read_stack;
use super::super::object::Objects;
use super::super::thread::find_on_stack;
use super::*;
use crate::target::TargetThread;
use std::sync::Arc;

impl Search<'_> {
    /// Finds the interpreter that thread states name, which may not be readable itself. Without
    /// it nothing confirms the version, so something must hint at it.
    pub(super) fn by_threads(&self) -> Option<Found> {
        let version = self.hint?.version;
        let tables = self.tables().filter(|table| table.version == version);
        let mut best: Option<(usize, &Layout, Addr)> = None;
        for layout in tables {
            let threads = self.target.threads.iter();
            let states: Vec<Addr> = threads.filter_map(|t| self.state_of(layout, t)).collect();
            let f = &layout.fields.thread;
            let mut interpreters = states.iter().map(|state| {
                let interpreter = self.target.memory.ptr(f.interp.of(*state));
                interpreter
                    .ok()
                    .filter(|interpreter| !interpreter.is_null())
            });
            let Some(interpreter) = interpreters.find_map(|interpreter| interpreter) else {
                continue;
            };
            // The thread states of 3.13 and 3.13t begin alike: frames tell them apart.
            let frames = self.readable_frames(layout, &states);
            if best.is_none_or(|(most, _, _)| frames > most) {
                best = Some((frames, layout, interpreter));
            }
        }
        let (_, layout, interpreter) = best?;
        let verdict = self.look(layout, interpreter);
        let source = "thread states on the stacks of their threads";
        self.notes.partial(
            "the interpreter is not in memory; threads are found by their stacks, without \
             names and GIL",
        );
        Some(self.found(None, source, layout.clone(), interpreter, verdict))
    }

    /// How many frames of a few thread states can be read when they have this layout.
    fn readable_frames(&self, layout: &Layout, states: &[Addr]) -> usize {
        const ENOUGH: usize = 16;
        let objects = Objects::new(self.target.memory.clone(), Arc::new(layout.clone()));
        let (codes, notes) = (Codes::default(), Notes::default());
        let stacks = states.iter().take(ENOUGH);
        let frames = stacks.map(|state| {
            let stack = read_stack(&objects, &codes, *state, &notes);
            stack.frames.iter().filter(|f| f.problem.is_none()).count()
        });
        frames.sum()
    }

    /// The thread state on a thread's stack.
    fn state_of(&self, layout: &Layout, thread: &TargetThread) -> Option<Addr> {
        let memory = &*self.target.memory;
        let f = &layout.fields.thread;
        find_on_stack(self.target, layout, thread, |state| {
            // The next one links back, or its interpreter is the same where nothing links back.
            let linked = |next: Addr| match f.prev {
                _ if next.is_null() => true,
                Some(prev) => memory.ptr(prev.of(next)) == Ok(state),
                None => memory.ptr(f.interp.of(next)) == memory.ptr(f.interp.of(state)),
            };
            let native = f.native_thread_id.map(|field| memory.u64(field.of(state)));
            memory.ptr(f.next.of(state)).is_ok_and(linked)
                && native.is_none_or(|id| id == Ok(thread.tid as u64))
        })
    }
}
