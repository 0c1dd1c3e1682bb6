//! Whose stack an address is on. A thread's stack is the mapping of its stack pointer, and of its
//! thread pointer, because glibc puts the thread's own block at the top of the stack it maps
//! (nptl/allocatestack.c); below it lies the guard. The first thread's stack is the kernel's.

use super::{Process, name};
use crate::addr::Addr;
use crate::target::Mapping;
use serde::Serialize;

/// Bytes below the stack pointer that a leaf function may use (psABI, "the red zone").
pub(super) const RED_ZONE: u64 = 128;

/// Where an address is on a stack.
#[derive(Clone, Debug, Serialize)]
pub struct StackPlace {
    /// The thread's number, as gdb counts.
    pub thread: usize,
    /// Its LWP id.
    pub tid: i32,
    /// Which part of the stack it is.
    pub region: Region,
    /// The native frame that owns it, counted from the innermost; `None` when none does.
    pub frame: Option<usize>,
    /// The function of that frame.
    pub function: Option<String>,
    /// The stack's mapping.
    pub start: Addr,
    /// The first address behind it.
    pub end: Addr,
}

/// The parts of a stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Where frames are: from the stack pointer up.
    Frames,
    /// Up to 128 bytes below the stack pointer, which functions may use that call none.
    RedZone,
    /// Below that: nothing, or what ended functions left.
    Below,
    /// The guard below the stack.
    Guard,
}

impl StackPlace {
    pub(super) fn words(&self) -> String {
        let whose = format!("the stack of thread {} (LWP {})", self.thread, self.tid);
        match (self.region, &self.function) {
            (Region::Frames, Some(name)) => format!("in {whose}, in the frame of {name} ()"),
            (Region::Frames, None) if self.frame.is_some() => {
                format!("in {whose}, in the frame of an unknown function")
            }
            (Region::Frames, None) => format!("in {whose}, above its stack pointer"),
            (Region::RedZone, _) => format!("in {whose}, in the red zone below its stack pointer"),
            (Region::Below, _) => format!("in {whose}, below its stack pointer, in no frame"),
            (Region::Guard, _) => format!("in the guard below {whose}"),
        }
    }
}

/// One thread with what bounds its stack.
struct Owner {
    thread: usize,
    tid: i32,
    sp: Addr,
    /// Whether the whole mapping is its stack, not just the part with its frames.
    whole: bool,
    top: Option<Addr>,
}

impl Process {
    /// The stack that `address` is on; `None` when it is on none.
    pub fn stack_place(&self, address: Addr) -> Option<StackPlace> {
        let mapping = self.target.mapping(address)?;
        let accessible = mapping.read || mapping.write;
        let (stack, guard) = match accessible {
            true => (mapping, false),
            false => (self.target.mapping(mapping.end)?, true),
        };
        if stack.file().is_some() || !stack.write {
            return None;
        }
        let mut owners = self.owners(stack);
        if guard {
            let owner = owners.iter().filter(|owner| owner.whole);
            let owner = owner.min_by_key(|owner| owner.sp)?;
            return Some(place(owner, Region::Guard, None, stack));
        }
        // Newer glibc guards stacks inside their mappings, and then several may share one.
        owners.sort_by_key(|owner| owner.sp);
        let holds = |owner: &&Owner| owner.top.is_none_or(|top| address <= top);
        let owner = owners.iter().find(holds)?;
        if address < owner.sp.sub(RED_ZONE) {
            let below = owner.whole.then_some(Region::Below);
            return below.map(|region| place(owner, region, None, stack));
        }
        if address < owner.sp {
            return Some(place(owner, Region::RedZone, None, stack));
        }
        let frames = &self.stack(owner.thread)?.frames;
        let frame = frames
            .iter()
            .position(|frame| frame.sp <= address && frame.cfa.is_some_and(|cfa| address < cfa));
        let known = frame.is_some() || owner.whole;
        let mut place = place(owner, Region::Frames, frame, stack);
        let frame = frame.and_then(|frame| frames.get(frame));
        let locations = frame.map(|frame| self.symbolize(frame)).unwrap_or_default();
        place.function = locations.last().and_then(|found| found.function.clone());
        known.then_some(place)
    }

    /// The mapping of a thread's stack: that of its thread pointer or the one called `[stack]`,
    /// wherever its stack pointer has come to, else that of its stack pointer.
    pub fn stack_mapping(&self, thread: usize) -> Option<&Mapping> {
        let target = &self.target;
        let state = target.threads.get(thread.checked_sub(1)?)?;
        let sp = state.registers.as_ref()?.sp()?;
        let first = state.tid == target.process.pid;
        let of_sp = target.mapping(sp).filter(|mapping| mapping.write);
        if of_sp.is_some() {
            return of_sp;
        }
        // The stack pointer is in the guard or below it.
        const WITHIN: u64 = 1 << 20;
        let mut behind = target.mappings.iter().filter(|mapping| mapping.start > sp);
        let next = behind.find(|mapping| mapping.write)?;
        let near = next
            .start
            .since(sp)
            .is_some_and(|distance| distance < WITHIN);
        let pointer = self.threads().get(thread - 1)?.pthread;
        let its = match first {
            true => next.path.as_deref() == Some("[stack]"),
            false => pointer.is_some_and(|pointer| next.contains(pointer)),
        };
        (near && its).then_some(next)
    }

    fn owners(&self, stack: &Mapping) -> Vec<Owner> {
        let threads = self.threads().iter().zip(&self.target.threads);
        threads
            .filter_map(|(thread, state)| {
                let sp = state.registers.as_ref()?.sp()?;
                let top = thread.pthread.filter(|pointer| stack.contains(*pointer));
                let first = thread.tid == self.target.process.pid || thread.id == 1;
                let main = first && stack.path.as_deref() == Some("[stack]");
                let whole = main || top.is_some_and(|top| sp <= top);
                let overflown = whole && sp < stack.start;
                (stack.contains(sp) || overflown).then_some(Owner {
                    thread: thread.id,
                    tid: thread.tid,
                    sp,
                    whole,
                    top: top.filter(|top| sp <= *top),
                })
            })
            .collect()
    }
}

fn place(owner: &Owner, region: Region, frame: Option<usize>, stack: &Mapping) -> StackPlace {
    StackPlace {
        thread: owner.thread,
        tid: owner.tid,
        region,
        frame,
        function: None,
        start: stack.start,
        end: stack.end,
    }
}

/// A stack's mapping in words: how large it is and where.
pub fn describe(stack: &Mapping) -> String {
    format!("{} of {}", crate::diag::human(stack.len()), name(stack))
}
