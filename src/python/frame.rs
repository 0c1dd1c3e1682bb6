//! Frame chains of each kind: `PyFrameObject` linked by `f_back` (up to 3.10), and
//! `_PyInterpreterFrame` linked by `previous` (3.11+; Include/internal/pycore_frame.h), in which
//! entry frames of the evaluation loop and frames that have not begun are hidden, as CPython's
//! own traceback hides them.

use super::activation;
use super::code::{Code, Codes};
use super::layout::{Field, Frame, FrameChain, LastInstruction, Markers};
use super::object::Objects;
use super::recover::Frames;
use super::{FrameKind, FrameOrigin, Marker, Position, PyFrame, PyStack};
use crate::addr::Addr;
use crate::bytes;
use crate::diag::Notes;
use crate::target::{Fault, Why};
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

/// Frame owners from this one on run no Python code (`FRAME_OWNED_BY_INTERPRETER`).
const OWNED_BY_INTERPRETER: u8 = 3;

/// The highest owner of any version; more is damage.
const LAST_OWNER: u8 = 4;

/// A generator's frame is never hidden as not begun.
pub(super) const OWNED_BY_GENERATOR: u8 = 1;

/// More frames than this are damage: 3.12 and later allow a million, and raising the limit
/// further runs into memory first.
const MOST_FRAMES: usize = 4_000_000;

/// Bytes of a code unit.
pub(super) const CODE_UNIT: i64 = 2;

/// What a core says when it was written without the stacks of threads.
const LEFT_OUT: &str = "the core has only zeros where the stacks of threads are, as gdb's gcore \
    writes them where it fails to read a stack's guard pages (glibc 2.42 and later): native frames \
    of those threads are lost; outer Python frames are from the data stack, which has no frames \
    of generators";

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

/// What is read of each frame.
pub(super) struct Raw {
    pub(super) addr: Addr,
    pub(super) previous: Addr,
    pub(super) code: Addr,
    pub(super) instruction: u64,
    pub(super) owner: u8,
    is_entry: bool,
    tlbc_index: u32,
}

pub(super) struct Walk<'a> {
    pub(super) objects: &'a Objects,
    pub(super) codes: &'a Codes,
    fields: &'a Frame,
    pub(super) tstate: Addr,
    /// Bytes of a frame that are looked at.
    span: usize,
    /// Each frame of the chain, with the number of shown frames inner to it.
    pub(super) links: Vec<(Addr, usize)>,
    pub(super) frames: Vec<PyFrame>,
    pub(super) markers: Vec<Marker>,
    /// How many frames are inner to the end of each native activation, where the frames tell.
    activations: Vec<usize>,
    problem: Option<String>,
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

    pub(super) fn read(&self, addr: Addr) -> Result<Raw, Fault> {
        let raw = self.objects.memory.bytes(addr, self.span)?;
        let word = |field: Field| bytes::u64_at(&raw, field.index()).unwrap_or(0);
        let byte = |field: Option<Field>| {
            field
                .and_then(|f| bytes::u8_at(&raw, f.index()))
                .unwrap_or(0)
        };
        let kinds = &self.objects.layout.kinds;
        let index = |field: Field| bytes::u32_at(&raw, field.index()).unwrap_or(0);
        Ok(Raw {
            addr,
            previous: Addr(word(self.fields.previous)),
            code: Addr(kinds.references.untag(word(self.fields.code))),
            instruction: match kinds.last_instruction {
                LastInstruction::ByteOffset | LastInstruction::UnitIndex => {
                    index(self.fields.instruction).into()
                }
                _ => word(self.fields.instruction),
            },
            owner: byte(self.fields.owner),
            is_entry: byte(self.fields.is_entry) != 0,
            tlbc_index: self.fields.tlbc_index.map_or(0, index),
        })
    }

    /// Whether the version has shims in its chain: frames on the C stack that run nothing.
    pub(super) fn has_shims(&self) -> bool {
        matches!(
            self.objects.layout.kinds.markers,
            Markers::ShimFrame | Markers::BaseFrame
        )
    }

    /// Whether the frame is such a shim.
    pub(super) fn is_shim(&self, raw: &Raw) -> bool {
        self.has_shims() && (OWNED_BY_INTERPRETER..=LAST_OWNER).contains(&raw.owner)
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
                let begins = (-CODE_UNIT..code.first_traceable).contains(&lasti);
                if !begins || raw.owner == OWNED_BY_GENERATOR || code.bytecode.is_none() {
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

    /// Goes on with the second source where the chain is broken, and says so.
    fn go_on_after(&mut self, stop: &Stop, notes: &Notes) {
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

    /// Whether a frame that cannot be read is the one that 3.13 and later push between a class and
    /// its inlined `__init__`. Its code, `_Py_InitCleanup`, is a constant of the binary, which a
    /// core leaves out, and a frame of it stays before its fifth instruction. Seen with cores of
    /// Debian's stripped 3.13, 3.14 and 3.15 without their files; the fixture `inlined_calls`
    /// shows it.
    fn is_init_cleanup(&self, raw: &Raw, fault: Fault) -> bool {
        const LAST: i64 = 4 * CODE_UNIT;
        let adaptive = self.objects.layout.fields.code.adaptive;
        fault.why == Why::NotDumped
            && adaptive.is_some_and(|field| {
                let lasti = raw.instruction.wrapping_sub(field.of(raw.code).0) as i64;
                (0..=LAST).contains(&lasti)
            })
    }

    /// The byte offset of the current instruction, as far as it makes sense.
    pub(super) fn lasti(&self, raw: &Raw, code: &Code) -> i64 {
        match self.objects.layout.kinds.last_instruction {
            LastInstruction::ByteOffset => i64::from(raw.instruction as i32),
            LastInstruction::UnitIndex => match raw.instruction as i32 {
                index @ 0.. => i64::from(index) * CODE_UNIT,
                negative => negative.into(),
            },
            LastInstruction::PrevInstr | LastInstruction::InstrPtr => {
                let start = self.bytecode(raw, code).unwrap_or(Addr::NULL);
                raw.instruction.wrapping_sub(start.0) as i64
            }
        }
    }

    /// Where the copy of the bytecode begins that this frame runs.
    fn bytecode(&self, raw: &Raw, code: &Code) -> Option<Addr> {
        let own = code.bytecode;
        let Some(tlbc) = self.objects.layout.fields.code.tlbc else {
            return own;
        };
        if raw.tlbc_index == 0 {
            return own;
        }
        // struct _PyCodeArray { Py_ssize_t size; char *entries[]; }
        let memory = &self.objects.memory;
        let array = memory.ptr(tlbc.of(code.addr)).ok()?;
        let size = memory.u64(array).ok()?;
        let index = u64::from(raw.tlbc_index);
        (index < size).then(|| memory.ptr(array.add(8 + index * 8)).ok())?
    }

    fn frame(&self, raw: &Raw, code: &Arc<Code>, lasti: i64) -> PyFrame {
        let inside = (-CODE_UNIT..code.size).contains(&lasti);
        let (lasti, problem) = match i32::try_from(lasti) {
            Ok(lasti) if inside => (lasti.max(-1), code.problem.clone()),
            _ => {
                let text = format!("the current instruction lies outside the code: {lasti}");
                (-1, Some(Arc::from(text)))
            }
        };
        PyFrame {
            addr: raw.addr,
            code: raw.code,
            function: code.name.clone(),
            qualname: code.qualname.clone(),
            file: code.filename.clone(),
            position: match inside {
                true => code.position(self.objects, lasti),
                false => Position::default(),
            },
            first_line: code.first_line,
            lasti,
            kind: code.kind,
            origin: FrameOrigin::Chain,
            problem,
        }
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

/// A frame whose code object is damaged; its callers are not.
fn unreadable(raw: &Raw, fault: Fault) -> PyFrame {
    let text = format!(
        "the code object at {} cannot be read: {}",
        raw.code, fault.why
    );
    PyFrame {
        addr: raw.addr,
        code: raw.code,
        function: "<unreadable code>".into(),
        qualname: None,
        file: "<unknown>".into(),
        position: Position::default(),
        first_line: 0,
        lasti: -1,
        kind: FrameKind::Function,
        origin: FrameOrigin::Chain,
        problem: Some(text.into()),
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
