//! Frames that a broken chain does not lead to. From 3.11 on the frames of plain functions lie on
//! the thread's data stack as well, in the order of their calls; those outer to the last frame
//! of the chain are joined to it, and each is followed by its own links as far as these hold, so
//! that a generator between two functions is found too.

use super::datastack::DataStack;
use super::frame::{MOST_FRAMES, OWNED_BY_GENERATOR, Walk};
use super::layout::FrameChain;
use super::raw_frame::{CODE_UNIT, Raw};
use super::{FrameOrigin, Marker};
use crate::addr::Addr;
use crate::diag::Notes;
use crate::target::Fault;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt;

/// The type names of objects that frames are embedded in.
const GENERATORS: [&str; 3] = ["generator", "coroutine", "async_generator"];

/// Size of the pieces of memory that a core writer leaves out as a whole.
const PAGE: u64 = 4096;

/// What a core says when it was written without the stacks of threads.
const LEFT_OUT: &str = "the core has only zeros where the stacks of threads are, as gdb's gcore \
    writes them where it fails to read a stack's guard pages (glibc 2.42 and later): native frames \
    of those threads are lost; outer Python frames are from the data stack, which has no frames \
    of generators";

/// Why a walk ended before the outermost frame.
pub(super) enum Stop {
    /// The chain comes back to the frame `first`, after `length` links.
    Cycle { first: Addr, length: usize },
    /// More than [`MOST_FRAMES`] links.
    Limit,
    /// A link cannot be read.
    Unreadable(&'static str, Fault),
    /// A link leads to what is no frame.
    NoFrame(Addr),
    /// A link leads to a part of the C stack that the core writer left out.
    LeftOut(Addr),
    /// The chain does not reach the outermost frame.
    Early,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Cycle { first, .. } => {
                write!(f, "the chain of frames comes back to {first}; cut there")
            }
            Stop::Limit => write!(f, "more than {MOST_FRAMES} frames; cut there"),
            Stop::Unreadable(what, fault) => write!(f, "{what}: {fault}"),
            Stop::NoFrame(at) => write!(
                f,
                "the chain of frames leads to {at}, where there is no frame"
            ),
            Stop::LeftOut(at) => write!(
                f,
                "the core has only zeros for the part of the C stack at {at}"
            ),
            Stop::Early => f.write_str("the chain of frames ends before the outermost frame"),
        }
    }
}

/// The frames on the data stack of a thread.
pub(super) struct Frames {
    /// Outermost first.
    all: Vec<Addr>,
    index: FxHashMap<Addr, usize>,
}

impl Frames {
    fn read(walk: &Walk) -> Option<Frames> {
        let stack = walk.data_stack()?;
        let fields = &walk.objects.layout.fields;
        let specials = u64::from(fields.frame.localsplus.offset);
        let slots = [Some(fields.code.stacksize), fields.code.nlocalsplus];
        let memory = &walk.objects.memory;
        // `_co_framesize`: the fixed part, all variables, and the value stack.
        let size = |at: Addr| {
            let raw = walk.read(at).ok()?;
            walk.codes.get(walk.objects, raw.code).ok()?;
            let slots = slots.iter().flatten();
            let sizes = slots.map(|field| memory.i32(field.of(raw.code)).ok());
            let words: Option<Vec<u64>> = sizes.map(|size| size?.try_into().ok()).collect();
            Some(specials + words?.iter().sum::<u64>() * 8)
        };
        let is_frame = |at: Addr| walk.read(at).is_ok_and(|raw| is_sure(walk, &raw));
        let all = stack.frames(specials, &size, &is_frame);
        let index = all.iter().enumerate().map(|(at, addr)| (*addr, at));
        Some(Frames {
            index: index.collect(),
            all,
        })
    }

    /// Whether a frame begins at `addr`.
    fn has(&self, addr: Addr) -> bool {
        self.index.contains_key(&addr)
    }
}

/// Whether two independent words of the frame say the same: its code object, and the instruction
/// within it.
fn is_sure(walk: &Walk, raw: &Raw) -> bool {
    // Most words that are tried are no frame; this tells without a look at what they point to.
    let distance = raw.instruction.wrapping_sub(raw.code.0) as i64;
    let near = 0 < distance && distance < i64::from(i32::MAX);
    near && raw.owner == 0
        && raw.code.0.is_multiple_of(8)
        && walk.codes.get(walk.objects, raw.code).is_ok_and(|code| {
            let lasti = walk.lasti(raw, &code);
            (-CODE_UNIT..code.size).contains(&lasti) && lasti % CODE_UNIT == 0
        })
}

impl Walk<'_> {
    /// The thread's data stack; `None` where the version has none.
    fn data_stack(&self) -> Option<&DataStack> {
        let read = || DataStack::read(self.objects, self.tstate);
        self.data_stack.get_or_init(read).as_ref()
    }

    /// Whether `addr` lies in a chunk of the data stack.
    pub(super) fn is_on_data_stack(&self, addr: Addr) -> bool {
        self.data_stack().is_some_and(|data| data.has_room_at(addr))
    }

    /// The frames on the thread's data stack; `None` where the version has none.
    fn on_data_stack(&self) -> Option<&Frames> {
        self.data.get_or_init(|| Frames::read(self)).as_ref()
    }

    /// Whether a frame whose code cannot be read is a frame at all.
    pub(super) fn is_frame(&self, raw: &Raw) -> bool {
        if self.objects.layout.kinds.frame_chain == FrameChain::Object {
            let ty = self.objects.type_of(raw.addr);
            return ty.is_ok_and(|ty| ty.may_be("frame"));
        }
        let on_data_stack = match self.on_data_stack() {
            Some(frames) if !frames.all.is_empty() => frames.has(raw.addr),
            // Nothing is known of the data stack, so nothing speaks against it.
            _ => !self.is_blank(raw.addr),
        };
        on_data_stack || self.is_generators(raw)
    }

    /// Whether the frame is embedded in a generator.
    fn is_generators(&self, raw: &Raw) -> bool {
        let field = self.objects.layout.fields.generator.frame;
        let object = raw.addr.sub(field.offset.into());
        let ty = self.objects.type_of(object);
        raw.owner == OWNED_BY_GENERATOR
            && ty.is_ok_and(|ty| GENERATORS.iter().any(|name| ty.may_be(name)))
    }

    /// Whether the core writer left out the part of the C stack around `addr`: what is in use
    /// there cannot be all zeros. Zeros in the data stack are damage.
    pub(super) fn is_left_out(&self, addr: Addr) -> bool {
        self.is_blank(addr) && !self.is_on_data_stack(addr)
    }

    /// Whether all around `addr` is zero.
    fn is_blank(&self, addr: Addr) -> bool {
        let page = Addr(addr.0 / PAGE * PAGE);
        let bytes = self.objects.memory.bytes(page, PAGE as usize);
        bytes.is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    }

    /// Whether a chain that ended regularly lacks its outer end.
    pub(super) fn ends_early(&self) -> bool {
        let Some(stack) = self.data_stack() else {
            return false;
        };
        let links = self.links.iter().rev();
        let last = links.map(|link| link.0).find(|addr| stack.contains(*addr));
        match (last, stack.bottom()) {
            (Some(last), Some(bottom)) => last != bottom,
            (None, Some(_)) => self.links.is_empty(),
            (_, None) => false,
        }
    }

    /// Goes on with the second source where the chain is broken, and says so.
    pub(super) fn go_on_after(&mut self, stop: &Stop, notes: &Notes) {
        if let Stop::LeftOut(addr) = stop {
            self.mark_left_out(*addr);
        }
        let found = match stop {
            Stop::Limit => 0,
            _ => self.add_outer_frames(),
        };
        self.problem = match (stop, found) {
            (Stop::LeftOut(_), _) => {
                notes.partial(LEFT_OUT);
                None
            }
            // A thread that is about to call its first function.
            (Stop::Early, 0) if self.links.is_empty() => None,
            (stop, 0) => Some(stop.to_string()),
            (stop, found) => Some(format!(
                "{stop}; {found} outer frames are from the data stack, which has no frames of \
                 generators"
            )),
        };
    }

    /// Adds the frames of the data stack that are outer to what the chain led to. Returns how
    /// many are shown.
    pub(super) fn add_outer_frames(&mut self) -> usize {
        let before = self.frames.len();
        let _ = self.on_data_stack();
        let Some(data) = self.data.take().flatten() else {
            return 0;
        };
        let mut visited: FxHashSet<Addr> = self.links.iter().map(|link| link.0).collect();
        let reached = visited.iter().filter_map(|addr| data.index.get(addr));
        let end = reached.min().copied().unwrap_or(data.all.len());
        for addr in data.all.get(..end).unwrap_or_default().iter().rev() {
            self.follow(*addr, &data, &mut visited);
        }
        for frame in self.frames.iter_mut().skip(before) {
            frame.origin = FrameOrigin::DataStack;
        }
        self.frames.len() - before
    }

    /// Takes the frame at `addr` and those that it leads to, as long as each is sure to be one.
    fn follow(&mut self, addr: Addr, data: &Frames, visited: &mut FxHashSet<Addr>) {
        let base = self.base_frame();
        let mut at = addr;
        while !at.is_null() && base != Some(at) && visited.insert(at) {
            let Ok(raw) = self.read(at) else { return };
            let whole = self.codes.get(self.objects, raw.code).is_ok();
            let known = match data.has(at) {
                true => whole || data.has(raw.previous),
                false => self.is_shim(&raw) || whole && self.is_generators(&raw),
            };
            if !known {
                self.mark_left_out(at);
                return;
            }
            self.links.push((at, self.frames.len()));
            if self.take(&raw).is_err() {
                return;
            }
            at = raw.previous;
        }
    }

    /// Ends the activation whose shim at `addr` the core writer left out.
    pub(super) fn mark_left_out(&mut self, addr: Addr) {
        if self.has_shims() && self.is_left_out(addr) {
            self.markers.push(Marker {
                addr,
                frames: self.frames.len(),
            });
        }
    }
}

#[cfg(test)]
#[path = "recover_tests.rs"]
mod tests;
