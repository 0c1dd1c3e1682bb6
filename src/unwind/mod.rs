//! Native stack frames: call frame information first, then fallbacks that are marked as such.

mod cfi;
mod expression;
mod fallback;
mod row;
mod step;
#[cfg(test)]
mod tests;
mod walk;
mod x86_64;

use crate::addr::{Addr, Pc};
use crate::target::Registers;
use serde::Serialize;
pub use walk::Unwinder;

/// How a frame was found, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The thread's own registers.
    Context,
    /// Registers that the kernel saved when it delivered a signal.
    SignalFrame,
    /// Call frame information (.eh_frame, .debug_frame) of the frame it called.
    Cfi,
    /// The chain of saved frame pointers.
    FramePointer,
    /// A word on the stack that looks like a return address; may be wrong.
    Scan,
}

impl Trust {
    /// Whether the frame is a guess, which may skip frames or be none.
    pub fn is_guess(self) -> bool {
        matches!(self, Trust::FramePointer | Trust::Scan)
    }
}

/// One physical native frame.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NativeFrame {
    /// Where it is.
    pub pc: Pc,
    /// The stack pointer in this frame.
    pub sp: Addr,
    /// The canonical frame address: the stack pointer in the caller before the call. `None` in
    /// the last frame when nothing tells.
    pub cfa: Option<Addr>,
    /// How it was found.
    pub trust: Trust,
    /// All registers known in this frame.
    pub registers: Registers,
    /// The start of the function, from the FDE that covers the pc.
    pub function_start: Option<Addr>,
    /// The frame is the trampoline to which a signal handler returns: gdb's
    /// `<signal handler called>`. The next frame is what the signal interrupted.
    pub signal_trampoline: bool,
}

/// Why a stack ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The outermost frame: the CFI says that there is no caller, or the thread's start was
    /// reached.
    Outermost,
    /// The limit the caller asked for.
    Limit,
    /// The chain came back to a frame it had seen, or the stack pointer did not move up.
    Loop,
    /// Ctrl-C.
    Cancelled,
    /// No way to find the caller; in words.
    Lost(String),
}

/// A native stack, innermost frame first.
#[derive(Clone, Debug, Serialize)]
pub struct NativeStack {
    /// Innermost first.
    pub frames: Vec<NativeFrame>,
    /// Why it ends.
    pub end: End,
}
