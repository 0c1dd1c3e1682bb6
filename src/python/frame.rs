//! Frame chains of each kind: `PyFrameObject` linked by `f_back` (up to 3.10), and
//! `_PyInterpreterFrame` linked by `previous` (3.11+; Include/internal/pycore_frame.h), in which
//! entry frames of the evaluation loop and frames that have not begun are hidden, as CPython's
//! own traceback hides them.

use super::activation;
use super::code::Codes;
use super::datastack::DataStack;
use super::layout::{Frame, FrameChain, Markers};
use super::object::Objects;
use super::raw_frame::{Raw, unreadable};
use super::recover::{Frames, Stop};
use super::{Marker, PyFrame, PyStack};
use crate::addr::Addr;
use crate::diag::Notes;
use std::cell::OnceCell;

/// Frame owners from this one on run no Python code (`FRAME_OWNED_BY_INTERPRETER`).
const OWNED_BY_INTERPRETER: u8 = 3;

/// The highest owner of any version; more is damage.
const LAST_OWNER: u8 = 4;

/// A generator's frame is never hidden as not begun.
pub(super) const OWNED_BY_GENERATOR: u8 = 1;

/// More frames than this are damage: 3.12 and later allow a million, and raising the limit
/// further runs into memory first.
pub(super) const MOST_FRAMES: usize = 4_000_000;

/// Reads the stack of the thread state at `tstate`.
pub(super) fn read_stack(objects: &Objects, codes: &Codes, tstate: Addr, notes: &Notes) -> PyStack {
    let mut walk = Walk::new(objects, codes, tstate);
    let stop = match walk.run(MOST_FRAMES) {
        Ok(()) if walk.ends_early() => Some(Stop::Early),
        Ok(()) => None,
        Err(stop) => Some(stop),
    };
    if let Some(Stop::Cycle { length, .. }) = stop {
        walk = Walk::new(objects, codes, tstate);
        // The second run cannot fail before the repeat, which the first one reached.
        let _ = walk.run(length);
    }
    if let Some(stop) = stop {
        walk.go_on_after(&stop, notes);
    }
    walk.finish()
}

pub(super) struct Walk<'a> {
    pub(super) objects: &'a Objects,
    pub(super) codes: &'a Codes,
    pub(super) fields: &'a Frame,
    pub(super) tstate: Addr,
    /// Bytes of a frame that are looked at.
    pub(super) span: usize,
    /// Each frame of the chain, with the number of shown frames inner to it.
    pub(super) links: Vec<(Addr, usize)>,
    pub(super) frames: Vec<PyFrame>,
    pub(super) markers: Vec<Marker>,
    /// How many frames are inner to the end of each native activation, where the frames tell.
    activations: Vec<usize>,
    pub(super) problem: Option<String>,
    /// Where the data stack is, which shims are not on.
    pub(super) data_stack: OnceCell<Option<DataStack>>,
    /// The second source, read when the chain is broken.
    pub(super) data: OnceCell<Option<Frames>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(objects: &'a Objects, codes: &'a Codes, tstate: Addr) -> Walk<'a> {
        let fields = &objects.layout.fields.frame;
        let small = [fields.owner, fields.is_entry, fields.tlbc_index];
        let span = [fields.previous, fields.code, fields.instruction]
            .into_iter()
            .chain(small.into_iter().flatten())
            .map(|field| field.index() + 8)
            .max()
            .unwrap_or(0);
        Walk {
            objects,
            codes,
            fields,
            tstate,
            span: span.min(fields.size.index()),
            links: Vec::new(),
            frames: Vec::new(),
            markers: Vec::new(),
            activations: Vec::new(),
            problem: None,
            data_stack: OnceCell::new(),
            data: OnceCell::new(),
        }
    }

    /// Follows the chain, at most `limit` links.
    fn run(&mut self, limit: usize) -> Result<(), Stop> {
        let base = self.base_frame();
        let mut at = self.first()?;
        let idle = at.is_null();
        // Brent's algorithm: compare with a frame seen a power of two links ago.
        let (mut seen, mut power, mut distance) = (Addr::NULL, 1, 0);
        while !at.is_null() {
            if at == seen {
                let length = self.first_repeat(distance);
                return Err(Stop::Cycle { first: at, length });
            }
            if self.links.len() >= limit {
                return Err(Stop::Limit);
            }
            if distance == power || seen.is_null() {
                (seen, power, distance) = (at, power * 2, 0);
            }
            distance += 1;
            self.links.push((at, self.frames.len()));
            let raw = self.read(at).map_err(|f| Stop::Unreadable("a frame", f))?;
            if base == Some(at) {
                return Ok(());
            }
            if let Err(stop) = self.take(&raw) {
                self.links.pop();
                return Err(stop);
            }
            at = raw.previous;
        }
        match base {
            Some(_) if !idle => Err(Stop::Early),
            _ => Ok(()),
        }
    }

    /// How many links there are before the first that repeats, in a cycle of `length` links.
    fn first_repeat(&self, length: usize) -> usize {
        let behind = self.links.get(length..).unwrap_or_default();
        let same = self.links.iter().zip(behind).position(|(a, b)| a.0 == b.0);
        same.map_or(self.links.len(), |start| start + length)
    }

    /// The innermost frame.
    fn first(&self) -> Result<Addr, Stop> {
        let fields = &self.objects.layout.fields;
        let memory = &self.objects.memory;
        let chain = self.objects.layout.kinds.frame_chain;
        let cframe = fields.cframe.and_then(|cframe| cframe.current_frame);
        let ptr = |at| {
            memory
                .ptr(at)
                .map_err(|f| Stop::Unreadable("the thread's frame", f))
        };
        match (chain, fields.thread.cframe, cframe, fields.thread.frame) {
            (FrameChain::CFrame, Some(cframe), Some(current), _) => {
                let cframe = ptr(cframe.of(self.tstate))?;
                if cframe.is_null() {
                    return Ok(Addr::NULL);
                }
                match ptr(current.of(cframe))? {
                    frame if frame.is_null() && self.is_left_out(cframe) => {
                        Err(Stop::LeftOut(cframe))
                    }
                    frame => Ok(frame),
                }
            }
            (_, _, _, Some(frame)) => ptr(frame.of(self.tstate)),
            _ => Ok(Addr::NULL),
        }
    }

    /// The frame within the thread state in which a whole chain ends (3.15).
    pub(super) fn base_frame(&self) -> Option<Addr> {
        let field = self.objects.layout.fields.thread.base_frame?;
        let base = self.objects.memory.ptr(field.of(self.tstate)).ok()?;
        (!base.is_null()).then_some(base)
    }

    /// Whether the version has shims in its chain: frames on the C stack that run nothing.
    pub(super) fn has_shims(&self) -> bool {
        matches!(
            self.objects.layout.kinds.markers,
            Markers::ShimFrame | Markers::BaseFrame
        )
    }

    /// Whether the frame is such a shim. One damaged byte must not make one of a function's frame,
    /// and these lie on the data stack.
    pub(super) fn is_shim(&self, raw: &Raw) -> bool {
        let is_marked = (OWNED_BY_INTERPRETER..=LAST_OWNER).contains(&raw.owner);
        is_marked && self.has_shims() && !self.is_on_data_stack(raw.addr)
    }

    /// Adds what the frame is: a frame, a marker, or nothing. An error when it is no frame.
    pub(super) fn take(&mut self, raw: &Raw) -> Result<(), Stop> {
        if self.is_shim(raw) {
            self.markers.push(Marker {
                addr: raw.addr,
                frames: self.frames.len(),
            });
            return Ok(());
        }
        match self.codes.get(self.objects, raw.code) {
            Ok(code) => {
                let lasti = self.lasti(raw, &code);
                if raw.owner == OWNED_BY_GENERATOR || !self.begins(&code, lasti) {
                    let frame = self.frame(raw, &code, lasti);
                    self.frames.push(frame);
                }
            }
            Err(fault) if self.is_init_cleanup(raw, fault) => {}
            Err(_) if !self.is_frame(raw) => {
                return Err(match self.is_left_out(raw.addr) {
                    true => Stop::LeftOut(raw.addr),
                    false => Stop::NoFrame(raw.addr),
                });
            }
            Err(fault) => self.frames.push(unreadable(raw, fault)),
        }
        // In 3.11 an entry frame ends its activation; up to 3.10 every frame does.
        if raw.is_entry || self.fields.is_entry.is_none() {
            self.activations.push(self.frames.len());
        }
        Ok(())
    }

    fn finish(mut self) -> PyStack {
        if self.objects.layout.kinds.markers == Markers::CFrame {
            match activation::read_cframes(self.objects, self.tstate) {
                Ok(cframes) => {
                    let split = activation::split(&cframes, &self.links, self.frames.len());
                    let pair = || activation::pair(&cframes, &self.activations);
                    self.markers = split.unwrap_or_else(pair);
                }
                Err(why) => self.problem = self.problem.or(Some(why)),
            }
        }
        PyStack {
            frames: self.frames,
            markers: self.markers,
            problem: self.problem,
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
