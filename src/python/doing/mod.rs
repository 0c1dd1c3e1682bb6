//! What each thread is doing, in a few words: from its registers, the functions on its native
//! stack (their names are those of CPython 2.7 to 3.15), its thread state and its Python frames.

mod call;
mod collector;
mod context;
mod lock;
mod outline;

use super::{Attachment, GilState, PyFrame, PyThread, Python};
use crate::addr::Addr;
use crate::native::Process;
use crate::native::doing::{self, Context, Doing, Kind};
use crate::unwind::NativeFrame;
pub(crate) use lock::module as library;
use outline::Outline;
use std::sync::Arc;

/// Where a thread that finds Python finalized waits for the process to end (Python/pylifecycle.c,
/// Python/thread.c; 3.14+).
const HANGING: &[&str] = &["PyThread_hang_thread", "_PyThreadState_HangThread"];

/// Where a thread waits until the world goes on (Python/pystate.c; 3.13+).
const SUSPENDED: &[&str] = &[
    "_PyThreadState_Suspend",
    "_PyThreadState_Attach",
    "tstate_wait_attach",
];

/// What thread `id` (gdb number) does in a process without a Python that is known.
pub fn natively(process: &Process, id: usize) -> Doing {
    let outline = Outline::of(process, None, id, &[]);
    let base = doing_natively(process, id, &outline);
    base.within(context::of(&outline, false))
}

impl Python {
    /// What a thread is doing: native thread `id` (gdb number), Python thread state `state`, or
    /// both in one.
    pub fn doing(&self, id: Option<usize>, state: Option<&PyThread>) -> Doing {
        let Some(id) = id else {
            return match state.is_none_or(|state| state.ident.is_some()) {
                true => Doing::plain(Kind::Ended, "its thread has ended"),
                false => Doing::plain(Kind::Unknown, "it names no thread as its own"),
            };
        };
        let outline = self.outline(id);
        if let Some(state) = state
            && let Some(other) = self.current_instead_of(state, id, &outline)
        {
            let text = format!(
                "switched away: the thread runs interpreter {}",
                other.interpreter
            );
            return Doing::plain(Kind::SwitchedAway, text);
        }
        let base = match state {
            Some(state) => self.base(id, state, &outline),
            None => doing_natively(&self.process, id, &outline),
        };
        let mut within = context::of(&outline, state.is_some());
        if let Some(state) = state {
            self.add_contexts(state, &mut within);
        }
        match (within.last(), state) {
            (Some(Context::StoppingTheWorld), Some(state)) => self.world(state).within(within),
            _ => base.within(within),
        }
    }

    /// The innermost frame of a thread (gdb number) in an extension or library of the program: the
    /// one that went into the C library, the interpreter's API or the loader. `None` when there
    /// is none above the innermost Python.
    pub fn foreign_frame(&self, id: usize) -> Option<NativeFrame> {
        let position = self.outline(id).innermost_foreign()?;
        self.process.stack(id)?.frames.get(position).cloned()
    }

    /// The functions on the native stack of a thread.
    fn outline(&self, id: usize) -> Outline {
        let states = self.states_of(id).iter();
        let stacks: Vec<_> = states.map(|state| self.stack(state)).collect();
        let markers = stacks.iter().flat_map(|stack| &stack.markers);
        let markers: Vec<Addr> = markers.map(|marker| marker.addr).collect();
        Outline::of(&self.process, Some(&self.layout), id, &markers)
    }

    /// Which threads run on although one wants to stop the world.
    fn world(&self, state: &PyThread) -> Doing {
        let runs = |other: &&Arc<PyThread>| {
            other.attachment == Some(Attachment::Attached) && other.tstate != state.tstate
        };
        let running = self.threads().filter(runs);
        let ids: Vec<String> = running
            .filter_map(|other| Some(self.process.id_of(other.tid?)?.to_string()))
            .collect();
        let text = match ids.as_slice() {
            [] => "waiting for all threads to stop".to_owned(),
            [one] => format!("waiting for thread {one} to stop"),
            several => format!("waiting for threads {} to stop", several.join(", ")),
        };
        Doing::plain(Kind::WaitingForThread, text)
    }

    /// Adds what not the native functions tell, which may have no names, but Python.
    fn add_contexts(&self, state: &PyThread, within: &mut Vec<Context>) {
        let outermost = self.stack(state).frames.last().cloned();
        let shuts_down = |frame: PyFrame| {
            lock::module(&frame.file) == Some("threading") && &*frame.function == "_shutdown"
        };
        if outermost.is_some_and(shuts_down) && !within.contains(&Context::Exiting) {
            within.insert(0, Context::Exiting);
        }
        let mut interpreters = self.interpreters.iter();
        let interpreter = interpreters.find(|i| i.id == state.interpreter);
        if !within.contains(&Context::CollectingGarbage)
            && interpreter.and_then(|i| self.collector(i)) == Some(state.tstate)
        {
            within.push(Context::CollectingGarbage);
        }
    }

    /// What it does, without what that is in the middle of.
    fn base(&self, id: usize, state: &PyThread, outline: &Outline) -> Doing {
        if outline.calls(HANGING) {
            let text = "hangs for good, because Python is shut down";
            return Doing::plain(Kind::Hanging, text);
        }
        if self.waits_for_gil(state) == Some(true) {
            return Doing::plain(Kind::WaitingForGil, self.gil_wait(state));
        }
        if state.attachment == Some(Attachment::Suspended) && outline.calls(SUSPENDED) {
            return Doing::plain(Kind::Stopped, "stopped by a thread that stops the world");
        }
        let Some(call) = self.process.threads().get(id.wrapping_sub(1)) else {
            return Doing::plain(Kind::Unknown, "not known");
        };
        let Some(call) = &call.syscall else {
            return match outline.is_empty() {
                true => Doing::plain(Kind::Unknown, "not known"),
                false => call::running(outline),
            };
        };
        let target = &self.process.target;
        let waits = doing::in_call(call, &*target.memory, target.proc_files().as_ref());
        if let Some(function) = outline.foreign() {
            let text = format!("in {}, {}", function.words(), waits.text);
            return Doing { text, ..waits };
        }
        match waits.kind {
            Kind::WaitingForLock if call.number == libc::SYS_futex => self.lock_wait(waits, state),
            _ => waits,
        }
    }

    /// Who holds the GIL that a thread waits for.
    fn gil_wait(&self, state: &PyThread) -> String {
        let interpreter = self.interpreters.iter().find(|i| i.id == state.interpreter);
        let holder = match interpreter.map(|interpreter| &interpreter.gil) {
            Some(GilState::Held { tstate, .. }) => {
                self.threads().find(|thread| thread.tstate == *tstate)
            }
            _ => None,
        };
        match holder {
            None => "waiting for the GIL".to_owned(),
            Some(holder) => match holder.tid.and_then(|tid| self.process.id_of(tid)) {
                Some(id) => format!("waiting for the GIL, which thread {id} holds"),
                None => "waiting for the GIL, which a thread that has ended holds".to_owned(),
            },
        }
    }

    /// The thread states of native thread `id`.
    fn states_of(&self, id: usize) -> &[Arc<PyThread>] {
        let thread = id
            .checked_sub(1)
            .and_then(|at| self.process.threads().get(at));
        thread.map_or(&[], |thread| self.threads_of(thread.tid))
    }

    /// The thread state that runs in the native thread of `state`, if that is another one.
    fn current_instead_of(
        &self,
        state: &PyThread,
        id: usize,
        outline: &Outline,
    ) -> Option<&Arc<PyThread>> {
        self.states_of(id).get(1)?;
        let innermost = |thread: &&Arc<PyThread>| {
            let stack = self.stack(thread);
            let frame = stack.frames.first()?;
            let marker = stack
                .markers
                .first()
                .map_or(Addr::NULL, |marker| marker.addr);
            Some((frame.addr, marker))
        };
        let running: Vec<_> = self
            .states_of(id)
            .iter()
            .filter_map(|thread| Some((thread, innermost(&thread)?)))
            .collect();
        let current = match running.as_slice() {
            [] => return None,
            [(thread, _)] => Some(*thread),
            several if several.iter().all(|(_, (_, marker))| !marker.is_null()) => several
                .iter()
                .min_by_key(|(_, (_, marker))| *marker)
                .map(|(thread, _)| *thread),
            several => {
                let frames: Vec<Addr> = several.iter().map(|(_, (frame, _))| *frame).collect();
                let native = self.process.stack(id)?;
                let at = outline.loop_runs(&self.process, &native, &frames)?;
                several.get(at).map(|(thread, _)| *thread)
            }
        }?;
        (current.tstate != state.tstate).then_some(current)
    }
}

fn doing_natively(process: &Process, id: usize, outline: &Outline) -> Doing {
    let thread = id.checked_sub(1).and_then(|at| process.threads().get(at));
    let target = &process.target;
    match thread.and_then(|thread| thread.syscall.as_ref()) {
        Some(call) => doing::in_call(call, &*target.memory, target.proc_files().as_ref()),
        None if outline.is_empty() => Doing::plain(Kind::Unknown, "not known"),
        None => call::running(outline),
    }
}
