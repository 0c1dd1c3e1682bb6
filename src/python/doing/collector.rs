//! Which thread is collecting garbage where no symbol tells the names of the collector's
//! functions (stripped builds): the collection is known from its flag, and its functions keep
//! pointers into `struct _gc_runtime_state` on their stack.

use crate::addr::Addr;
use crate::bytes;
use crate::python::{Interpreter, PyThread, Python};

/// Bytes of a stack that are searched.
const SEARCHED: u64 = 64 << 10;
/// The size of the collector's state that all versions reach at least.
const GC_SIZE: u64 = 192;

impl Python {
    /// The thread state that collects garbage, if one is collecting and only one can be it.
    pub(super) fn collector(&self, interpreter: &Interpreter) -> Option<Addr> {
        if interpreter.collecting != Some(true) {
            return None;
        }
        let gc = self.layout.fields.interpreter.gc?.of(interpreter.addr);
        let mut found = interpreter
            .threads
            .iter()
            .filter(|state| self.points_into(state, gc));
        let first = found.next()?.tstate;
        found.next().is_none().then_some(first)
    }

    fn points_into(&self, state: &PyThread, gc: Addr) -> bool {
        let Some(id) = state.tid.and_then(|tid| self.process.id_of(tid)) else {
            return false;
        };
        let Some(stack) = self.process.stack(id) else {
            return false;
        };
        let (Some(inner), Some(outer)) = (stack.frames.first(), stack.frames.last()) else {
            return false;
        };
        let length = outer.sp.since(inner.sp).unwrap_or(0).min(SEARCHED);
        let memory = &self.process.target.memory;
        let Ok(raw) = memory.bytes(inner.sp, length as usize) else {
            return false;
        };
        let mut words = raw
            .chunks_exact(8)
            .filter_map(|word| bytes::u64_at(word, 0));
        words.any(|word| (gc.0..gc.0.saturating_add(GC_SIZE)).contains(&word))
    }
}
