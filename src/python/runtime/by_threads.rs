//! A core that is cut so early that the interpreter is not in it, but stacks and heap are: the
//! evaluation loop keeps the address of its thread state on the stack of each thread.

use super::super::thread::find_on_stack;
use super::*;
use crate::target::TargetThread;

impl Search<'_> {
    /// Finds the interpreter that thread states name, which may not be readable itself. Without
    /// it nothing confirms the version, so something must hint at it.
    pub(super) fn by_threads(&self) -> Option<Found> {
        let version = self.hint?.version;
        let tables = self.tables().filter(|table| table.version == version);
        tables.into_iter().find_map(|layout| {
            let threads = self.target.threads.iter();
            let interpreter = threads
                .filter_map(|t| self.interpreter_of(layout, t))
                .next()?;
            let verdict = self.look(layout, interpreter);
            let source = "thread states on the stacks of their threads";
            self.notes.partial(
                "the interpreter is not in memory; threads are found by their stacks, without \
                 names and GIL",
            );
            Some(self.found(None, source, layout.clone(), interpreter, verdict))
        })
    }

    /// The interpreter of the thread state on a thread's stack.
    fn interpreter_of(&self, layout: &Layout, thread: &TargetThread) -> Option<Addr> {
        let memory = &*self.target.memory;
        let f = &layout.fields.thread;
        let state = find_on_stack(self.target, layout, thread, |state| {
            // The next one links back, or its interpreter is the same where nothing links back.
            let linked = |next: Addr| match f.prev {
                _ if next.is_null() => true,
                Some(prev) => memory.ptr(prev.of(next)) == Ok(state),
                None => memory.ptr(f.interp.of(next)) == memory.ptr(f.interp.of(state)),
            };
            let native = f.native_thread_id.map(|field| memory.u64(field.of(state)));
            memory.ptr(f.next.of(state)).is_ok_and(linked)
                && native.is_none_or(|id| id == Ok(thread.tid as u64))
        })?;
        memory
            .ptr(f.interp.of(state))
            .ok()
            .filter(|interpreter| !interpreter.is_null())
    }
}
