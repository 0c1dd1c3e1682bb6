//! Walking one stack from the innermost frame outwards.

use super::cfi::CallFrames;
use super::fallback::Surroundings;
use super::row::Row;
use super::step::{self, Failure, Stack};
use super::{End, NativeFrame, NativeStack, Trust};
use crate::addr::{Addr, Pc, Svma};
use crate::diag::Cancel;
use crate::image::Images;
use crate::target::{Registers, Target};
use gimli::UnwindContext;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The most rows kept by one walker.
const MOST_ROWS: usize = 1 << 16;

/// Unwinds the stacks of one process. Call frame information is read when a stack goes through
/// its image; rows are kept between stacks. Several threads may walk at once.
pub struct Unwinder {
    images: Vec<OnceLock<CallFrames>>,
    idle: Mutex<Vec<Walker>>,
}

/// What one walk needs at a time, and the next one can use again.
#[derive(Default)]
struct Walker {
    context: UnwindContext<usize>,
    /// By address looked up; `None` where there is no call frame information.
    rows: FxHashMap<Addr, Option<Arc<Row>>>,
}

/// A frame before its caller is known.
struct Current {
    pc: Pc,
    trust: Trust,
    registers: Registers,
}

/// What a step outwards came to: the canonical frame address and the caller, or the end.
type Step = Result<(Addr, Current), End>;

impl Unwinder {
    /// An unwinder for a process with these images.
    pub fn new(images: &Images) -> Unwinder {
        Unwinder {
            images: images.all.iter().map(|_| OnceLock::new()).collect(),
            idle: Mutex::default(),
        }
    }

    /// The stack of a thread with these registers: at most `limit` frames.
    pub fn walk(
        &self,
        target: &Target,
        images: &Images,
        registers: &Registers,
        limit: usize,
        cancel: &Cancel,
    ) -> NativeStack {
        let mut walker = self.lock().pop().unwrap_or_default();
        let around = Surroundings { target, images };
        let stack = self.walk_with(&mut walker, &around, registers, limit, cancel);
        self.lock().push(walker);
        stack
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Walker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn walk_with(
        &self,
        walker: &mut Walker,
        around: &Surroundings<'_>,
        registers: &Registers,
        limit: usize,
        cancel: &Cancel,
    ) -> NativeStack {
        let mut stack = Stack::new(&*around.target.memory);
        let mut frames = Vec::new();
        let mut interrupted = FxHashSet::default();
        let (Some(pc), Some(_)) = (registers.pc(), registers.sp()) else {
            let end = End::Lost("the registers of the thread are not known".into());
            return NativeStack { frames, end };
        };
        let mut current = Current {
            pc: Pc::Exact(pc),
            trust: Trust::Context,
            registers: *registers,
        };
        let end = loop {
            if frames.len() >= limit {
                break End::Limit;
            }
            if cancel.is_cancelled() {
                break End::Cancelled;
            }
            let row = self.row(walker, around, current.pc);
            let row = row.as_deref();
            let step = take(&current, row, around, &mut stack);
            let trampoline = row.is_some_and(|row| row.signal_trampoline);
            let bias = around
                .images
                .at(current.pc.lookup())
                .map_or(0, |image| image.bias);
            let sp = current.registers.sp().unwrap_or_default();
            frames.push(NativeFrame {
                pc: current.pc,
                sp,
                cfa: step.as_ref().ok().map(|(cfa, _)| *cfa),
                trust: current.trust,
                registers: current.registers,
                function_start: row.map(|row| Addr(row.function_start.wrapping_add(bias))),
                signal_trampoline: trampoline,
            });
            current = match step {
                Ok((_, caller)) => caller,
                Err(end) => break end,
            };
            let next = (
                current.pc.addr(),
                current.registers.sp().unwrap_or_default(),
            );
            // Callers lie further up the same stack; only a signal may come from another one, so
            // what it interrupted must not come twice.
            let progress = match trampoline {
                true => interrupted.insert(next),
                false => next.1 > sp,
            };
            if !progress {
                break End::Loop;
            }
        };
        NativeStack { frames, end }
    }

    /// The rules at `pc`, kept from an earlier frame or read now.
    fn row(&self, walker: &mut Walker, around: &Surroundings<'_>, pc: Pc) -> Option<Arc<Row>> {
        let addr = pc.lookup();
        if let Some(known) = walker.rows.get(&addr) {
            return known.clone();
        }
        let mut from_image = || {
            let index = around.images.index_at(addr)?;
            let image = around.images.all.get(index)?;
            let frames = self
                .images
                .get(index)?
                .get_or_init(|| CallFrames::new(image));
            frames.row(image, image.svma(addr), &mut walker.context)
        };
        let mut found = from_image();
        // The byte before a trampoline belongs to whatever function happens to lie there, unless
        // the libc puts a no-op before it as glibc does.
        let trampoline = found.as_ref().is_some_and(|row| row.signal_trampoline);
        if !trampoline && around.is_sigreturn(pc.addr()) {
            let image = around.images.at(addr);
            let start = image.map_or(Svma(pc.addr().0), |image| image.svma(pc.addr()));
            found = Some(Row::sigreturn(start.0));
        }
        let found = found.map(Arc::new);
        if walker.rows.len() >= MOST_ROWS {
            walker.rows.clear();
        }
        walker.rows.insert(addr, found.clone());
        found
    }
}

/// One step outwards.
fn take(
    current: &Current,
    row: Option<&Row>,
    around: &Surroundings<'_>,
    stack: &mut Stack<'_>,
) -> Step {
    let failure = match row.map(|row| (row, step::apply(row, &current.registers, stack))) {
        Some((row, Ok((cfa, registers)))) => return caller(row, cfa, registers),
        Some((_, Err(Failure::Outermost))) => return Err(End::Outermost),
        Some((_, Err(Failure::Unreadable(fault)))) => {
            return Err(End::Lost(fault.to_string()));
        }
        Some((_, Err(Failure::Unknown(what)))) => what,
        None if around.is_outermost(current.pc) => return Err(End::Outermost),
        None => "there is no call frame information",
    };
    match around.caller(current.pc, &current.registers, stack) {
        Some(found) => {
            let pc = Pc::Return(found.registers.pc().unwrap_or_default());
            let next = Current {
                pc,
                trust: found.trust,
                registers: found.registers,
            };
            Ok((found.cfa, next))
        }
        None => {
            let at = current.pc.addr();
            Err(End::Lost(format!(
                "{failure} for {at}, and nothing on the stack looks like a return address"
            )))
        }
    }
}

/// The caller that a row gave.
fn caller(row: &Row, cfa: Addr, registers: Registers) -> Step {
    let addr = registers.pc().unwrap_or_default();
    // The kernel and glibc put 0 where a chain of callers ends.
    if addr.is_null() && !row.signal_trampoline {
        return Err(End::Outermost);
    }
    let (pc, trust) = match row.signal_trampoline {
        true => (Pc::Exact(addr), Trust::SignalFrame),
        false => (Pc::Return(addr), Trust::Cfi),
    };
    let caller = Current {
        pc,
        trust,
        registers,
    };
    Ok((cfa, caller))
}
