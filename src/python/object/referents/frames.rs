//! Frames and what has one: frame objects, generators, coroutines, asynchronous generators
//! (Objects/frameobject.c `frame_traverse`, Objects/genobject.c `gen_traverse`, Python/frame.c).

use super::super::{Objects, malformed};
use super::{Plan, Stop, Tell, WORD, tell};
use crate::addr::Addr;
use crate::python::layout::References;
use crate::target::Fault;
use std::ops::ControlFlow;

/// The most slots of one frame.
const MOST_SLOTS: u64 = 1 << 20;

impl Objects {
    /// The frame at `frame`, an `_PyInterpreterFrame` or up to 3.10 a frame object: its function,
    /// namespaces, variables, and whatever lies on its evaluation stack, also behind the top.
    pub fn frame_referents(
        &self,
        frame: Addr,
        found: &mut dyn FnMut(Addr) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        match self.tell_running(frame, found) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// The object that a slot holds.
    fn slot(&self, at: Addr) -> Result<Option<Addr>, Fault> {
        let word = self.memory.ptr(at)?;
        if self.layout.kinds.references.is_int(word.0) {
            return Ok(None);
        }
        let word = Addr(self.layout.kinds.references.untag(word.0));
        Ok(Some(word).filter(|word| self.is_object(*word)))
    }

    fn tell_slots(&self, at: Addr, count: u64, found: Tell<'_>) -> Result<(), Stop> {
        for slot in 0..count.min(MOST_SLOTS) {
            if let Some(word) = self.slot(at.add(slot * WORD))? {
                tell(found, word)?;
            }
        }
        Ok(())
    }

    fn tell_running(&self, frame: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let (f, code) = (&self.layout.fields.frame, &self.layout.fields.code);
        if f.valuestack.is_some() {
            self.tell_old_frame(frame, found)?;
        }
        let parts = [Some(f.code), f.function, Some(f.globals), Some(f.builtins)];
        let parts = parts.into_iter().chain([Some(f.locals), f.frame_obj]);
        for part in parts.flatten() {
            if let Some(word) = self.slot(part.of(frame))? {
                tell(found, word)?;
            }
        }
        // Frames that run no code have no variables.
        let Some(executable) = self.slot(f.code.of(frame))? else {
            return Ok(());
        };
        if *self.full_name(&*self.type_of(executable)?) != *"code" {
            return Ok(());
        }
        let start = f.localsplus.of(frame);
        let variables = match (code.nlocalsplus, f.valuestack) {
            (_, Some(stack)) => self
                .memory
                .ptr(stack.of(frame))?
                .since(start)
                .map(|n| n / WORD),
            (Some(count), None) => Some(self.memory.u32(count.of(executable))?.into()),
            (None, None) => None,
        };
        let stack = self.memory.u32(code.stacksize.of(executable))?;
        let slots = variables.map(|variables| variables.saturating_add(stack.into()));
        let slots = slots.filter(|slots| *slots <= MOST_SLOTS);
        self.tell_slots(start, slots.ok_or_else(|| malformed(executable))?, found)
    }

    /// What a frame tells that belongs to a generator or to a frame object, from 3.11 on.
    fn tell_frame(&self, frame: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let f = &self.layout.fields.frame;
        let parts = [Some(f.code), f.function, Some(f.locals), f.frame_obj];
        for part in parts.into_iter().flatten() {
            if let Some(word) = self.slot(part.of(frame))? {
                tell(found, word)?;
            }
        }
        let start = f.localsplus.of(frame);
        let top = self.memory.u64(f.stack_top.of(frame))?;
        // A pointer behind the last value, else a number, negative while it runs.
        let pointer = Addr(top).since(start).map(|bytes| bytes / WORD);
        let slots = match pointer.filter(|slots| *slots <= MOST_SLOTS) {
            Some(slots) => slots,
            None => u64::try_from(top as u32 as i32).unwrap_or(0),
        };
        self.tell_slots(start, slots, found)
    }

    /// A frame object up to 3.10.
    fn tell_old_frame(&self, frame: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let f = &self.layout.fields.frame;
        let Some(stack) = f.valuestack else {
            return Ok(());
        };
        for part in [f.previous, f.code, f.builtins, f.globals, f.locals] {
            tell(found, self.memory.ptr(part.of(frame))?)?;
        }
        // `f_trace` follows the pointers to the stack, and the exception it handles where the
        // thread does not keep that (up to 3.6).
        let top = f.stack_top.of(frame);
        let stack = stack.of(frame);
        let trace = match top == stack.add(WORD) {
            true => top.add(WORD),
            false => stack.add(WORD),
        };
        let words = if self.layout.fields.exc_item.is_none() {
            4
        } else {
            1
        };
        self.tell_words(trace, words, found)?;
        let start = f.localsplus.of(frame);
        let base = self.memory.ptr(stack)?;
        let variables = base.since(start).map_or(0, |bytes| bytes / WORD);
        self.tell_slots(start, variables, found)?;
        // A pointer behind the last value or NULL, in 3.10 a number that is not positive while it runs.
        let top = self.memory.u64(top)?;
        let pointer = Addr(top).since(base).map(|bytes| bytes / WORD);
        let depth = match pointer.filter(|depth| *depth <= MOST_SLOTS) {
            Some(depth) => depth,
            None => u64::try_from(top as u32 as i32).unwrap_or(0),
        };
        self.tell_slots(base, depth, found)
    }

    pub(super) fn tell_frame_object(
        &self,
        addr: Addr,
        plan: &Plan,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        let Some(handle) = &self.layout.fields.frame_object else {
            return self.tell_old_frame(addr, found);
        };
        self.tell_struct(addr, plan, 0..handle.own_frame.offset.into(), found)?;
        // The frame of a function that runs, or of a generator, tells for itself.
        let own = handle.own_frame.of(addr);
        match self.memory.ptr(handle.frame.of(addr))? == own {
            true => self.tell_frame(own, found),
            false => Ok(()),
        }
    }

    pub(super) fn tell_generator(
        &self,
        addr: Addr,
        plan: &Plan,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        let (f, generator) = (&self.layout.fields, &self.layout.fields.generator);
        if f.frame.function.is_none() {
            let frame = generator.frame.of(addr);
            tell(found, self.memory.ptr(frame)?)?;
            // Where it says whether it runs, that is before the code.
            let code = if generator.running.is_some() { 2 } else { 1 };
            self.tell_words(frame.add(code * WORD), 1, found)?;
            for name in [generator.name, generator.qualname].into_iter().flatten() {
                self.tell_words(name.of(addr), 1, found)?;
            }
            return match generator.exc_state {
                Some(state) => self.tell_words(state.of(addr), 3, found),
                None => Ok(()),
            };
        }
        // Behind the exception that it handles only asynchronous generators keep what is told.
        let end = match generator.exc_state {
            Some(state) if *self.full_name(&plan.base) != *"async_generator" => {
                u64::from(state.offset) + WORD
            }
            _ => generator.frame.offset.into(),
        };
        self.tell_struct(addr, plan, 0..end, found)?;
        let frame = generator.frame.of(addr);
        let cleared = match generator.state {
            Some(state) => {
                let running = self.layout.kinds.suspended.iter().max().copied();
                let running = running.unwrap_or(0).saturating_add(1);
                self.memory.u8(state.of(addr))? as i8 > running
            }
            None => false,
        };
        match cleared {
            // From 3.14 on the code object stays.
            true if self.layout.kinds.references != References::Plain => {
                self.tell_slots(self.layout.fields.frame.code.of(frame), 1, found)
            }
            true => Ok(()),
            false => self.tell_frame(frame, found),
        }
    }
}
