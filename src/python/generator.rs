//! Frames of generators, coroutines and asynchronous generators that are suspended
//! (Objects/genobject.c): no thread runs them, so no chain of frames leads to them.

use super::dis::Argument;
use super::frame::Walk;
use super::variables::VariableKind;
use super::{PyFrame, Python};
use crate::addr::Addr;

/// The names of the types.
const TYPES: &[&str] = &["generator", "coroutine", "async_generator"];

impl Python {
    /// Whether the object at `addr` is a generator, a coroutine or an asynchronous generator.
    pub fn is_generator(&self, addr: Addr) -> bool {
        if addr.is_null() {
            return false;
        }
        let ty = self.objects.type_of(addr);
        ty.is_ok_and(|ty| !ty.is_heap() && ty.name.as_deref().is_some_and(|n| TYPES.contains(&n)))
    }

    /// The frame of the object at `addr`, if that is a generator or the like that has begun, has
    /// not ended and is not running.
    pub fn suspended(&self, addr: Addr) -> Option<PyFrame> {
        if !self.is_generator(addr) {
            return None;
        }
        let f = &self.layout.fields.generator;
        let memory = &self.objects.memory;
        let frame = match (self.layout.kinds.suspended, f.state) {
            ([], _) => {
                let running = f.running.map_or(Ok(0), |field| memory.u8(field.of(addr)));
                let frame = memory.ptr(f.frame.of(addr)).ok()?;
                (running.ok()? == 0 && !frame.is_null()).then_some(frame)?
            }
            (states, Some(state)) => {
                let state = memory.u8(state.of(addr)).ok()? as i8;
                states.contains(&state).then(|| f.frame.of(addr))?
            }
            (_, None) => return None,
        };
        let walk = Walk::new(&self.objects, &self.codes, Addr::NULL);
        let raw = walk.read(frame).ok()?;
        let code = self.codes.get(&self.objects, raw.code).ok()?;
        let frame = walk.frame(&raw, &code, walk.lasti(&raw, &code));
        (frame.problem.is_none() && frame.lasti >= 0).then_some(frame)
    }

    /// The values on the evaluation stack of a frame that are certainly on it still: there are at
    /// least as many as loops and `with` statements are around its instruction, and as the
    /// handler of its instruction leaves there.
    pub fn live_slots(&self, frame: &PyFrame) -> Vec<Addr> {
        let slots = self.evaluation_slots(frame).unwrap_or_default();
        let kept = self.handler_depth(frame).unwrap_or(0);
        let count = kept.max(self.loops_around(frame));
        slots.into_iter().take(count).collect()
    }

    /// The values of a suspended frame: its own variables and all that is on its evaluation stack.
    pub fn suspended_values(&self, frame: &PyFrame) -> Vec<Addr> {
        let mut values = self.own_values(frame);
        let slots = self.evaluation_slots(frame).unwrap_or_default();
        let depth = self.suspended_depth(frame, slots.len()).unwrap_or(0);
        values.extend(slots.into_iter().take(depth));
        values
    }

    /// The values of the variables that a frame shares with no other.
    pub fn own_values(&self, frame: &PyFrame) -> Vec<Addr> {
        let own = [VariableKind::Argument, VariableKind::Local];
        let variables = self.variables(frame).all.into_iter();
        variables
            .filter(|variable| own.contains(&variable.kind))
            .filter_map(|variable| variable.value)
            .collect()
    }

    /// How many values are on the evaluation stack of a frame that is suspended, of `most` at most.
    pub(super) fn suspended_depth(&self, frame: &PyFrame, most: usize) -> Option<usize> {
        let memory = &self.objects.memory;
        let f = &self.layout.fields;
        let word = memory.u64(f.frame.stack_top.of(frame.addr)).ok()?;
        let base = self.evaluation_base(frame).ok()?;
        // A pointer behind the last value, else a number, which from 3.11 on counts the variables.
        let pointer = Addr(word).since(base).map(|bytes| bytes / 8);
        let depth = match pointer.filter(|depth| *depth <= most as u64) {
            Some(depth) => depth,
            None => {
                let number = u64::from(word as u32);
                let variables = match f.code.nlocalsplus {
                    Some(count) => u64::from(memory.u32(count.of(frame.code)).ok()?),
                    None => 0,
                };
                number.checked_sub(variables)?
            }
        };
        usize::try_from(depth).ok().filter(|depth| *depth <= most)
    }

    /// How many `for` loops the current instruction is in the body of; each keeps its iterator.
    fn loops_around(&self, frame: &PyFrame) -> usize {
        let Ok(code) = self.disassemble(frame.code, frame.lasti) else {
            return 0;
        };
        let Ok(now) = u32::try_from(frame.lasti) else {
            return 0;
        };
        let around = code.instructions.iter().filter(|instruction| {
            let Argument::Target(end) = instruction.meaning else {
                return false;
            };
            instruction.name == "FOR_ITER" && instruction.offset < now && now < end
        });
        around.count()
    }
}
